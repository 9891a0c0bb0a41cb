"""The laboratory is what it says: NATs of each kind, bad links, and nothing left behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.nat.probes import classify, reaches
from tests.support.netlab import TIERS, Host, Lab, Tier
from tests.support.netlab_space import FOLDER, PREFIX, remove_leftovers, require_tools

_MTU_DISCOVER = 10  # linux/in.h
_MAY_SPLIT, _NEVER_SPLIT = 0, 2


@pytest.mark.parametrize("tier", TIERS)
def test_a_site_is_of_its_tier(lab: Lab, tier: Tier) -> None:
    servers = [lab.host("one"), lab.host("two")]
    stranger = lab.host("stranger")
    assert classify(lab.site("home", tier), servers, stranger) is tier


@pytest.mark.parametrize(
    ("inner", "outer", "seen"),
    [
        (Tier.MODERATE, Tier.MODERATE, Tier.MODERATE),
        (Tier.MODERATE, Tier.STRICT, Tier.STRICT),
        (Tier.OPEN, Tier.OPEN, Tier.OPEN),
    ],
)
def test_two_nats_are_as_bad_as_the_worse(lab: Lab, inner: Tier, outer: Tier, seen: Tier) -> None:
    servers = [lab.host("one"), lab.host("two")]
    site = lab.site("home", inner, outer)
    assert len(site.routers) == 2
    assert classify(site, servers, lab.host("stranger")) is seen


def test_a_hole_can_be_punched_between_moderate_nats(lab: Lab) -> None:
    """Also when the first probe comes too early: it must not spoil the hole it is meant for."""
    one, two = lab.site("one", Tier.MODERATE), lab.site("two", Tier.MODERATE)
    with one.host.udp(4001) as here, two.host.udp(4002) as there:
        here.sendto(b"too early", (two.address, 4002))
        there.sendto(b"opens two", (one.address, 4001))
        assert here.recvfrom(100) == (b"opens two", (two.address, 4002))
        assert reaches(here, (two.address, 4002), there)


def test_tcp_goes_out_of_a_site_without_udp(lab: Lab) -> None:
    server, site = lab.host("server"), lab.site("office", Tier.BLOCKED)
    assert _sends_tcp(site.host, server, b"x" * 100_000) == 100_000


def test_what_crosses_the_public_segment_is_counted(lab: Lab) -> None:
    server, site = lab.host("server"), lab.site("home", Tier.MODERATE)
    with site.host.udp() as here, server.udp(4000) as there:
        here.sendto(b"x" * 72, (server.address, 4000))
        assert len(there.recvfrom(100)[0]) == 72
    assert lab.carried() == {(site.address, server.address, "udp"): 100}


def test_hosts_of_a_lan_hear_each_other_and_nobody_else(lab: Lab) -> None:
    one, two = lab.lan("boat", 2)
    outside = lab.host("outside")
    with one.udp() as here, two.udp(4000) as there:
        assert reaches(here, (two.address, 4000), there)
        with pytest.raises(OSError, match="unreachable"):
            here.sendto(b"out", (outside.address, 4000))


def test_a_bad_link_delays_loses_and_doubles(lab: Lab) -> None:
    server, far = lab.host("server"), lab.host("far", bad=True)
    assert far.bad is not None
    with far.udp() as here, server.udp(4000, patience=2) as there:
        far.bad.shape(delay=0.15)
        start = time.monotonic()
        assert reaches(here, (server.address, 4000), there)
        assert 0.15 <= time.monotonic() - start < 1
        far.bad.shape(loss=1.0)
        there.settimeout(0.2)
        assert not reaches(here, (server.address, 4000), there)
        far.bad.shape(duplicate=1.0)
        assert reaches(here, (server.address, 4000), there)
        assert there.recvfrom(100)[0] == b"are you there"


def test_a_bad_link_reorders_without_losing(lab: Lab) -> None:
    server, far = lab.host("server"), lab.host("far", bad=True)
    assert far.bad is not None
    far.bad.shape(reorder=0.2)
    with far.udp() as here, server.udp(4000, patience=2) as there:
        for number in range(200):
            here.sendto(bytes([number]), (server.address, 4000))
        arrived = [there.recvfrom(100)[0][0] for _ in range(200)]
    assert arrived != sorted(arrived)
    assert sorted(arrived) == list(range(200))


def test_large_packets_are_split_where_they_may_be(lab: Lab) -> None:
    server, far = lab.host("server"), lab.host("far", bad=True)
    assert far.bad is not None
    far.bad.shape(mtu=1280)
    with far.udp() as here, server.udp(4000) as there:
        here.setsockopt(socket.IPPROTO_IP, _MTU_DISCOVER, _NEVER_SPLIT)
        here.sendto(b"x" * 1300, (server.address, 4000))
        here.setsockopt(socket.IPPROTO_IP, _MTU_DISCOVER, _MAY_SPLIT)
        content = os.urandom(1400)
        here.sendto(content, (server.address, 4000))
        assert there.recvfrom(2000)[0] == content
    out, _ = far.bad.counts()
    assert out.too_large == 1


def test_large_packets_vanish_in_a_black_hole(lab: Lab) -> None:
    server, far = lab.host("server"), lab.host("far", bad=True)
    assert far.bad is not None
    far.bad.shape(hole=1280)
    with far.udp() as here, server.udp(4000) as there:
        here.sendto(b"x" * 1300, (server.address, 4000))
        here.sendto(b"x" * 1200, (server.address, 4000))
        assert len(there.recvfrom(2000)[0]) == 1200
    out, _ = far.bad.counts()
    assert out.too_large == 1


def test_tcp_survives_a_cut(lab: Lab) -> None:
    server, far = lab.host("server"), lab.host("far", bad=True)
    assert far.bad is not None
    far.bad.cut(0.5)
    assert _sends_tcp(far, server, b"x" * 1_000_000) == 1_000_000
    assert sum(counts.dropped for counts in far.bad.counts()) > 0


def test_a_narrow_link_lets_through_what_it_says(lab: Lab) -> None:
    server, far = lab.host("server"), lab.host("far", bad=True)
    assert far.bad is not None
    far.bad.shape(rate=1_000_000)
    start = time.monotonic()
    assert _sends_tcp(far, server, b"x" * 1_000_000) == 1_000_000
    assert time.monotonic() - start > 0.9


def test_a_host_and_a_site_get_another_address(lab: Lab) -> None:
    server, host = lab.host("server"), lab.host("host")
    site = lab.site("home", Tier.MODERATE)
    with server.udp(4000) as there:
        for what, inside in ((host, host), (site, site.host)):
            before = what.address
            with inside.udp(4001) as here:
                here.sendto(b"before", (server.address, 4000))
                assert there.recvfrom(100)[1] == (before, 4001)
                after = lab.readdress(what)
                assert after != before
                here.sendto(b"after", (server.address, 4000))
                assert there.recvfrom(100) == (b"after", (after, 4001))


def test_nothing_is_left_after_a_failure(tmp_path: Path) -> None:
    require_tools()
    before = _mine()
    with pytest.raises(RuntimeError, match="on purpose"), Lab(tmp_path) as lab:
        process = lab.site("home", Tier.OPEN, bad=True).host.popen(["sleep", "60"])
        assert len(_mine()) == len(before) + 3
        raise RuntimeError("on purpose")
    assert _mine() == before
    assert process.wait(5) < 0


def test_the_next_laboratory_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    require_tools()
    script = f"""
import os, pathlib
from tests.support.netlab import Lab
lab = Lab(pathlib.Path({str(tmp_path)!r}))
lab.__enter__()
print(lab.host("left").popen(["sleep", "60"]).pid, flush=True)
os.kill(os.getpid(), 9)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as killed:
        assert killed.stdout is not None
        pid = int(killed.stdout.readline())
    left = f"{PREFIX}{killed.pid}x1-left"
    assert (FOLDER / left).exists()
    remove_leftovers()
    assert not (FOLDER / left).exists()
    assert _gone(pid)


def _gone(pid: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True


def _mine() -> set[str]:
    return {path.name for path in FOLDER.glob(f"{PREFIX}{os.getpid()}x*")}


def _sends_tcp(sender: Host, receiver: Host, content: bytes) -> int:
    """Bytes that came out at the other end."""

    def listen() -> socket.socket:
        return socket.create_server(("0.0.0.0", 0))

    with receiver.call(listen) as server:
        server.settimeout(20)
        address = (receiver.address, server.getsockname()[1])
        with sender.call(lambda: socket.create_connection(address, 20)) as client:
            accepted, _ = server.accept()
            with accepted:
                accepted.settimeout(20)
                return _pump(client, accepted, content)


def _pump(client: socket.socket, accepted: socket.socket, content: bytes) -> int:
    arrived, sent = 0, 0
    client.setblocking(False)
    while arrived < len(content):
        try:
            sent += client.send(content[sent : sent + 65536]) if sent < len(content) else 0
        except BlockingIOError:
            pass
        accepted.settimeout(20)
        arrived += len(accepted.recv(65536))
    return arrived
