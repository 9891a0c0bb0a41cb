"""What a verb prints: lines for people, or one JSON object per line for scripts.

Standard output carries results, standard error everything else, so that output can be piped.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TextIO

from holdfast.errors import HoldfastError


def printable(text: str) -> str:
    """Text as one line that cannot move the cursor, change colours or hide its direction.

    Control characters, line ends and the invisible marks that reorder text are shown as escapes.
    """
    if text.isprintable() and text.isascii():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def amount(size: float) -> str:
    """Bytes as people read them: ``812 B``, ``1.4 MiB``."""
    if size < 1024:
        return f"{int(size)} B"
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        size /= 1024
        if size < 1000 or unit == "TiB":
            return f"{size:.1f} {unit}" if size < 100 else f"{size:.0f} {unit}"
    raise AssertionError  # pragma: no cover


def plural(count: int, noun: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


@dataclass(slots=True)
class UI:
    """Where a verb's words go."""

    json: bool = False
    quiet: bool = False
    debug: bool = False

    @property
    def terminal(self) -> bool:
        """Whether a person watches (bars, QR codes)."""
        return not self.json and not self.quiet and sys.stderr.isatty()

    def event(self, name: str, **fields: object) -> None:
        """One JSON line on standard output; nothing without ``--json``."""
        if self.json:
            _write(sys.stdout, _one_line({"event": name, **fields}))

    def say(self, text: str = "") -> None:
        """A line of the result, for people; names in it must be `printable`."""
        if not self.json:
            _write(sys.stdout, text)

    def note(self, text: str) -> None:
        """A remark beside the result (what is waited for, where to stop it), on standard error."""
        if not self.json and not self.quiet:
            _write(sys.stderr, text)

    def waiting(self, what: str) -> None:
        """Say what a wait of more than a second is for."""
        if self.json:
            self.event("waiting", **{"for": what})
        else:
            self.note(f"waiting for {printable(what)} …")

    def error(self, error: HoldfastError) -> None:
        """An error, on standard error: one sentence and a hint, or the documented JSON object."""
        if self.json:
            _write(sys.stderr, _one_line(error.as_dict()))
            return
        _write(sys.stderr, f"holdfast: {printable(error.message)}")
        if error.hint:
            _write(sys.stderr, f"  {printable(error.hint)}")


def _one_line(value: object) -> str:
    import json

    return json.dumps(value)


def _write(stream: TextIO, text: str) -> None:
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()
