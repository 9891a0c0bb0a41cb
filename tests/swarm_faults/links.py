"""What the link between two networks may do to packets, and how large the trials are."""

from __future__ import annotations

import os
from typing import Any

SIZE = int(os.environ.get("HOLDFAST_FAULT_BYTES", "4_000_000"))
"""Bytes of a transfer."""
RATE = 3_000_000
"""Bytes a second of the link: a transfer lasts long enough for something to happen in it."""
MEMORY = 150_000_000
"""Bytes that no process may exceed; a transfer without faults takes about a third of it."""
PARTITION = float(os.environ.get("HOLDFAST_PARTITION", "60"))
"""Seconds of the long cut: longer than the 30 s after which a silent connection is given up."""

GOOD: dict[str, Any] = {"rate": RATE, "delay": 0.01}

FAULTS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "loss 1 %": {"loss": 0.01},
    "loss 5 %": {"loss": 0.05},
    "loss 10 %": {"loss": 0.10},
    "loss 20 %": {"loss": 0.20},
    "reordering": {"reorder": 0.2, "late": 0.03},
    "duplication": {"duplicate": 0.3},
    "600 ms": {"delay": 0.3},
    "all at once": {"loss": 0.05, "reorder": 0.1, "duplicate": 0.1, "delay": 0.05, "jitter": 0.02},
    "a small MTU": {"mtu": 1280},
    "a black hole": {"hole": 1280},
}
"""Name -> shape of the link, each way. The last two allow what QUIC asks of every path and no more,
and no ICMP tells of it: in the first, packets that may be split are, in the other nothing helps."""
