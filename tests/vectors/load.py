"""Golden vectors: bytes made by the JavaScript peers' own code from fixed seeds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "hypercore.json").read_text())


def unhex(*path: str) -> bytes:
    """The bytes at ``path``, which is a hex string in the vectors."""
    value: Any = VECTORS
    for name in path:
        value = value[name]
    return bytes.fromhex(value)
