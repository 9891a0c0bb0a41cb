from __future__ import annotations

import socket

import pytest

from holdfast.errors import RemoteError
from holdfast.net import Address
from holdfast.net.checks.binding import check_bind
from holdfast.net.checks.clock import FAR_OFF, Told, ask_clock, check_clock, serve_clock
from holdfast.net.checks.finding import Severity
from holdfast.net.checks.lan import Interface, check_lan, interfaces
from tests.net.loopback import pair


async def test_free_ports_can_be_bound() -> None:
    tcp, udp = await check_bind(Address("127.0.0.1", 0))
    assert (tcp.code, udp.code) == ("bind-tcp", "bind-udp")
    assert tcp.severity is udp.severity is Severity.OK
    assert tcp.facts["port"] and udp.facts["port"]


async def test_a_taken_port_is_an_error_with_a_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", port))
            for finding in await check_bind(Address("127.0.0.1", port)):
                assert finding.severity is Severity.ERROR and finding.remedy
                assert "in use" in finding.sentence


async def test_a_machine_on_no_network() -> None:
    (finding,) = await check_lan([])
    assert finding.severity is Severity.NOTE and "no network" in finding.sentence


async def test_a_network_that_is_not_there_has_no_multicast() -> None:
    (finding,) = await check_lan([Interface("none", "192.0.2.77")])
    assert finding.severity is Severity.WARNING and finding.remedy
    assert finding.facts["multicast"] == []


async def test_the_networks_of_this_machine_are_said() -> None:
    (finding,) = await check_lan()
    assert finding.facts["networks"] == [each.host for each in interfaces()]


async def test_others_tell_the_time() -> None:
    async with pair() as (near, far):
        serve_clock(far, lambda: 2_000_000_100.0)
        told = await ask_clock(near, lambda: 2_000_000_000.0)
        assert 100 <= told.offset <= 100 + 5 and 0 < told.doubt < 5
        again = await ask_clock(near, lambda: 2_000_000_200.0)
        assert -100 <= again.offset < -95


async def test_who_does_not_tell_the_time() -> None:
    async with pair() as (near, far):
        with pytest.raises(RemoteError, match="does not tell"):
            await ask_clock(near)
        far.mux.on_request("holdfast/clock", lambda id, handshake: True)
        with pytest.raises(RemoteError, match="in time"):
            await ask_clock(near, timeout=0.02)


NOW = 1_900_000_000.0


@pytest.mark.parametrize(
    ("offsets", "severity", "words"),
    [
        ([], Severity.NOTE, "nobody else"),
        ([0.2], Severity.OK, "agrees with that of 1 other node"),
        ([-30.0, 0.1, 50_000.0], Severity.OK, "3 other nodes"),
        ([90.0], Severity.WARNING, "90 s behind"),
        ([-90.0], Severity.WARNING, "90 s ahead"),
        ([2 * FAR_OFF], Severity.ERROR, "7,200 s behind"),
    ],
)
def test_a_clock_is_compared(offsets: list[float], severity: Severity, words: str) -> None:
    told = [Told(offset, 0.01) for offset in offsets]
    finding = check_clock(NOW, told, NOW - 10, "the store was last changed")
    assert finding.severity is severity and words in finding.sentence
    assert bool(finding.remedy) == (severity is not Severity.OK)


def test_a_clock_before_what_has_happened_is_wrong() -> None:
    finding = check_clock(NOW, [Told(0.0, 0.01)], NOW + 5, "the store was last changed")
    assert finding.severity is Severity.ERROR and "last changed" in finding.sentence
