"""A laboratory for each test, where the machine can have one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.netlab import Lab
from tests.support.netlab_space import require_tools


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """An empty laboratory, gone after the test."""
    require_tools()
    with Lab(tmp_path / "lab") as made:
        yield made
