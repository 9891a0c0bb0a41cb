"""The allocator's thresholds: set where glibc is, harmless elsewhere."""

from __future__ import annotations

import sys

import pytest

from holdfast.net import malloc


def test_glibc_listens() -> None:
    assert malloc.keep_freed_memory() == sys.platform.startswith("linux")


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not malloc.keep_freed_memory()
