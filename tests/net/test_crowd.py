from __future__ import annotations

import os
from random import Random

import pytest

from holdfast.net.address import Address
from holdfast.net.swarm.candidate import LAN, Candidate
from holdfast.net.swarm.crowd import Crowd
from holdfast.net.swarm.known import SwarmLimits
from tests.net.crowd_world import TOPIC, World

OWN = b"o" * 32
SEEDS = int(os.environ.get("HOLDFAST_CROWD_SEEDS", "1"))
TURNS = 200 if SEEDS > 1 else 60
"""With 200 turns nobody is left of those who began."""


def number(value: int) -> bytes:
    return value.to_bytes(32, "big")


def crowd(limits: SwarmLimits | None = None) -> Crowd:
    made = Crowd(OWN, limits, random=Random(1).random)
    made.join(TOPIC)
    return made


def test_who_is_found_is_dialled_once_at_a_time() -> None:
    some = crowd()
    assert some.found(Candidate(number(1)), TOPIC, 0.0)
    assert not some.found(Candidate(number(1)), TOPIC, 0.0)
    assert some.found(Candidate(number(1), (Address("10.0.0.1", 1),), (), LAN), TOPIC, 0.0)
    (peer,) = some.to_dial(0.0)
    some.began(peer.key)
    assert some.to_dial(0.0) == []
    some.opened(peer.key, 1.0)
    assert some.to_dial(1.0) == [] and some.connected(TOPIC) == 1
    some.closed(peer.key, 100.0)
    due = some.deadline(100.0)
    assert due is not None and 1.0 <= due - 100.0 <= 1.25
    assert some.to_dial(due) == [peer]


def test_neither_we_nor_what_nobody_asked_for_is_dialled() -> None:
    some = crowd()
    assert not some.found(Candidate(OWN), TOPIC, 0.0)
    assert not some.found(Candidate(number(1)), b"x" * 32, 0.0)
    assert some.to_dial(0.0) == [] and some.known == {}


def test_a_peer_that_never_answers_is_given_up_until_there_is_a_sign_of_life() -> None:
    some = crowd()
    some.found(Candidate(number(1)), TOPIC, 0.0)
    now, dials = 0.0, 0
    while (due := some.deadline(now)) is not None or some.to_dial(now):
        now = max(now, due or now)
        for peer in some.to_dial(now):
            some.began(peer.key)
            dials += 1
            some.failed(peer.key, now)
    assert dials == 4
    some.found(Candidate(number(1)), TOPIC, now + 1)
    assert [peer.key for peer in some.to_dial(now + 1)] == [number(1)]


def test_who_is_asked_for_is_never_given_up() -> None:
    some = crowd(SwarmLimits(max_peers=0))
    some.ask_for(number(1), True)
    now = 0.0
    for _ in range(8):
        (peer,) = some.to_dial(now)
        some.began(peer.key)
        some.failed(peer.key, now)
        due = some.deadline(now)
        assert due is not None and due - now <= 750
        now = due
    some.ask_for(number(1), False)
    assert some.known == {}


def test_only_so_many_dials_at_once_and_connections_in_all() -> None:
    some = crowd(SwarmLimits(parallel=3, max_peers=5, max_connections=20))
    for each in range(20):
        some.found(Candidate(number(each)), TOPIC, 0.0)
    opened = 0
    while due := some.to_dial(0.0):
        assert len(due) <= 3
        for peer in due:
            some.began(peer.key)
        for peer in due:
            some.opened(peer.key, 0.0)
            opened += 1
    assert 5 <= opened <= 7  # the neighbours on the ring count beyond it


def test_a_full_house_takes_a_neighbour_and_lets_somebody_else_go() -> None:
    limits = SwarmLimits(max_peers=4, max_connections=4)
    some = crowd(limits)
    for each in range(4):
        some.opened(number(each), 0.0)
        some.found(Candidate(number(each)), TOPIC, 0.0)
    assert some.to_drop() == []
    taken = [key for key in map(number, range(10, 200)) if some.may_take(key, 0.0)]
    assert 0 < len(taken) < 190
    some.opened(taken[0], 0.0)
    (gone,) = some.to_drop()
    assert gone in map(number, range(4))


def test_a_banned_peer_is_neither_dialled_nor_taken() -> None:
    some = crowd()
    some.found(Candidate(number(1)), TOPIC, 0.0)
    some.ban(number(1), 0.0, 10.0)
    assert some.to_dial(5.0) == [] and not some.may_take(number(1), 5.0)
    assert [peer.key for peer in some.to_dial(10.0)] == [number(1)]


def test_a_flood_of_invented_peers_is_bounded_and_spares_the_proven() -> None:
    limits = SwarmLimits(max_known=300, max_known_per_topic=200)
    some = crowd(limits)
    some.found(Candidate(number(0)), TOPIC, 0.0)
    some.began(number(0))
    some.opened(number(0), 0.0)
    some.closed(number(0), 60.0)
    for each in range(1, 2000):
        some.found(Candidate(number(each)), TOPIC, 60.0)
    assert len(some.peers_of(TOPIC)) <= 200
    assert number(0) in some.known
    other = b"u" * 32
    some.join(other)
    for each in range(5000, 7000):
        some.found(Candidate(number(each)), other, 60.0)
    assert len(some.known) <= 300


def test_leaving_a_topic_forgets_its_peers() -> None:
    some = crowd()
    some.found(Candidate(number(1)), TOPIC, 0.0)
    some.found(Candidate(number(2)), TOPIC, 0.0)
    some.opened(number(2), 0.0)
    some.leave(TOPIC)
    assert list(some.known) == [number(2)]
    some.closed(number(2), 1.0)
    assert some.known == {}


@pytest.mark.parametrize("seed", range(SEEDS))
def test_fifty_with_five_connections_each_hang_together(seed: int) -> None:
    world = World(seed, SwarmLimits(max_peers=5, max_connections=5))
    for _ in range(50):
        world.come()
    world.run(30.0)
    degrees = [len(node.links) for node in world.nodes.values()]
    assert world.groups() == 1
    assert max(degrees) <= 5 and sum(degrees) / 50 <= 5
    assert sum(degrees) / 50 >= 3


@pytest.mark.parametrize("seed", range(SEEDS))
def test_two_hundred_who_come_and_go_still_hang_together(seed: int) -> None:
    """Every third second one leaves and another comes."""
    world = World(seed, SwarmLimits(max_peers=6, max_connections=6))
    for _ in range(200):
        world.come()
    world.run(60.0)
    for _ in range(TURNS):
        world.leave()
        world.come()
        world.run(3.0)
        assert max(len(node.links) for node in world.nodes.values()) <= 7  # one in the moment
    world.run(180.0)
    assert world.groups() == 1
    assert max(len(node.links) for node in world.nodes.values()) <= 6
    assert max(len(node.crowd.known) for node in world.nodes.values()) <= 500
