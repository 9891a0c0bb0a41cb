"""What a node does by itself: little, and enough to keep its table true."""

from __future__ import annotations

from collections import Counter

from holdfast.crypto import key_pair
from holdfast.dht.commands import ANNOUNCE, DELAYED_PING, DOWN_HINT, PING
from holdfast.dht.ids import pack
from holdfast.dht.packet import REQUEST, Frame, decode_request
from holdfast.dht.upkeep import MOST_CHECKS, MOST_DELAYED, TICK
from tests.dht.simnet import Addr, SimNet, topic

HOUR = 3600.0
STRANGER = ("203.0.113.1", 4000)


def test_an_idle_hour_costs_little_and_announces_nothing() -> None:
    net = SimNet(1)
    hosts = net.grow(60)
    user = net.host([hosts[0].addr], stays=False, firewalled=True)
    net.run(60)
    commands: Counter[tuple[bool, int]] = Counter()

    def spy(source: Addr, to: Addr, data: bytes) -> None:
        if source[0] == user.name and data[0] == REQUEST:
            packet = decode_request(data)
            commands[packet.internal, packet.command] += 1

    net.spy = spy
    counters = user.node.counters
    before = counters.sent + counters.received
    net.run(HOUR)
    spent = counters.sent + counters.received - before
    packets = sum(commands.values())
    print(f"an idle hour: {packets} requests, {spent} bytes both ways")
    assert all(internal for internal, _ in commands), "nothing but upkeep"
    assert counters.announces == 0
    assert spent < 300_000
    assert packets < 1500


def test_announces_are_counted() -> None:
    net = SimNet(2)
    hosts = net.grow(6)
    hosts[1].announce(topic(1), key_pair(bytes(32)))
    assert hosts[1].node.counters.announces == 5
    asked = hosts[1].node.frame(ANNOUNCE, target=topic(1))
    assert len(asked) >= 65


def test_the_dead_are_forgotten_and_the_living_kept() -> None:
    net = SimNet(3)
    hosts = net.grow(30)
    for host in hosts[20:]:
        host.alive = False
    net.run(HOUR)
    living = {pack(host.addr) for host in hosts[:20]}
    for host in hosts[:20]:
        held = {contact.packed for contact in host.node.table}
        assert held <= living
        assert len(held) >= 15


def test_a_full_row_gives_a_dead_ones_place_to_the_new() -> None:
    net = SimNet(4)
    hosts = net.grow(80)
    node = hosts[0].node
    net.run(120)
    full = max((node.table.row_of(c.key) for c in node.table), key=len)
    assert len(full) == 20
    outside = [h for h in hosts[1:] if node.table.get(pack(h.addr)) is None]
    dead = next(h for h in hosts if pack(h.addr) == full[0].packed)
    dead.alive = False
    full[0].pinged = full[0].seen = net.now - 600
    newcomer = next(h for h in outside if node.table.row_of(_key(h.addr)) is full)
    node.now = net.now
    node.upkeep.add(pack(newcomer.addr), None)
    hosts[0].flush()
    net.run(10)
    assert node.table.get(pack(dead.addr)) is None
    assert node.table.get(pack(newcomer.addr)) is not None


def _key(addr: Addr) -> int:
    from holdfast.dht.ids import node_key

    return node_key(pack(addr))


def test_a_hint_is_followed_but_not_believed() -> None:
    """Words that a living node is down remove nobody, and do not make us ping without end."""
    net = SimNet(5)
    hosts = net.grow(30)
    node = hosts[0].node
    pings: list[Addr] = []

    def spy(source: Addr, to: Addr, data: bytes) -> None:
        if source[0] == hosts[0].name and data[0] == REQUEST:
            pings.append(to)

    net.spy = spy
    for number in range(1000):
        about = pack(hosts[1 + number % 29].addr)
        hint = Frame(DOWN_HINT, internal=True, value=about)
        node.receive(hint.encode(bytes(2), bytes(6)), STRANGER, net.now)
    hosts[0].flush()
    assert len(pings) <= MOST_CHECKS
    net.run(5)
    assert all(node.table.get(pack(host.addr)) is not None for host in hosts[1:11])


def test_a_true_hint_removes_the_dead() -> None:
    net = SimNet(6)
    hosts = net.grow(10)
    hosts[5].alive = False
    hint = Frame(DOWN_HINT, internal=True, value=pack(hosts[5].addr))
    net.run(2 * TICK)
    hosts[0].node.receive(hint.encode(bytes(2), bytes(6)), STRANGER, net.now)
    hosts[0].flush()
    net.run(10)
    assert hosts[0].node.table.get(pack(hosts[5].addr)) is None


def test_delayed_pings_are_answered_in_time_and_bounded() -> None:
    net = SimNet(7)
    host = net.host()

    def ask(milliseconds: int) -> None:
        value = milliseconds.to_bytes(4, "little")
        frame = Frame(DELAYED_PING, internal=True, value=value, least=20)
        host.node.receive(frame.encode(bytes(2), bytes(6)), STRANGER, net.now)

    host.node.answers.guard.prove(STRANGER[0], net.now)
    answers: list[float] = []
    net.spy = lambda source, to, data: answers.append(net.now)
    began = net.now
    for milliseconds in (2000, 500, 60_000):
        ask(milliseconds)
    host.flush()
    net.run(20)
    assert [round(when - began, 3) for when in answers] == [0.5, 2.0]
    for _ in range(MOST_DELAYED + 100):
        ask(1000)
    host.flush()
    net.run(20)
    assert len(answers) == 2 + MOST_DELAYED


def test_pings_are_answered_under_our_id() -> None:
    net = SimNet(8)
    host = net.host()
    frame = Frame(PING, internal=True, least=14)
    host.node.receive(frame.encode(bytes(2), pack(host.addr)), STRANGER, net.now)
    (answer,) = host.node.to_send(net.now)
    assert answer.data[10:42] == host.node.table.id
    assert len(answer.data) == 42
