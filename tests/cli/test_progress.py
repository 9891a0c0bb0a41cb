from __future__ import annotations

import json

import pytest

from holdfast.cli.progress import Progress, Rate
from holdfast.cli.ui import UI


class Clock:
    """Time that passes when told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_rate_is_of_the_last_seconds_only() -> None:
    rate = Rate(window=5)
    assert rate.update(0, 0.0) == 0
    assert rate.update(100, 1.0) == 100
    for second in range(2, 12):
        rate.update(100, float(second))
    assert rate.update(100, 12.0) == 0


def test_events_come_at_most_twice_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with Progress(UI(json=True), "fetching", 1000, clock=clock) as progress:
        for done in range(1000):
            clock.now = done / 100
            progress.update(done)
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert 15 <= len(events) <= 20
    last = events[-1]
    assert last["event"] == "progress" and last["what"] == "fetching" and last["total"] == 1000
    assert last["rate"] == pytest.approx(100, rel=0.1)
    assert last["eta"] == pytest.approx((1000 - last["bytes"]) / 100, rel=0.2)


def test_without_a_terminal_and_json_it_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with Progress(UI(), "fetching", 10, clock=clock) as progress:
        clock.now = 10
        progress.update(5)
    assert capsys.readouterr() == ("", "")


def test_a_total_that_grows_is_followed() -> None:
    progress = Progress(UI(), "fetching", 10)
    progress.update(5, 20)
    assert progress.total == 20
    progress.update(30)
    assert progress.total == 30


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UI, "terminal", True)
    clock = Clock()
    with Progress(UI(), "fetching", 10, clock=clock) as progress:
        clock.now = 1
        progress.update(5)
        assert progress._bar.tasks[0].completed == 5
    assert progress._bar is None
