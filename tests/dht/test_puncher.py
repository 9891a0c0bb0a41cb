"""Hole punching between NATs of each kind, in virtual time."""

from __future__ import annotations

import pytest

from holdfast.dht.nat import Firewall, NatSamples
from holdfast.dht.puncher import (
    BIRTHDAY_SOCKETS,
    RANDOM_PROBES,
    STEADY_PROBES,
    Puncher,
    RandomBudget,
)
from tests.dht.punching import World

PEER = ("40.0.0.1", 4000)
OTHER = ("40.0.0.2", 4000)


@pytest.mark.parametrize(
    ("client", "server"), [("cone", "cone"), ("open", "cone"), ("cone", "open")]
)
def test_steady_nats_meet_within_seconds(client: str, server: str) -> None:
    for seed in range(20):
        world = World(client, server, seed=seed)
        world.run()
        assert world.met, world.client.failed
        assert world.network.now < 3.0


@pytest.mark.parametrize(("client", "server"), [("cone", "symmetric"), ("symmetric", "cone")])
def test_one_nat_that_changes_ports_is_met_by_birthday(client: str, server: str) -> None:
    met = 0
    for seed in range(12):
        world = World(client, server, seed=seed)
        world.run()
        met += world.met
        assert world.network.sent < 3 * RANDOM_PROBES
    assert met >= 11


def test_two_nats_that_change_ports_give_up_at_once() -> None:
    world = World("symmetric", "symmetric")
    world.run()
    assert not world.met
    assert world.client.failed is not None
    assert "change ports" in world.client.failed
    world.network.run(world.network.now + 15)
    assert world.server.gave_up
    assert world.network.now < 20
    assert max(world.client.ports) < 10
    assert world.client.budget.free(world.network.now)
    assert world.server.budget.free(world.network.now)


def test_without_dht_nodes_to_ask_it_is_not_known_what_to_do() -> None:
    world = World("cone", "cone", nodes=1)
    world.run()
    assert not world.met
    assert world.client.failed is not None


def test_lost_packets_cost_time_only() -> None:
    """The talk itself is repeated by the DHT; here only probes and samples are lost."""
    for seed in range(10):
        world = World("cone", "cone", seed=seed)
        world.network.run(world.network.now + 0.12)
        world.network.lost = 0.3
        world.run()
        if world.client.failed is None:
            assert world.met


def puncher(
    ours: Firewall, theirs: Firewall, *, initiator: bool = True, budget: RandomBudget | None = None
) -> Puncher:
    nat = NatSamples(firewalled=True)
    nat.firewall = ours
    made = Puncher(
        initiator,
        nat=nat,
        budget=budget or RandomBudget(),
        below=lambda n: n - 1,
        remote_firewall=theirs,
    )
    made.update_remote(firewall=theirs, punching=True, addresses=[PEER, OTHER], verified=PEER[0])
    return made


def drain(machine: Puncher, now: float = 0.0) -> list[tuple[float, int]]:
    """When something was sent and how much, until it is over."""
    sent = [(now, len(machine.to_send(now)))]
    while (due := machine.deadline()) is not None:
        machine.on_deadline(due)
        sent.append((due, len(machine.to_send(due))))
    return sent


def test_unverified_addresses_are_probed_now_and_then_only() -> None:
    machine = puncher(Firewall.CONSISTENT, Firewall.CONSISTENT)
    assert machine.punch(0.0)
    sent = [count for _, count in drain(machine)]
    assert sum(sent) == STEADY_PROBES + STEADY_PROBES // 4
    assert machine.closed


def test_random_probes_are_spread_and_end() -> None:
    budget = RandomBudget()
    machine = puncher(Firewall.CONSISTENT, Firewall.RANDOM, budget=budget)
    assert machine.punch(0.0)
    assert not budget.free(100.0)
    sent = drain(machine)
    assert sum(count for _, count in sent) == RANDOM_PROBES
    assert 34 < sent[-1][0] < 36
    assert not budget.free(sent[-1][0] + 19)
    assert budget.free(sent[-1][0] + 21)


def test_many_sockets_only_towards_a_verified_address() -> None:
    machine = puncher(Firewall.RANDOM, Firewall.CONSISTENT)
    machine.verified.clear()
    assert not machine.punch(0.0)
    machine.verified.add(PEER[0])
    assert machine.punch(0.0)
    assert machine.sockets == BIRTHDAY_SOCKETS
    assert len(machine.to_send(0.0)) == BIRTHDAY_SOCKETS - 1


def test_two_random_sides_have_no_plan() -> None:
    assert not puncher(Firewall.RANDOM, Firewall.RANDOM).punch(0.0)


def test_a_responder_answers_probes_and_an_initiator_ends_with_one() -> None:
    responder = puncher(Firewall.CONSISTENT, Firewall.CONSISTENT, initiator=False)
    responder.receive(0, PEER, 0.0)
    assert [probe.to for probe in responder.to_send(0.0)] == [PEER]
    initiator = puncher(Firewall.CONSISTENT, Firewall.CONSISTENT)
    initiator.punch(0.0)
    initiator.receive(0, OTHER, 0.5)
    assert initiator.connected == (0, OTHER)
    assert initiator.over
    assert initiator.deadline() is None
    initiator.close(1.0)
    assert not initiator.closed


def test_sockets_of_before_count_no_more() -> None:
    machine = puncher(Firewall.UNKNOWN, Firewall.CONSISTENT)
    assert machine.unstable
    for _ in range(3):
        assert machine.reopen(NatSamples())
    assert not machine.reopen(NatSamples())
    machine.receive(0, PEER, 0.0)
    assert machine.connected is None
    machine.receive(3, PEER, 0.0)
    assert machine.connected == (3, PEER)
