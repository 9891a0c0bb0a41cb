"""Both sides of hole punching on the simulated internet, with a relay and DHT nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast.dht.nat import Address, Firewall, NatSamples
from holdfast.dht.noise_payload import Relay
from holdfast.dht.punch_client import Ask, Failed, Met, PunchClient, Reopened
from holdfast.dht.punch_server import GaveUp, PunchServer, Say
from holdfast.dht.puncher import PROBE, RandomBudget
from holdfast.dht.secure_payload import SecurePayload
from tests.dht.natsim import Host, Network

SECRET = b"s" * 32


class World:
    """Five DHT nodes (the first of them also the relay), a client and a server."""

    def __init__(self, client: str, server: str, *, seed: int = 1, nodes: int = 5) -> None:
        self.network = Network(seed)
        self.nodes = [Node(self.network.host(f"20.0.0.{number}")) for number in range(1, nodes + 1)]
        self.relay = self.nodes[0]
        self.client_host = self.network.host("30.0.0.1", client)
        self.server_host = self.network.host("40.0.0.1", server)
        self.server = ServerSide(self)
        self.client = ClientSide(self)

    @property
    def met(self) -> bool:
        """Whether a stream would now get through both ways."""
        return self.server.heard is not None

    def run(self, seconds: float = 120.0) -> None:
        """Until they meet, or one of them gives up, or time is over."""
        self.network.run(seconds, lambda: self.met or self.client.failed is not None)


class Node:
    """A DHT node: says what it sees, and relays."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.port = host.bind(self._receive)
        self.address: Address = (host.name, self.port)
        self.seen_server: Address = ("0.0.0.0", 0)

    def _receive(self, data: Any, source: Address) -> None:
        kind, *rest = data
        if kind == "ping":
            self.host.send(self.port, source, ("pong", source))
        elif kind == "announce":
            self.seen_server = source
        elif kind == "ask":
            sealed, peer = rest
            self.host.send(self.port, peer, ("question", sealed, source))
        elif kind == "say":
            sealed, client = rest
            self.host.send(self.port, client, ("answer", sealed, client, source))


class Side:
    """Sockets, timers and samples for either machine."""

    machine: Any

    def __init__(self, world: World, host: Host) -> None:
        self.world, self.host, self.network = world, host, world.network
        self.ports: dict[int, int] = {}
        self.budget = RandomBudget()
        self._timer = 0

    def socket(self, number: int) -> int:
        if number not in self.ports:
            self.ports[number] = self.host.bind(
                lambda data, source: self.receive(number, data, source)
            )
        return self.ports[number]

    def sample(self, number: int) -> None:
        for node in self.world.nodes:
            self.host.send(self.socket(number), node.address, ("ping",))

    def receive(self, number: int, data: Any, source: Address) -> None:
        now = self.network.now
        if data == PROBE:
            self.machine.receive_probe(number, source, now)
        elif data[0] == "pong":
            self.machine.sampled(number, data[1], source, now)
        else:
            self.said(number, data, source)
        self.pump()

    def said(self, number: int, data: Any, source: Address) -> None:
        raise NotImplementedError

    def handle(self, event: Any) -> None:
        raise NotImplementedError

    def pump(self) -> None:
        now = self.network.now
        for event in self.machine.events():
            if isinstance(event, Reopened):
                self.sample(event.first)
            else:
                self.handle(event)
        for probe in self.machine.puncher.to_send(now):
            self.host.send(self.socket(probe.socket), probe.to, PROBE, low_ttl=probe.low_ttl)
        due = self.machine.deadline()
        if due is not None:
            self._timer += 1
            self.network.at(due, self._alarm(self._timer))

    def _alarm(self, number: int) -> Callable[[], None]:
        def ring() -> None:
            if number == self._timer:
                self.machine.on_deadline(self.network.now)
                self.pump()

        return ring


class ServerSide(Side):
    """Waits; its first socket is the one that talks with the relay."""

    def __init__(self, world: World) -> None:
        super().__init__(world, world.server_host)
        self.heard: Address | None = None
        self.gave_up = False
        self.host.send(self.socket(0), world.relay.address, ("announce",))
        self.machine: PunchServer[tuple[bytes, Address]] = PunchServer(
            SecurePayload(SECRET, self.network.random.randbytes),
            nat=NatSamples(firewalled=self.host.kind != "open"),
            remote_firewall=Firewall.UNKNOWN,
            budget=self.budget,
            below=self.network.random.randrange,
            now=0.0,
        )
        self.sample(0)
        self.network.run(1.0)

    def said(self, number: int, data: Any, source: Address) -> None:
        kind, *rest = data
        if kind == "question":
            sealed, client = rest
            self.machine.asked(
                sealed,
                peer=client,
                from_our_relay=source == self.world.relay.address,
                tag=(source, client),
                now=self.network.now,
            )
        elif kind == "stream":
            self.heard = source

    def handle(self, event: Any) -> None:
        if isinstance(event, Say):
            relay, client = event.tag
            self.host.send(self.socket(event.socket), relay, ("say", event.sealed, client))
        elif isinstance(event, GaveUp):
            self.gave_up = True


class ClientSide(Side):
    """Dials."""

    def __init__(self, world: World) -> None:
        super().__init__(world, world.client_host)
        self.failed: str | None = None
        self.at = 0.0
        server, relay = world.relay.seen_server, world.relay.address
        self.machine = PunchClient(
            SecurePayload(SECRET, self.network.random.randbytes),
            server=server,
            relay=relay,
            server_relays=[Relay(relay, server)],
            remote_firewall=Firewall.UNKNOWN,
            budget=self.budget,
            below=self.network.random.randrange,
            firewalled=self.host.kind != "open",
            now=self.network.now,
        )
        self.sample(0)
        self.pump()

    def said(self, number: int, data: Any, source: Address) -> None:
        kind, *rest = data
        if kind == "answer":
            sealed, seen_as, peer = rest
            self.machine.answered(
                sealed, seen_as=seen_as, source=source, peer=peer, now=self.network.now
            )

    def handle(self, event: Any) -> None:
        if isinstance(event, Ask):
            self.host.send(
                self.socket(event.socket), event.relay, ("ask", event.sealed, event.peer)
            )
        elif isinstance(event, Failed):
            self.failed = event.reason
        elif isinstance(event, Met):
            self.at = self.network.now
            self.host.send(self.socket(event.socket), event.address, ("stream",))
