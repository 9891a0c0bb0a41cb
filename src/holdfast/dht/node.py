"""One node of the distributed hash table, as a machine without sockets and clocks (notes 4.10).

Five verbs drive it: `receive`, `to_send`, `deadline`, `on_deadline`, `events`. Whoever owns it asks
with `prepare` and `launch` (one request) or `query` (a walk), and answers commands of its own with
`handlers`. A node has two sockets: one that others may write to (`server`), and one for a node that
sits behind a firewall (`client`); to the machine they are only names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from holdfast.dht.answers import Answers
from holdfast.dht.calls import Call, Calls, Reply
from holdfast.dht.commands import DOWN_HINT, FIND_NODE, PING
from holdfast.dht.counters import Counters
from holdfast.dht.guard import Datagram
from holdfast.dht.ids import node_id, pack, unpack
from holdfast.dht.joining import Joining
from holdfast.dht.nat import Address
from holdfast.dht.packet import HEADER_BYTES, REPLY, REQUEST, Frame, read_reply
from holdfast.dht.query import CONCURRENCY, Commit, Query
from holdfast.dht.reach import Reach
from holdfast.dht.request import Request
from holdfast.dht.table import Table
from holdfast.dht.upkeep import Upkeep
from holdfast.errors import DecodeError

SERVER, CLIENT = "server", "client"

PING_BYTES = 14
"""A ping is padded to this, so that an answer with an id (42 bytes) is three times as long."""
QUESTION_BYTES = 65
"""A question about a target is padded to this: so is an answer with an id, a token and 20 nodes."""
MOST_QUERIES = 128
"""Walks at the same time."""


class Node:
    """The machine."""

    def __init__(
        self,
        *,
        random: Callable[[int], bytes],
        now: float,
        local: Address = ("0.0.0.0", 0),
        bootstrap: Iterable[Address] = (),
        ephemeral: bool | None = None,
        firewalled: bool | None = None,
        server: object = SERVER,
        client: object = CLIENT,
    ) -> None:
        """``local``: where the server socket is bound; what is None is found out by asking."""
        self.now = now
        self.random = random
        self.server = server
        self.client = client
        self.bootstrap = [pack(address) for address in bootstrap]
        self.table = Table(random(32))
        self.counters = Counters()
        self.handlers: dict[int, Callable[[Request], None]] = {}
        """Who answers which command; a handler must not block, and may answer later."""
        self.sink: Callable[[bytes, Address, object, int | None], None] | None = None
        """Takes datagrams at once; without one they wait for `to_send`."""
        self._out: list[Datagram] = []
        self._events: list[str] = []
        self.calls = Calls(self._transmit, self._lost, random)
        self._queries: set[Query] = set()
        self.answers = Answers(self)
        self.reach = Reach(self, local, ephemeral=ephemeral, firewalled=firewalled)
        self.joining = Joining(self)
        self.upkeep = Upkeep(self)

    def start(self) -> None:
        """Look for the others, and after them from then on."""
        self.upkeep.start()
        self.joining.start()

    # ---------------------------------------------------------------- the five verbs

    def receive(self, data: bytes, addr: Address, now: float, socket: object = SERVER) -> None:
        """A datagram came in; whatever is no packet of the DHT is counted and passed by."""
        self.now = now
        counters = self.counters
        counters.received += len(data)
        counters.packets_received += 1
        try:
            if len(data) < HEADER_BYTES or not addr[1]:
                counters.malformed += 1
            elif data[0] == REPLY:
                self._on_reply(data, pack(addr), socket)
            elif data[0] == REQUEST:
                self.answers.receive(data, addr, socket)
            else:
                counters.malformed += 1
        except (DecodeError, ValueError):  # ValueError: a sender that is not on IPv4
            counters.malformed += 1

    def to_send(self, now: float) -> list[Datagram]:
        """What is to go out now."""
        out, self._out = self._out, []
        return out

    def deadline(self) -> float:
        """When `on_deadline` wants to be called."""
        return min(self.calls.deadline(), self.upkeep.deadline())

    def on_deadline(self, now: float) -> None:
        """Time has passed."""
        self.now = now
        self.calls.on_deadline(now)
        self.upkeep.on_deadline(now)

    @property
    def soonest(self) -> float:
        """A time before which `on_deadline` has nothing to do; quicker to know than `deadline`."""
        return min(self.calls.soonest, self.upkeep.soonest)

    @property
    def has_news(self) -> bool:
        """Whether `events` has any."""
        return bool(self._events)

    def events(self) -> list[str]:
        """News since the last time: "bootstrapped", "unreachable", "persistent", "address"."""
        events, self._events = self._events, []
        return events

    # ---------------------------------------------------------------- asking

    @property
    def socket(self) -> object:
        """The socket to ask from."""
        return self.client if self.reach.firewalled else self.server

    def frame(
        self,
        command: int,
        *,
        internal: bool = False,
        target: bytes | None = None,
        value: bytes | None = None,
        token: bytes | None = None,
        socket: object = None,
    ) -> Frame:
        """A request as it may be sent to many, under our id if we are there to stay.

        The id is that of the server socket: from another ``socket`` we ask without one.
        """
        named = socket is None or socket is self.server
        return Frame(
            command,
            internal=internal,
            id32=self.reach.own_id() if named else None,
            token=token,
            target=target,
            value=value,
            least=PING_BYTES if target is None else QUESTION_BYTES,
        )

    def prepare(self, packed: bytes, frame: Frame, socket: object = None) -> Call:
        """A request to one node, to be told what to do with its answer, and launched."""
        return Call(packed, frame, self.calls.tid(), self.socket if socket is None else socket)

    def launch(self, call: Call, *, at_once: bool = False) -> None:
        """Send a prepared request."""
        self.calls.start(call, self.now, at_once=at_once)

    def cancel(self, call: Call) -> None:
        """Forget a request; nobody is called."""
        self.calls.cancel(call, self.now)

    def ping(self, packed: bytes, on_done: Callable[[Call, Reply | None], None]) -> Call:
        """Ask whether a node is there."""
        call = self.prepare(packed, self.frame(PING, internal=True))
        call.on_done = on_done
        self.launch(call)
        return call

    def query(
        self,
        target: bytes,
        frame: Frame,
        *,
        nodes: Iterable[Address] = (),
        concurrency: int = CONCURRENCY,
        on_reply: Callable[[Reply], None] | None = None,
        on_done: Callable[[Query], None] | None = None,
        commit: Commit | None = None,
    ) -> Query:
        """Start a walk towards a target, asking each node on the way what the frame says."""
        query = Query(
            self,
            target,
            frame,
            nodes=nodes,
            concurrency=concurrency,
            on_reply=on_reply,
            on_done=on_done,
            commit=commit,
        )
        self._queries.add(query)
        self.upkeep.was_active()
        query.start()
        return query

    def find_node(
        self,
        target: bytes,
        *,
        concurrency: int = CONCURRENCY,
        on_reply: Callable[[Reply], None] | None = None,
        on_done: Callable[[Query], None] | None = None,
    ) -> Query:
        """Walk towards a target just to know the nodes around it."""
        frame = self.frame(FIND_NODE, internal=True, target=target)
        return self.query(
            target, frame, concurrency=concurrency, on_reply=on_reply, on_done=on_done
        )

    def is_busy(self) -> bool:
        """Whether there are as many walks as there may be."""
        return len(self._queries) >= MOST_QUERIES

    def forget(self, query: Query) -> None:
        """A walk has come to its end."""
        self._queries.discard(query)

    def tell_down(self, teller: bytes, down: bytes) -> None:
        """Tell a node that one it named to us does not answer."""
        if self.upkeep.may_hint():
            call = self.prepare(teller, self.frame(DOWN_HINT, internal=True, value=down))
            call.sends_left = 1
            self.launch(call)

    def rebase(self, id32: bytes) -> None:
        """From now on we stand elsewhere."""
        if self.table.id != id32:
            self.table = self.table.rebase(id32)

    def tell(self, event: str) -> None:
        """Put something among the events."""
        self._events.append(event)

    # ---------------------------------------------------------------- answers that come in

    def _on_reply(self, data: bytes, packed: bytes, socket: object) -> None:
        call = self.calls.match(data[2] | data[3] << 8, packed, self.now)
        if call is None:
            self.counters.unasked += 1
            return
        try:
            reply = read_reply(data, Reply)
        except DecodeError:
            # Whoever sends nonsense is as good as silent.
            self.counters.malformed += 1
            call.on_done(call, None)
            return
        self.answers.prove(unpack(packed)[0])
        reply.packed, reply.socket, reply.rtt = packed, socket, self.now - call.sent_at
        reply.from_id = reply.id if reply.id == node_id(packed) else None
        self.meet(packed, reply.from_id, reply.to, socket)
        call.on_done(call, reply)

    def meet(self, packed: bytes, id32: bytes | None, to: bytes, socket: object) -> None:
        """Somebody is there, and says how it sees us."""
        contact = self.table.get(packed) if id32 is not None else None
        expected = socket is self.socket
        if expected and (contact is None or self.reach.may_sample(contact)):
            self.reach.witness(contact, packed, id32, to)
        if contact is not None:
            self.table.heard(contact, self.now)
        elif id32 is not None:
            self.upkeep.add(packed, to if expected else None)

    def _lost(self, call: Call) -> None:
        self.table.remove(call.packed)

    # ---------------------------------------------------------------- what goes out

    def _transmit(self, call: Call) -> None:
        self.put(call.data, unpack(call.packed), call.socket, call.ttl)

    def put(self, data: bytes, addr: Address, socket: object, ttl: int | None = None) -> None:
        """Send a datagram."""
        self.counters.sent += len(data)
        self.counters.packets_sent += 1
        if self.sink is not None:
            self.sink(data, addr, socket, ttl)
        else:
            self._out.append(Datagram(data, addr, socket, ttl))
