"""Becoming a part of the network: alone, with others, with nobody there, and behind a firewall."""

from __future__ import annotations

from holdfast.dht.commands import PING_NAT
from holdfast.dht.ids import node_id, pack
from holdfast.dht.nat import Firewall
from holdfast.dht.packet import REQUEST, decode_request
from holdfast.dht.upkeep import STABLE, TICK
from tests.dht.simnet import SERVER_PORT, Addr, SimNet, topic

NOBODY = ("10.9.9.9", SERVER_PORT)


def test_the_first_node_begins_alone() -> None:
    net = SimNet(1)
    first = net.host()
    assert first.events == ["bootstrapped"]
    assert first.node.table.id == node_id(pack(first.addr))
    assert net.carried == 0
    second = net.host([first.addr])
    net.run(1)
    assert len(second.node.table) == 1 and len(first.node.table) == 1


def test_a_wrong_bootstrap_node_is_said_to_be_silent() -> None:
    net = SimNet(2)
    host = net.host([NOBODY])
    assert host.events == ["unreachable"]
    assert not host.node.joining.joined and not host.node.joining.answered
    assert net.now < 1000 + 6


def test_a_bootstrap_node_that_comes_later_is_found() -> None:
    net = SimNet(3)
    first = net.host()
    first.alive = False
    host = net.host([first.addr], stays=False)
    assert host.events == ["unreachable"]
    net.run(300)
    carried = net.carried
    net.run(3600)
    assert net.carried - carried < 3600 / TICK, "it asks ever more rarely"
    first.alive = True
    net.run_until(lambda: "bootstrapped" in host.events, seconds=60)
    assert host.node.joining.joined


def test_who_is_reached_from_outside_knows_it_at_once() -> None:
    net = SimNet(4)
    first, *_ = net.grow(8)
    host = net.host([first.addr], stays=False)
    assert host.node.reach.address == host.addr
    assert host.node.reach.firewall == Firewall.OPEN
    assert host.node.reach.ephemeral, "but it does not stay yet"


def test_and_stays_after_twenty_quiet_minutes() -> None:
    net = SimNet(5)
    first, *_ = net.grow(8)
    host = net.host([first.addr], stays=False)
    net.run(STABLE * TICK + 60)
    assert not host.node.reach.ephemeral
    assert "persistent" in host.events
    assert host.node.table.id == node_id(pack(host.addr))
    asker = net.host([first.addr], stays=False)
    assert host.node.table.id in {
        reply.from_id for reply in asker.find_node(host.node.table.id).closest
    }


def test_who_is_firewalled_never_stays() -> None:
    net = SimNet(6)
    first, *_ = net.grow(8)
    host = net.host([first.addr], stays=False, firewalled=True)
    net.run(2 * STABLE * TICK)
    reach = host.node.reach
    assert reach.firewalled and reach.ephemeral and reach.address is None
    assert reach.firewall == Firewall.CONSISTENT
    assert reach.sampler.host == host.name


def test_a_firewall_costs_no_time_at_the_start() -> None:
    net = SimNet(7, latency=(0.02, 0.02))
    first, *_ = net.grow(25)
    for firewalled in (False, True):
        began = net.now
        net.host([first.addr], stays=False, firewalled=firewalled)
        assert net.now - began < 0.5


def test_only_few_are_asked_to_write_to_us() -> None:
    net = SimNet(8)
    first, *_ = net.grow(30)
    asked: list[Addr] = []

    def spy(source: Addr, to: Addr, data: bytes) -> None:
        if data[0] == REQUEST:
            packet = decode_request(data)
            if packet.internal and packet.command == PING_NAT:
                asked.append(to)

    net.spy = spy
    net.host([first.addr], stays=False)
    net.run(10)
    assert 1 <= len(asked) <= 8


def test_a_machine_that_has_slept_starts_again() -> None:
    net = SimNet(9)
    first, *_ = net.grow(8)
    host = net.host([first.addr], stays=False)
    net.run(STABLE * TICK + 60)
    assert not host.node.reach.ephemeral
    host.alive = False
    net.run(600)
    host.alive, host.wakes = True, float("inf")
    host.flush()
    net.run(60)
    assert "ephemeral" in host.events
    assert host.find_node(topic(1)).replies == 8


def test_a_node_that_moves_takes_its_new_place() -> None:
    """It stays, and those it talks to see it elsewhere: its id follows."""
    net = SimNet(10)
    first, *_ = net.grow(30)
    node = net.host([first.addr]).node
    moved = ("172.16.0.9", SERVER_PORT)
    for number in range(40):
        node.reach.hear(pack((f"10.0.7.{number}", 1)), pack(moved))
    assert node.table.id == node_id(pack(moved))
    assert len(node.table) >= 20
