"""A DHT node on real sockets: a network of our own on loopback, and what its owner is told."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from holdfast.crypto import blake2b, key_pair
from holdfast.errors import (
    AddressError,
    ClosedError,
    ListenError,
    LocalError,
    PeerUnreachable,
    UnavailableError,
)
from holdfast.net.dht.bootstrap import parse_bootstrap, resolve_bootstrap
from holdfast.net.dht.node import MAX_VALUE, DhtNode, Firewall, Request
from holdfast.net.dht.watch import NetworkWatch
from holdfast.net.udp.socket import UdpSocket

HOST = "127.0.0.1"
TOPIC = blake2b(b"a topic")
OWNER = key_pair(b"\x01" * 32)
COMMAND = 77

Open = Callable[..., Awaitable[DhtNode]]


@pytest.fixture
async def open_node() -> AsyncIterator[Open]:
    async with AsyncExitStack() as stack:

        async def open_node(*bootstrap: DhtNode, **options: Any) -> DhtNode:
            addresses = [(HOST, node.port) for node in bootstrap]
            node = await DhtNode.open(host=HOST, bootstrap=addresses, **options)
            stack.push_async_callback(node.close)
            return node

        yield open_node


@pytest.fixture
async def network(open_node: Open) -> list[DhtNode]:
    first = await open_node(ephemeral=False)
    nodes = [first]
    for _ in range(4):
        node = await open_node(first, ephemeral=False)
        assert await node.bootstrapped()
        nodes.append(node)
    return nodes


@pytest.fixture
async def user(open_node: Open, network: list[DhtNode]) -> DhtNode:
    node = await open_node(network[0])
    assert await node.bootstrapped()
    return node


@pytest.fixture
def silent() -> AsyncIterator[tuple[str, int]]:
    """An address where somebody listens and never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind((HOST, 0))
        yield nobody.getsockname()


# ---------------------------------------------------------------- beginning


async def test_the_first_of_its_own_network(open_node: Open) -> None:
    node = await open_node(ephemeral=False)
    assert await node.bootstrapped()
    assert node.remote_address() == (HOST, node.port)
    assert node.status == "This node is the first of its own network: 0 others are known."
    assert not node.ephemeral and not node.firewalled


async def test_a_user_learns_where_it_is(user: DhtNode) -> None:
    assert user.remote_address() == (HOST, user.port)
    assert user.firewall == Firewall.OPEN
    assert user.nat.host == HOST
    assert user.socket is user.server_socket
    assert user.ephemeral
    assert len(user.nodes()) == 5
    assert user.status == "The DHT answers: 5 of its nodes are known."


async def test_bootstrap_nodes_that_are_not_there_are_named(
    open_node: Open, silent: tuple[str, int]
) -> None:
    given = [silent, ("nowhere.invalid", 49737)]
    node = await DhtNode.open(host=HOST, bootstrap=given)
    assert node.status == "The bootstrap nodes of the DHT have not answered yet."
    assert not await node.bootstrapped()
    assert f"{HOST}:{silent[1]}" in node.status
    assert "nowhere.invalid" in node.status
    assert node.status.startswith("None of the bootstrap nodes of the DHT answers")
    with pytest.raises(UnavailableError) as caught:
        await node.immutable_put(b"value")
    assert caught.value.hint == node.status
    await node.close()
    assert node.status == "The DHT node is closed."


async def test_a_name_is_resolved() -> None:
    parsed = parse_bootstrap(["localhost:1234", "10.0.0.1@localhost:99", ("127.0.0.2", 5)])
    numbers, unknown = await resolve_bootstrap(parsed)
    assert numbers == [(HOST, 1234), ("10.0.0.1", 99), (HOST, 99), ("127.0.0.2", 5)]
    assert unknown == []


@pytest.mark.parametrize("wrong", ["", "host", "host:0", "[::1]:5", ":5", "a b:5"])
async def test_what_is_no_bootstrap_node_is_refused(wrong: str) -> None:
    with pytest.raises(AddressError):
        await DhtNode.open(host=HOST, bootstrap=[wrong])


async def test_a_port_in_use_is_said(open_node: Open) -> None:
    node = await open_node(ephemeral=False)
    with pytest.raises(ListenError):
        await DhtNode.open(host=HOST, port=node.port)


# ---------------------------------------------------------------- topics and records


async def test_topics(network: list[DhtNode], user: DhtNode) -> None:
    relays = [("10.0.0.1", 1), ("10.0.0.2", 2)]
    assert len(await user.announce(TOPIC, OWNER, relays)) == 5
    found = [each async for each in network[3].lookup(TOPIC)]
    assert {tuple(peer) for each in found for peer in each.peers} == {
        (OWNER.public_key, tuple(relays))
    }
    await network[1].announce(TOPIC, OWNER, [], clear=True)
    peers = {peer async for each in user.lookup(TOPIC) for peer in each.peers}
    assert {peer.relay_addresses for peer in peers} == {()}
    await user.unannounce(TOPIC, OWNER)
    assert [each async for each in network[4].lookup(TOPIC)] == []
    assert user.counters.announces == 5


async def test_peers_are_found_by_their_key(network: list[DhtNode], user: DhtNode) -> None:
    await user.announce(blake2b(OWNER.public_key), OWNER, [("10.0.0.1", 1)])
    found = [each async for each in network[0].find_peer(OWNER.public_key)]
    assert {each.peers[0].relay_addresses for each in found} == {(("10.0.0.1", 1),)}
    other = key_pair(b"\x02" * 32).public_key
    assert [each async for each in network[0].find_peer(other)] == []


async def test_records(network: list[DhtNode], user: DhtNode) -> None:
    value = b"v" * MAX_VALUE
    assert await network[1].immutable_get(await user.immutable_put(value)) == value
    assert await user.immutable_get(blake2b(b"nothing")) is None

    assert await user.mutable_get(OWNER.public_key) is None
    await user.mutable_put(OWNER, b"one", 1)
    await network[2].mutable_put(OWNER, b"two", 2)
    for latest in (True, False):
        record = await user.mutable_get(OWNER.public_key, latest=latest)
        assert record is not None and (record.seq, record.value) == (2, b"two")
    assert await user.mutable_get(OWNER.public_key, seq=3) is None
    with pytest.raises(UnavailableError, match="refused"):
        await user.mutable_put(OWNER, b"late", 1)


async def test_records_that_cannot_be(user: DhtNode) -> None:
    with pytest.raises(LocalError, match="at most 1000 bytes"):
        await user.immutable_put(b"x" * (MAX_VALUE + 1))
    with pytest.raises(LocalError, match="empty"):
        await user.mutable_put(OWNER, b"")


async def test_a_lookup_that_is_left_asks_nobody_any_more(
    network: list[DhtNode], user: DhtNode
) -> None:
    await user.announce(TOPIC, OWNER)
    async for _ in user.lookup(TOPIC):
        break
    tasks = [asyncio.create_task(user.mutable_get(OWNER.public_key)) for _ in range(3)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert await user.mutable_get(OWNER.public_key) is None


# ---------------------------------------------------------------- requests


async def test_a_command_of_our_own(network: list[DhtNode], user: DhtNode) -> None:
    release = asyncio.Event()

    async def later(request: Request) -> None:
        await release.wait()
        request.reply((request.value or b"").upper(), closer_nodes=False)

    network[1].handle(COMMAND, later)
    there = (HOST, network[1].port)
    answers = [
        asyncio.create_task(user.request(there, COMMAND, target=TOPIC, value=b"%d a" % n))
        for n in range(10)
    ]
    await user.ping(there)
    release.set()
    assert [(await answer).value for answer in answers] == [b"%d A" % n for n in range(10)]

    network[1].handle(COMMAND, lambda request: request.reply(b"now", token=False))
    reply = await user.request(there, COMMAND, target=TOPIC)
    assert (reply.value, reply.token, reply.error) == (b"now", None, 0)
    assert reply.from_addr == there
    assert reply.seen_as == (HOST, user.port)
    assert len(reply.closer_nodes) == 4

    unknown = await user.request(there, COMMAND + 1, target=TOPIC)
    assert unknown.error == 1


async def test_a_handler_that_fails_harms_nobody(
    network: list[DhtNode], user: DhtNode, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(request: Request) -> None:
        raise RuntimeError("broken")

    network[1].handle(COMMAND, broken)
    there = (HOST, network[1].port)
    with pytest.raises(PeerUnreachable):
        await user.request(there, COMMAND, timeout=0.02, retries=0)
    assert (await user.ping(there)).from_addr == there
    assert "broken" in caplog.text


async def test_requests_are_passed_on(network: list[DhtNode], user: DhtNode) -> None:
    """With the same number, so that the answer can come from somebody else."""
    server = (HOST, network[2].port)
    client: list[tuple[str, int]] = []

    def relay(request: Request) -> None:
        client.append(request.from_addr)
        request.relay(b"passed on", server)

    def serve(request: Request) -> None:
        request.relay((request.value or b"") + b", answered", request.from_addr)

    network[1].handle(COMMAND, relay)
    network[2].handle(COMMAND, serve)
    there = (HOST, network[1].port)
    network[1].handle(
        COMMAND,
        lambda request: (
            request.reply(request.value, to=client[0])
            if request.from_addr == server
            else relay(request)
        ),
    )
    reply = await user.request(there, COMMAND, target=TOPIC, value=b"hello")
    assert reply.value == b"passed on, answered"


async def test_silence_is_an_error(user: DhtNode, silent: tuple[str, int]) -> None:
    with pytest.raises(PeerUnreachable):
        await user.ping(silent, timeout=0.01, retries=1)


@pytest.mark.parametrize("addr", [("example.org", 5), ("::1", 5), (HOST, 0), ("224.0.0.1", 5)])
async def test_an_address_that_is_none_is_refused(user: DhtNode, addr: tuple[str, int]) -> None:
    with pytest.raises(AddressError):
        await user.ping(addr)


async def test_a_cancelled_request_leaves_nothing(user: DhtNode, silent: tuple[str, int]) -> None:
    before = len(user.machine.calls)
    task = asyncio.create_task(user.ping(silent))
    await asyncio.sleep(0)
    assert len(user.machine.calls) == before + 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(user.machine.calls) == before


async def test_another_socket_of_the_same_node(network: list[DhtNode], user: DhtNode) -> None:
    """As for hole punching: asked from there, answered there, without our id."""
    seen: list[Request] = []

    def answer(request: Request) -> None:
        seen.append(request)
        request.reply(b"yes")

    network[1].handle(COMMAND, answer)
    extra = await UdpSocket.bind(HOST)
    network[2].attach(extra)
    reply = await network[2].request((HOST, network[1].port), COMMAND, socket=extra)
    assert reply.seen_as == (HOST, extra.port)
    assert reply.socket is extra
    assert seen[0].from_addr == (HOST, extra.port)
    assert seen[0].from_id is None
    await extra.close()


# ---------------------------------------------------------------- ending


async def test_who_waits_is_told_that_the_node_is_closed(
    open_node: Open, silent: tuple[str, int]
) -> None:
    node = await DhtNode.open(host=HOST, bootstrap=[silent])
    waiting = [
        asyncio.create_task(node.ping(silent)),
        asyncio.create_task(node.announce(TOPIC, OWNER)),
        asyncio.create_task(node.bootstrapped()),
    ]
    await asyncio.sleep(0)
    await node.close()
    await node.close()
    first, second, third = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(first, ClosedError) and isinstance(second, ClosedError)
    assert third is False
    with pytest.raises(ClosedError):
        await node.ping(silent)


async def test_a_closed_node_gives_its_port_back(open_node: Open) -> None:
    node = await open_node(ephemeral=False)
    port = node.port
    await node.close()
    again = await open_node(port=port, ephemeral=False)
    assert again.port == port


async def test_nonsense_is_counted_and_harms_nobody(user: DhtNode) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as attacker:
        for data in (b"\x03" * 40, b"\x13\xff" + bytes(50), b"hello", b"\x03", bytes(1400)):
            attacker.sendto(data, (HOST, user.port))
    attacked = user.counters.malformed
    reply = await user.ping(tuple(user.nodes()[0]))
    assert reply.error == 0
    assert user.counters.malformed >= attacked + 3
    assert user.counters.as_dict()["sent"] > 0


async def test_another_network_is_noticed(
    network: list[DhtNode], user: DhtNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was believed about our address is asked anew, and the table is kept."""
    moved: list[bool] = []
    hosts = ["10.0.0.1", HOST]
    monkeypatch.setattr("holdfast.net.dht.watch.reachable_hosts", lambda host: list(hosts))
    watch = NetworkWatch("0.0.0.0", lambda: moved.append(True))
    watch.look()
    assert moved == []
    hosts[0] = "192.168.7.7"
    watch.look()
    watch.look()
    assert moved == [True]
    watch.close()

    user.moved()
    assert len(user.nodes()) == 5
    await user.ping(tuple(user.nodes()[0]))
    assert user.remote_address() == (HOST, user.port)
