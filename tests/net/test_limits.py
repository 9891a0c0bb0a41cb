from __future__ import annotations

import pytest

from holdfast.net.limits import Gate, Limits, source_of


def test_one_source_cannot_take_every_place() -> None:
    gate = Gate(Limits(handshakes=4, handshakes_per_source=2))
    assert gate.enter("a") and gate.enter("a") and not gate.enter("a")
    assert gate.enter("b") and gate.enter("c")
    assert not gate.enter("d"), "the global limit holds too"
    assert gate.refused == 2


def test_a_finished_handshake_makes_room_but_still_counts_as_a_connection() -> None:
    gate = Gate(Limits(handshakes=1, connections=2, connections_per_source=2))
    assert gate.enter("a")
    gate.settled("a")
    assert gate.enter("a")
    gate.settled("a")
    assert not gate.enter("b")
    gate.leave("a")
    assert gate.enter("b")
    assert gate.connections == 2 and gate.handshakes == 1


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("10.0.0.9", "10.0.0.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::7", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:10.0.0.9", "10.0.0.9"),
        ("somewhere", "somewhere"),
    ],
)
def test_a_source_is_a_number_or_an_ipv6_customer(host: str, source: str) -> None:
    assert source_of(host) == source
