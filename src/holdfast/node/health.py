"""Checks of this machine: room on the disk, whether it keeps what it is given, files, the store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from holdfast.errors import HoldfastError
from holdfast.net.checks.clock import Told, check_clock
from holdfast.net.checks.finding import Finding, error, good, note, warning
from holdfast.net.limits import Limits
from holdfast.storage.health import (
    StoreLook,
    look_at_store,
    nearest_directory,
    space,
    sync_seconds,
)

LITTLE = 1 << 30
"""Bytes free from which on a store can be worked with: one long film."""
TOO_LITTLE = 64 << 20
"""Bytes below which even a store's own files may not fit (journals, index)."""
FEW_FILES = 10_000
"""Files that a disk should still take: each drive kept here needs about ten."""
SLOW_SYNC = 0.1
"""Seconds from which making a change durable is felt by whoever waits for it."""
MADE = 1_767_225_600.0
"""The beginning of 2026: no clock of a machine that runs this program is earlier than that."""


async def check_machine(directory: Path, told: Sequence[Told], now: float) -> list[Finding]:
    """All checks of this machine; ``told`` is what others say of the time, ``now`` our clock."""
    loop = asyncio.get_running_loop()
    look, finding = _look(directory)
    since, why = (MADE, "this program was made after that,")
    if look is not None and look.newest > since:
        since, why = look.newest - 1, "the store was last changed"
    disk = await loop.run_in_executor(None, _disk, directory)
    return [check_clock(now, told, since, why), *disk, _open_files(), finding]


# -- the disk -----------------------------------------------------------------------------------


def _disk(directory: Path) -> list[Finding]:
    where = nearest_directory(directory)
    try:
        return [_space(where), _sync(where)]
    except OSError as failure:
        why = failure.strerror or str(failure)
        return [
            error(
                "disk-sync",
                f"Nothing can be kept in {where}: {why}.",
                "Check who owns the directory and whether the disk is full or mounted read-only, "
                "or use another store (--store DIR).",
                directory=str(where),
                reason=why,
            )
        ]


def _space(where: Path) -> Finding:
    room = space(where)
    facts = {"directory": str(where), "free": room.free, "total": room.total}
    facts |= {} if room.free_files is None else {"free_files": room.free_files}
    sentence = f"{_amount(room.free)} of {_amount(room.total)} are free at {where}."
    remedy = "Free some space, or put the store on another disk (--store DIR)."
    if room.free < TOO_LITTLE:
        return error("disk-space", f"Only {sentence}", remedy, **facts)
    if room.free < LITTLE:
        return warning("disk-space", f"Only {sentence}", remedy, **facts)
    if room.free_files is not None and room.free_files < FEW_FILES:
        sentence = f"The disk at {where} takes only {room.free_files:,} more files."
        return warning("disk-space", sentence, "Remove small files, or use another disk.", **facts)
    return good("disk-space", sentence, **facts)


def _sync(where: Path) -> Finding:
    seconds = sync_seconds(where)
    facts = {"directory": str(where), "ms": round(1000 * seconds, 3)}
    sentence = f"A change is durable after {1000 * seconds:.2f} ms at {where}."
    if seconds > SLOW_SYNC:
        remedy = "A slow disk makes sharing many small files slow; a faster one is worth it."
        return warning("disk-sync", sentence, remedy, **facts)
    return good("disk-sync", sentence, **facts)


def _amount(size: int) -> str:
    return f"{size / 2**30:,.1f} GiB" if size >= 2**30 else f"{size / 2**20:,.0f} MiB"


# -- files and the store ------------------------------------------------------------------------


def _open_files() -> Finding:
    try:
        import resource
    except ImportError:  # pragma: no cover - Windows
        return note("open-files", "This system does not say how many files may be open.")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * Limits().connections  # a connection each, and as many files of stores
    facts = {"limit": soft, "most": hard, "wanted": needed}
    if soft != resource.RLIM_INFINITY and soft < needed:
        sentence = f"This process may open {soft:,} files; a busy node wants {needed:,}."
        return warning("open-files", sentence, f"Run `ulimit -n {needed}` before it.", **facts)
    return good("open-files", f"This process may open {soft:,} files.", **facts)


def _look(directory: Path) -> tuple[StoreLook | None, Finding]:
    try:
        look = look_at_store(directory)
    except HoldfastError as failure:
        remedy = failure.hint or "Use another store (--store DIR)."
        return None, error("store", failure.message, remedy, directory=str(directory))
    except OSError as failure:
        why = failure.strerror or str(failure)
        remedy = "Check who owns the directory, or use another store (--store DIR)."
        return None, error("store", f"{directory} cannot be read: {why}.", remedy)
    facts = {"directory": str(directory), "format": look.version, "holder": look.holder}
    if look.version is None:
        sentence = f"There is no store at {directory} yet; the first share or get makes one."
        return look, note("store", sentence, "", **facts)
    if not look.at_home:
        sentence = f"The store at {directory} is a copy, or was moved: it does not write yet."
        remedy = "If it is the only one that will write, say so with `holdfast confirm`."
        return look, warning("store", sentence, remedy, **facts)
    if look.holder is not None:
        sentence = f"The store at {directory} is in use by {look.holder}."
        return look, note("store", sentence, "Nothing, unless you expected it to be free.", **facts)
    return look, good(
        "store", f"The store at {directory} (format {look.version}) is free.", **facts
    )
