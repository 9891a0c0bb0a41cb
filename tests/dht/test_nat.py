"""What several nodes see of us, and what follows from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.dht.nat import WINDOW, Address, AddressSampler, Firewall, NatSamples, as_firewall

A, B, C, D = (("203.0.114.7", port) for port in (4001, 4002, 4003, 4004))
ELSEWHERE = ("203.0.114.8", 4001)


def node(number: int) -> Address:
    return f"10.0.0.{number}", 49737


def judged(*seen: Address, firewalled: bool = True) -> NatSamples:
    samples = NatSamples(firewalled=firewalled)
    for number, address in enumerate(seen):
        samples.add(address, node(number))
    return samples


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        ((), Firewall.UNKNOWN),
        ((A, A), Firewall.UNKNOWN),
        ((A, A, A), Firewall.CONSISTENT),
        ((A, B, A, A), Firewall.CONSISTENT),
        ((A, B, C), Firewall.RANDOM),
        ((A, A, B), Firewall.UNKNOWN),
        ((A, A, B, C), Firewall.RANDOM),
        ((A, A, ELSEWHERE, ELSEWHERE), Firewall.CONSISTENT),
        ((A, A, ELSEWHERE, B), Firewall.UNKNOWN),
        ((A, A, ELSEWHERE, B, C), Firewall.RANDOM),
    ],
)
def test_classes(seen: tuple[Address, ...], verdict: Firewall) -> None:
    assert judged(*seen).firewall == verdict


def test_an_open_node_needs_no_samples() -> None:
    assert judged(firewalled=False).firewall == Firewall.OPEN
    assert judged(A, firewalled=False).addresses == [A]


def test_addresses_by_class() -> None:
    assert judged(A, A).addresses is None
    assert judged(A, B, A, A).addresses == [A, B]
    assert judged(A, B, C, D).addresses == [(A[0], 0)]


def test_one_node_has_one_word() -> None:
    samples = NatSamples()
    for address in (A, B, C, D):
        samples.add(address, node(1))
    assert samples.firewall == Firewall.UNKNOWN


def test_a_frozen_verdict_stays() -> None:
    samples = judged(A, A, A)
    samples.freeze()
    for number in range(10, 20):
        samples.add(B, node(number))
    assert samples.firewall == Firewall.CONSISTENT
    assert samples.addresses == [A]


def test_settled_once_more_would_tell_nothing() -> None:
    assert not judged(A, A).settled
    assert judged(A, A, A).settled
    assert judged(A, A, B, C).settled
    lonely = judged(A)
    lonely.give_up()
    assert lonely.settled


def test_a_class_of_the_future_counts_as_the_worst() -> None:
    assert as_firewall(2) == Firewall.CONSISTENT
    assert as_firewall(77) == Firewall.RANDOM


def test_our_address_is_what_nearly_all_say() -> None:
    sampler = AddressSampler()
    assert (sampler.host, sampler.port) == (None, 0)
    assert sampler.add(A, node(0))
    assert (sampler.host, sampler.port) == A
    for number in range(1, 8):
        sampler.add(A, node(number))
    assert not sampler.add(ELSEWHERE, node(9))
    assert (sampler.host, sampler.port) == A


def test_a_new_port_for_everybody_leaves_the_host_only() -> None:
    sampler = AddressSampler()
    for number, address in enumerate((A, B, C, D)):
        sampler.add(address, node(number))
    assert (sampler.host, sampler.port) == (A[0], 0)


def test_one_node_cannot_outvote_the_others() -> None:
    sampler = AddressSampler()
    for number in range(6):
        sampler.add(A, node(number))
    for _ in range(100):
        sampler.add(ELSEWHERE, node(66))
    assert (sampler.host, sampler.port) == A


def test_an_address_change_is_noticed() -> None:
    sampler = AddressSampler()
    for number in range(WINDOW):
        sampler.add(A, node(number))
    for number in range(WINDOW):
        sampler.add(ELSEWHERE, node(number))
    assert (sampler.host, sampler.port) == ELSEWHERE


_seen = st.sampled_from([A, B, C, D, ELSEWHERE])


@given(st.lists(st.tuples(_seen, st.integers(0, 60)), max_size=80))
def test_bounded_and_never_wrong_about_what_it_has(votes: list[tuple[Address, int]]) -> None:
    sampler, samples = AddressSampler(), NatSamples()
    for seen, source in votes:
        sampler.add(seen, node(source))
        samples.add(seen, node(source))
    assert len(sampler) <= WINDOW
    heard = {seen for seen, _ in votes}
    assert sampler.host is None or sampler.host in {host for host, _ in heard}
    assert set(samples.addresses or []) <= heard | {(host, 0) for host, _ in heard}
