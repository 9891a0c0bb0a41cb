"""What every test may rely on: a store of its own, and random runs that can be repeated."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# `ci` is the same draw every time, so that a red run is red for a reason in the change; `fast` (the
# default) looks somewhere new each time; `deep` is for nights: HYPOTHESIS_PROFILE=deep make test.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("fast", max_examples=50, **_COMMON)  # type: ignore[arg-type]
settings.register_profile("ci", max_examples=100, derandomize=True, **_COMMON)  # type: ignore[arg-type]
settings.register_profile("deep", max_examples=5000, **_COMMON)  # type: ignore[arg-type]
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "fast")
)

# For what fixtures of a whole module or session do before a test has a home of its own.
_STATE = tempfile.TemporaryDirectory(prefix="holdfast-tests-")
os.environ["HOLDFAST_STATE"] = _STATE.name


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that forgets to name a store gets an empty one of its own, and no colours."""
    monkeypatch.setenv("HOLDFAST_STORE", str(tmp_path / "default-store"))
    monkeypatch.setenv("HOLDFAST_STATE", str(tmp_path / "default-state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOLDFAST_LAN", "off")  # a test speaks to no network but its own
    monkeypatch.setenv("HOLDFAST_RUNTIME", str(tmp_path / "default-runtime"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("HOLDFAST_PASSPHRASE_FILE", raising=False)


@pytest.fixture
def repo() -> Path:
    """The top of the repository."""
    return Path(__file__).resolve().parent.parent
