"""Hundreds of nodes in virtual time: walks find the nearest, whatever happens to the network."""

from __future__ import annotations

import os
from statistics import mean

import pytest

from holdfast.crypto import key_pair
from holdfast.dht.ids import key_of, node_id, pack
from holdfast.dht.query import MOST_VISITS, Query
from holdfast.dht.table import K
from tests.dht.simnet import Host, SimNet, topic

NODES = int(os.environ.get("HOLDFAST_DHT_NODES", "150"))
"""Nodes in the large network: 500 by hand (20 s), fewer in every run."""
OWNER = key_pair(b"\x01" * 32)


@pytest.fixture(scope="module")
def net() -> SimNet:
    net = SimNet(1)
    net.grow(NODES)
    return net


def _nearest(net: SimNet, target: bytes, *but: Host) -> list[bytes]:
    key = key_of(target)
    ids = [
        node_id(pack(host.addr)) for host in net.hosts.values() if host.alive and host not in but
    ]
    return sorted(ids, key=lambda id32: key_of(id32) ^ key)[:K]


def _found(query: Query) -> list[bytes]:
    return [reply.from_id for reply in query.closest if reply.from_id is not None]


def test_walks_end_at_the_nearest_in_a_few_hops(net: SimNet) -> None:
    hops, visits = [], []
    for number in range(60):
        asker = net.random.choice(list(net.hosts.values()))
        query = asker.find_node(topic(number))
        assert _found(query) == _nearest(net, topic(number), asker)
        hops.append(query.hops)
        visits.append(query.replies)
    print(f"{NODES} nodes: {mean(hops):.1f} hops (most {max(hops)}), {mean(visits):.0f} asked")
    assert mean(hops) < 5 and max(hops) <= 8
    assert mean(visits) < 3 * K


def test_what_one_announces_any_other_finds(net: SimNet) -> None:
    everybody = list(net.hosts.values())
    for number in range(10):
        teller, asker = net.random.sample(everybody, 2)
        owner = key_pair(bytes([number]) * 32)
        query = teller.announce(topic(number), owner)
        assert len(query.committed) == K
        assert asker.keys_under(topic(number)) == {owner.public_key}
        teller.unannounce(topic(number), owner)
        assert asker.keys_under(topic(number)) == set()


def test_users_behind_firewalls_find_each_other(net: SimNet) -> None:
    first = next(iter(net.hosts.values()))
    teller, asker = (net.host([first.addr], stays=False, firewalled=True) for _ in range(2))
    assert teller.node.reach.firewalled and teller.node.reach.ephemeral
    assert len(teller.announce(topic(1), OWNER).committed) == K
    assert asker.keys_under(topic(1)) == {OWNER.public_key}
    teller.alive = asker.alive = False


@pytest.mark.parametrize("loss", [0.05, 0.2])
def test_with_lost_packets(loss: float) -> None:
    net = SimNet(2)
    hosts = net.grow(60)
    net.loss = loss
    good = []
    for number in range(20):
        teller, asker = net.random.sample(hosts, 2)
        began = net.now
        teller.announce(topic(number), OWNER)
        assert asker.keys_under(topic(number)) == {OWNER.public_key}
        assert net.now - began < 15
        nearest = set(_nearest(net, topic(number), asker))
        good.append(len(nearest & set(_found(asker.find_node(topic(number))))))
    assert mean(good) > 0.8 * K


def test_with_a_third_of_the_nodes_gone() -> None:
    """Walks go round the dead at once, and their neighbours forget them."""
    net = SimNet(3)
    hosts = net.grow(90)
    for number, host in enumerate(hosts):
        host.alive = number % 3 != 1
    alive = [host for host in hosts if host.alive]
    dead = {pack(host.addr) for host in hosts if not host.alive}
    times = []
    for number in range(20):
        asker = net.random.choice(alive)
        began = net.now
        found = _found(asker.find_node(topic(number)))
        times.append(net.now - began)
        assert len(set(found) & set(_nearest(net, topic(number), asker))) > 0.6 * K
    assert max(times) < 4.0
    net.run(1800)
    for host in alive:
        held = {contact.packed for contact in host.node.table}
        assert len(held & dead) < 0.1 * len(held)
    asker = alive[0]
    assert _found(asker.find_node(topic(99))) == _nearest(net, topic(99), asker)


def test_a_partition_heals() -> None:
    net = SimNet(4)
    hosts = net.grow(40)
    half = {host.name for host in hosts[::2]}
    net.cut = lambda one, other: (one in half) != (other in half)
    hosts[2].announce(topic(1), OWNER)
    assert hosts[4].keys_under(topic(1)) == {OWNER.public_key}
    assert hosts[5].keys_under(topic(1)) == set()
    net.run(60)
    net.cut = lambda one, other: False
    net.run(600)
    hosts[2].announce(topic(1), OWNER)
    assert hosts[5].keys_under(topic(1)) == {OWNER.public_key}


def test_a_lonely_bootstrap_node_keeps_what_it_announces_itself() -> None:
    """A community with one node that stays, and nobody else to store with."""
    net = SimNet(5)
    first = net.host()
    first.announce(topic(1), OWNER)
    user = net.host([first.addr], stays=False, firewalled=True)
    assert user.keys_under(topic(1)) == {OWNER.public_key}
    other = key_pair(b"\x02" * 32)
    user.announce(topic(1), other)
    assert first.keys_under(topic(1)) == {OWNER.public_key, other.public_key}


def test_liars_cannot_make_a_walk_endless() -> None:
    """Nodes that name ever nearer nodes that do not exist cost a bounded number of packets."""
    net = SimNet(6)
    hosts = net.grow(20)
    asker = net.host([hosts[0].addr], stays=False)
    net.run(10)

    def lie(target: bytes) -> bytes:
        return b"".join(b"\x0b" + net.random_bytes(3) + b"\x49\xc2" for _ in range(20))

    for host in hosts:
        host.node.table.closest_packed = lie  # type: ignore[method-assign]
    sent = asker.node.counters.packets_sent
    began = net.now
    asker.find_node(topic(1))
    assert asker.node.counters.packets_sent - sent < 5 * MOST_VISITS
    assert net.now - began < 120


@pytest.mark.parametrize("seed", range(int(os.environ.get("HOLDFAST_DHT_SEEDS", "8"))))
def test_any_small_network_under_stress(seed: int) -> None:
    """Sizes, losses and deaths by chance: what is announced is found."""
    net = SimNet(seed)
    hosts = net.grow(net.random.randrange(2, 30))
    net.loss = net.random.choice([0.0, 0.02, 0.1])
    user = net.host([hosts[0].addr], stays=False, firewalled=net.random.random() < 0.5)
    user.announce(topic(seed), OWNER)
    for host in net.random.sample(hosts[1:], len(hosts) // 4):
        host.alive = False
    asker = net.host([hosts[0].addr], stays=False, firewalled=net.random.random() < 0.5)
    assert asker.keys_under(topic(seed)) == {OWNER.public_key}
