"""What is said on the local network, and what is believed of what others say."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.net.address import Address
from holdfast.net.near.lan_records import (
    MAX_HOSTS,
    MAX_SERVICES,
    SERVICE,
    TAGS_PER_SERVICE,
    neighbour,
    services,
)

KEY = b"k" * 32
HOME = [ipaddress.IPv4Interface("10.0.0.7/24"), ipaddress.IPv4Interface("192.168.1.9/16")]
EVERYWHERE = [Address("127.0.0.1", 5), Address("0.0.0.0", 4000)]


def topics(count: int) -> list[bytes]:
    return [number.to_bytes(32, "big") for number in range(count)]


def test_what_one_says_the_other_understands() -> None:
    (service,) = services(KEY, topics(3), EVERYWHERE, HOME).values()
    assert (service.port, service.hosts) == (4000, ("10.0.0.7", "192.168.1.9"))
    heard = neighbour(service.properties, service.hosts, service.port, HOME)
    assert heard is not None and heard.public_key == KEY
    assert heard.addresses == (Address("10.0.0.7", 4000), Address("192.168.1.9", 4000))
    assert [heard.has(topic) for topic in topics(4)] == [True, True, True, False]


@pytest.mark.parametrize("count", [1, TAGS_PER_SERVICE, TAGS_PER_SERVICE + 1, 5000])
def test_many_topics_take_some_services_of_one_packet_each(count: int) -> None:
    found = services(KEY, topics(count), EVERYWHERE, HOME)
    assert len(found) == min(-(-count // TAGS_PER_SERVICE), MAX_SERVICES)
    heard = [neighbour(each.properties, each.hosts, each.port, HOME) for each in found.values()]
    known = [topic for topic in topics(count) if any(each.has(topic) for each in heard if each)]
    assert len(known) == min(count, MAX_SERVICES * TAGS_PER_SERVICE)
    for name, each in found.items():
        assert name.endswith(SERVICE) and each.server.endswith(".local.")
        strings = [len(key) + 1 + len(value) for key, value in each.properties.items()]
        assert max(strings) <= 255 and sum(strings) < 1100
    assert found.keys() == services(KEY, topics(count), EVERYWHERE, HOME[:1]).keys()


def test_nothing_is_said_without_topics_or_without_a_way_in() -> None:
    assert services(KEY, [], EVERYWHERE, HOME) == {}
    assert services(KEY, topics(1), [], HOME) == {}
    assert services(KEY, topics(1), [Address("127.0.0.1", 5), Address("::1", 6)], HOME) == {}
    (one,) = services(KEY, topics(1), [Address("192.168.1.9", 7)], HOME).values()
    assert (one.hosts, one.port) == (("192.168.1.9",), 7)


GOOD = {b"v": b"1", b"k": KEY, b"t0": b"x" * 12}


@pytest.mark.parametrize(
    "host",
    ["203.0.113.5", "127.0.0.1", "10.0.0.255", "10.0.1.1", "fe80::1", "0.0.0.0", "224.0.0.1", "x"],
)
def test_addresses_far_away_or_our_own_do_not_count(host: str) -> None:
    assert neighbour(GOOD, [host], 4000, HOME) is None
    heard = neighbour(GOOD, [host, "10.0.0.8"], 4000, HOME)
    assert heard is not None and heard.addresses == (Address("10.0.0.8", 4000),)


def test_what_is_not_ours_or_makes_no_sense_is_left_out() -> None:
    near = ["10.0.0.8"]
    for wrong in ({b"v": b"2"}, {b"v": None}, {b"k": b"short"}, {b"k": None}):
        assert neighbour({**GOOD, **wrong}, near, 4000, HOME) is None
    for port in (0, None, 65536):
        assert neighbour(GOOD, near, port, HOME) is None
    many = neighbour(GOOD, [f"10.0.0.{last}" for last in range(1, 200)], 1, HOME)
    assert many is not None and len(many.addresses) == MAX_HOSTS


NAMES = st.sampled_from([b"v", b"k", b"t0", b"t1", b"t3", b"t9"])


@given(
    st.dictionaries(NAMES, st.none() | st.binary(max_size=300)),
    st.lists(st.text(max_size=12) | st.sampled_from(["10.0.0.8", "::1"]), max_size=9),
    st.none() | st.integers(-1, 70000),
)
def test_anything_may_be_said(
    properties: dict[bytes, bytes | None], hosts: list[str], port: int | None
) -> None:
    heard = neighbour(GOOD | properties, hosts, port, HOME)
    if heard is not None:
        assert len(heard.public_key) == 32 and 0 < len(heard.addresses) <= MAX_HOSTS
        assert len(heard.tags) <= TAGS_PER_SERVICE
