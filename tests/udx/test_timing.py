"""Round trips, path MTU, pacing and the controller, each on its own."""

from __future__ import annotations

import pytest

from holdfast.udx.bbr import MINIMAL, Bbr
from holdfast.udx.beats import MAX_UNHEARD, Beats
from holdfast.udx.mtu import AGAIN_AFTER_HOLE, BASE, LARGE_LOST, TRIES, PathMtu
from holdfast.udx.pacer import LEAST_BURST, Pacer
from holdfast.udx.rate import Meter, Sample
from holdfast.udx.rtt import MAX_RTO, MIN_RTO, RoundTrip


def test_timeouts_follow_the_round_trip() -> None:
    rtt = RoundTrip()
    assert rtt.timeout == MIN_RTO
    for _ in range(100):
        rtt.add(0.6, 0.0)
    assert rtt.smoothed == pytest.approx(0.6) and rtt.timeout == MIN_RTO
    for _ in range(100):
        rtt.add(20.0, 0.0)
    assert rtt.timeout <= MAX_RTO


def test_a_machine_that_slept_does_not_spoil_the_round_trip() -> None:
    rtt = RoundTrip()
    for _ in range(50):
        rtt.add(0.1, 0.0)
    rtt.add(3600.0, 0.0)
    assert rtt.smoothed < 0.2


def test_the_least_round_trip_is_forgotten_after_a_while() -> None:
    rtt = RoundTrip()
    rtt.add(0.01, 0.0)
    rtt.add(0.1, 1.0)
    assert rtt.least == 0.01
    rtt.add(0.1, 400.0)
    assert rtt.least == 0.1


def search(path: int) -> PathMtu:
    """A search on a path that takes packets of at most ``path`` bytes."""
    mtu = PathMtu()
    assert mtu.next_probe(0.0) == 0  # nothing has been acked yet
    mtu.arrived(1000)
    for _ in range(100):
        probe = mtu.next_probe(0.0)
        if not probe:
            break
        mtu.sent(probe)
        assert mtu.next_probe(0.0) == 0
        if probe <= path:
            mtu.passed(probe)
        else:
            mtu.lost(probe, 0.0)
    return mtu


@pytest.mark.parametrize("path", range(1200, 1501, 7))
def test_the_search_finds_the_path(path: int) -> None:
    assert path - 20 < search(path).size <= path


def test_on_ethernet_two_probes_are_enough() -> None:
    mtu = PathMtu()
    mtu.arrived(1000)
    for probe in (1455, 1500):
        assert mtu.next_probe(0.0) == probe
        mtu.sent(probe)
        mtu.passed(probe)
    assert mtu.next_probe(1e9) == 0


def test_one_lost_probe_says_little() -> None:
    mtu = PathMtu()
    mtu.arrived(1000)
    for _ in range(TRIES - 1):
        mtu.sent(1455)
        mtu.lost(1455, 0.0)
        assert mtu.next_probe(0.0) == 1455


def test_a_probe_lost_with_others_says_even_less() -> None:
    mtu = PathMtu()
    mtu.arrived(1000)
    for _ in range(TRIES + 1):
        mtu.sent(1455)
        mtu.lost(1455, 0.0, alone=False)
    assert mtu.next_probe(0.0) == 1455


def test_a_black_hole_sends_it_back_for_a_while() -> None:
    mtu = search(1500)
    mtu.lost_large(LARGE_LOST - 1, 10.0)
    mtu.arrived(1500)
    mtu.lost_large(LARGE_LOST - 1, 10.0)
    assert mtu.size == 1500
    mtu.lost_large(1, 10.0)
    assert mtu.size == BASE and mtu.next_probe(11.0) == 0
    assert mtu.next_probe(10.0 + AGAIN_AFTER_HOLE) == 1455


def test_the_pacer_spreads_bytes() -> None:
    pacer, sent, now = Pacer(0.0), 0, 0.0
    while now < 10.0:
        if pacer.ready(100_000, 1000, now):
            pacer.take(1000)
            sent += 1000
        else:
            due = pacer.due(100_000)
            assert due > now
            now = due
    assert 1_000_000 <= sent <= 1_000_000 + (LEAST_BURST + 1) * 1000


def test_beats_ask_more_rarely_and_give_up() -> None:
    beats, now = Beats(0.0), 0.0
    assert beats.at == float("inf")
    for _ in range(MAX_UNHEARD + 1):
        assert not beats.dead
        beats.wait(now, 1.0)
        assert 0 < beats.at - now <= 10
        now = beats.at
        beats.on_deadline(now)
        assert beats.due
    assert beats.dead and now > 60
    beats.heard()
    assert not beats.dead


# -- the controller -------------------------------------------------------------------------------

MSS = 1000


def drive(rate: float, rtt: float, seconds: float, *, loss: float = 0.0) -> Bbr:
    """A controller on an ideal path, one ack per packet, as a fluid."""
    bbr, meter = Bbr(MSS, 0.0), Meter(0.0)
    now, flying, served = 0.0, list[tuple[float, object]](), 0.0
    step, credit = 0.001, 0.0
    while now < seconds:
        now += step
        acked, newest = 0, None
        while flying and flying[0][0] <= now:
            acked += MSS
            newest = flying.pop(0)[1]
        if acked:
            sample = meter.sample(newest, acked, int(acked * loss), rtt, now)  # type: ignore[arg-type]
            bbr.on_ack(sample, meter.delivered, len(flying) * MSS, now)
        credit = min(credit + bbr.pacing_rate * step, bbr.pacing_rate * 0.01)
        while len(flying) * MSS + MSS <= bbr.cwnd and credit > 0:
            moment = meter.moment(now, len(flying) * MSS)
            served = max(served, now) + MSS / rate
            flying.append((served + rtt, moment))
            credit -= MSS
    return bbr


@pytest.mark.parametrize(("rate", "rtt"), [(1e6, 0.05), (1e5, 0.6), (1e7, 0.02)])
def test_the_model_finds_rate_and_round_trip(rate: float, rtt: float) -> None:
    bbr = drive(rate, rtt, 15 * rtt + 3)
    assert bbr.state in ("probe_bw", "probe_rtt")
    assert 0.8 * rate < bbr.rate < 1.3 * rate
    assert bbr.min_rtt == pytest.approx(rtt)
    assert bbr.cwnd <= 2.6 * rate * max(rtt, 0.002) + 4 * MSS


def test_loss_of_a_radio_link_is_no_congestion_but_more_ends_the_start_up() -> None:
    assert drive(1e6, 0.05, 0.2, loss=0.2).state == "startup"
    assert drive(1e6, 0.05, 0.2, loss=0.8).state != "startup"
    assert drive(1e6, 0.05, 3, loss=0.2).rate > 0.8e6


def test_a_short_path_that_loses_gets_less_at_once() -> None:
    """The buffer of the receiver's socket overflows: what is beyond the path's own content."""
    fine, bad = drive(1e7, 0.0002, 1), drive(1e7, 0.0002, 1, loss=0.1)
    assert bad.cwnd < 0.7 * fine.cwnd
    assert drive(1e6, 0.05, 3, loss=0.1).cwnd > 0.9 * drive(1e6, 0.05, 3).cwnd


def test_a_timeout_leaves_little_and_acks_bring_it_back() -> None:
    bbr = drive(1e6, 0.05, 3)
    usual = bbr.cwnd
    bbr.on_timeout(0)
    assert bbr.cwnd == MINIMAL * MSS
    bbr.on_ack(Sample(MSS, 0, 0.05, 0.0, 0, True), 10**9, 0, 3.1)
    assert bbr.cwnd >= 0.9 * usual
