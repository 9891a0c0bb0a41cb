"""The folder in which the nodes of one user on one machine leave their cards.

A card is a small file that says where a node listens and what it has. Its node holds a lock on it
for as long as it lives, so a card without a lock is of a node that died. Cards are never changed: a
new one gets a new name, and the old one is removed after. Only files of this user count.
"""

from __future__ import annotations

import json
import os
import stat
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from platformdirs import user_runtime_path

from holdfast.crypto import random_bytes
from holdfast.errors import AddressError
from holdfast.net.address import Address, parse_address
from holdfast.net.near.tags import TAG_BYTES
from holdfast.net.swarm.candidate import MAX_ADDRESSES

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]

MAX_CARDS = 256
"""Cards that are looked at: more nodes than one person runs."""

MAX_TAGS = 4096
"""Topics on one card."""

MAX_CARD_BYTES = 256 * 1024
"""A card with `MAX_TAGS` topics takes less."""

UNFINISHED = 60.0
"""Seconds after which nobody is still writing a card."""

FORMAT = 1
_SUFFIX = ".card"
_KEY_BYTES = 32


def runtime_folder() -> Path:
    """Where cards lie: below ``HOLDFAST_RUNTIME``, or the platform's folder for such things."""
    named = os.environ.get("HOLDFAST_RUNTIME")
    with warnings.catch_warnings(action="ignore"):  # that it falls back to a temporary folder
        return (Path(named) if named else user_runtime_path("holdfast")) / "nodes"


@dataclass(frozen=True, slots=True)
class Card:
    """What one running node says of itself."""

    public_key: bytes
    addresses: tuple[Address, ...] = ()
    tags: frozenset[bytes] = field(default_factory=frozenset)
    net: str = ""
    """The network namespace it runs in, where there is such a thing: addresses differ between."""

    def encode(self) -> bytes:
        """The text of the file; `MAX_TAGS` tags at most."""
        content = {
            "holdfast": FORMAT,
            "key": self.public_key.hex(),
            "net": self.net,
            "addresses": [str(each) for each in self.addresses[:MAX_ADDRESSES]],
            "tags": sorted(each.hex() for each in self.tags)[:MAX_TAGS],
        }
        return json.dumps(content).encode()

    @classmethod
    def decode(cls, content: bytes) -> Card | None:
        """What `encode` made; None for anything else."""
        try:
            parts = json.loads(content)
            if parts["holdfast"] != FORMAT:
                return None
            key = bytes.fromhex(parts["key"])
            addresses = tuple(parse_address(each) for each in parts["addresses"][:MAX_ADDRESSES])
            tags = frozenset(bytes.fromhex(each) for each in parts["tags"][:MAX_TAGS])
            net = parts["net"]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, AddressError):
            return None
        sized = len(key) == _KEY_BYTES and all(len(each) == TAG_BYTES for each in tags)
        return cls(key, addresses, tags, net) if sized and isinstance(net, str) else None


def own_net() -> str:
    """The network namespace of this process; empty where there are none."""
    try:
        return os.readlink("/proc/self/ns/net")
    except OSError:
        return ""


class Cards:
    """The folder, opened once, so that nobody can put another in its place."""

    def __init__(self, folder: Path) -> None:
        """Makes the folder, for this user alone. Raises OSError when that cannot be had."""
        if fcntl is None:
            raise OSError("this system has no file locks")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        self._folder = os.open(folder, flags)
        self._own: tuple[str, int] | None = None
        self._known: dict[str, Card | None] = {}
        try:
            if os.fstat(self._folder).st_uid != os.geteuid():
                raise PermissionError(f"{folder} belongs to another user")
            os.fchmod(self._folder, 0o700)
            self._sweep()
        except OSError:
            os.close(self._folder)
            raise

    def changed_at(self) -> int:
        """Changes when a card comes or goes (nanoseconds of the clock on the wall)."""
        return os.fstat(self._folder).st_mtime_ns

    def write(self, card: Card) -> None:
        """Leave this card in place of the one we left before. Raises OSError."""
        name = random_bytes(12).hex()
        hidden = f".{name}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        lock = os.open(hidden, flags, 0o600, dir_fd=self._folder)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            content = card.encode()
            if os.write(lock, content) != len(content):
                raise OSError("the disk is full")
            os.rename(hidden, name + _SUFFIX, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except OSError:
            self._remove(hidden)
            os.close(lock)
            raise
        self.remove()
        self._own = (name + _SUFFIX, lock)

    def remove(self) -> None:
        """Take our own card away. Idempotent."""
        own, self._own = self._own, None
        if own is not None:
            self._remove(own[0])
            os.close(own[1])

    def read(self) -> list[Card]:
        """The cards of others that are new since the last time; those of the dead are removed.

        Raises OSError when the folder cannot be read.
        """
        names = [name for name in os.listdir(self._folder) if self._is_card(name)][:MAX_CARDS]
        before, self._known = self._known, {}
        new = []
        for name in names:
            card = before[name] if name in before else self._look(name)
            if name not in before and card is not None:
                new.append(card)
            self._known[name] = card
        return new

    def forget(self) -> None:
        """Take every card for new at the next `read`, and look again whether its node lives."""
        self._known.clear()

    def close(self) -> None:
        """Take our card away and let go of the folder."""
        self.remove()
        os.close(self._folder)

    def _is_card(self, name: str) -> bool:
        return name.endswith(_SUFFIX) and (self._own is None or name != self._own[0])

    def _look(self, name: str) -> Card | None:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            file = os.open(name, flags, dir_fd=self._folder)
        except OSError:
            return None
        try:
            facts = os.fstat(file)
            ours = stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid()
            if not ours or facts.st_size > MAX_CARD_BYTES:
                return None
            if _is_free(file):
                self._remove(name)
                return None
            return Card.decode(os.read(file, MAX_CARD_BYTES))
        except OSError:
            return None
        finally:
            os.close(file)

    def _sweep(self) -> None:
        """Remove cards that were never finished: their node died while writing."""
        for name in os.listdir(self._folder):
            if name.startswith("."):
                with suppress(OSError):
                    made = os.stat(name, dir_fd=self._folder, follow_symlinks=False).st_mtime
                    if time.time() - made > UNFINISHED:
                        self._remove(name)

    def _remove(self, name: str) -> None:
        with suppress(OSError):
            os.unlink(name, dir_fd=self._folder)


def _is_free(file: int) -> bool:
    """Whether nobody holds the card: its node is dead."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
