"""Known peers on disk: who had what, and where they were last reached.

Read once when a node starts, so that it dials them before any lookup. It tells who somebody's peers
are, so it is sealed with a key of the store. It is a cache: a file that cannot be read is an empty
one, and is written over with the next good address.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast.crypto import random_bytes, secretbox, secretbox_open
from holdfast.errors import DecodeError
from holdfast.net.address import MAX_HOST, Address
from holdfast.net.swarm.candidate import BOOK, Candidate

MAX_TOPICS = 512
"""Topics remembered, the latest used: a person's drives many times over."""
MAX_PEERS = 16
"""Peers remembered for each topic: if none of them is there, a lookup serves better."""
MAX_ADDRESSES = 4
"""Addresses of one peer: at home, at work, on IPv6."""
MAX_AGE = 90 * 24 * 3600.0
"""Seconds after which an address that did not work again is forgotten."""
MAX_FILE = 4 * 1024 * 1024
"""Bytes that are read back at most: the limits above fill half of it."""

_MAGIC = b"HFPEERS1"
_NONCE_BYTES = 24


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a peer was last reached."""

    at: float
    """When, in seconds of the epoch."""
    addresses: tuple[Address, ...] = ()
    """TCP, the latest first."""
    relay_addresses: tuple[Address, ...] = ()
    """DHT nodes that passed handshakes on to it, or its own."""


class AddressBook:
    """Topics, their peers, and the last good addresses; bounded, the least recent go first."""

    def __init__(
        self,
        path: Path | None = None,
        *,
        key: bytes | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Read the book at ``path`` (None: in memory only), sealed with a 32-byte ``key``."""
        self._path, self._key, self._clock = path, key, clock
        self._topics: dict[bytes, dict[bytes, Entry]] = {}
        self.dirty = False
        """Whether there is something that `save` would write."""
        if path is not None:
            self._read(path)

    # -- use ------------------------------------------------------------------------------------

    @property
    def topics(self) -> list[bytes]:
        """Topics with at least one known peer, the latest used last."""
        return list(self._topics)

    def known(self, topic: bytes) -> list[Candidate]:
        """The peers of a topic, the latest reached first."""
        entries = self._topics.get(topic, {})
        return [
            Candidate(key, entry.addresses, entry.relay_addresses, BOOK)
            for key, entry in sorted(entries.items(), key=lambda item: -item[1].at)
        ]

    def remember(
        self,
        topic: bytes,
        public_key: bytes,
        addresses: tuple[Address, ...] = (),
        relay_addresses: tuple[Address, ...] = (),
    ) -> None:
        """A peer of a topic was reached there just now."""
        peers = self._topics.pop(topic, {})
        old = peers.pop(public_key, Entry(0.0))
        peers[public_key] = Entry(
            self._clock(),
            _merged(addresses, old.addresses),
            _merged(relay_addresses, old.relay_addresses),
        )
        self._topics[topic] = peers
        while len(peers) > MAX_PEERS:
            del peers[min(peers, key=lambda key: peers[key].at)]
        while len(self._topics) > MAX_TOPICS:
            del self._topics[next(iter(self._topics))]
        self.dirty = True

    def forget(self, topic: bytes, public_key: bytes | None = None) -> None:
        """Forget one peer of a topic, or all of them; unknown ones are ignored."""
        peers = self._topics.get(topic, {})
        gone = peers.pop(public_key, None) is not None if public_key is not None else bool(peers)
        if public_key is None or not peers:
            self._topics.pop(topic, None)
        self.dirty |= gone

    # -- the file -------------------------------------------------------------------------------

    def save(self) -> None:
        """Write the book if it changed: whole and durable, or not at all. Raises `OSError`."""
        if self.dirty:
            self.write(self.encode())
            self.dirty = False

    def write(self, content: bytes) -> None:
        """Put what `encode` gave on disk; may run in a thread."""
        if self._path is None:
            return
        scratch = self._path.with_name(self._path.name + ".new")
        fd = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(scratch, self._path)
        except OSError:
            with contextlib.suppress(OSError):
                scratch.unlink()
            raise

    def encode(self) -> bytes:
        """The file's bytes."""
        topics = {
            topic.hex(): {
                key.hex(): [int(entry.at), _plain(entry.addresses), _plain(entry.relay_addresses)]
                for key, entry in peers.items()
            }
            for topic, peers in self._topics.items()
        }
        text = json.dumps(topics, separators=(",", ":")).encode()
        if self._key is None:
            return _MAGIC + b"\0" + text
        nonce = random_bytes(_NONCE_BYTES)
        return _MAGIC + b"\1" + nonce + secretbox(self._key, nonce, text)

    def _read(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                content = file.read(MAX_FILE + 1)
            self._topics = _trimmed(decode(content, self._key), self._clock() - MAX_AGE)
        except (OSError, DecodeError):
            return


def decode(content: bytes, key: bytes | None) -> dict[bytes, dict[bytes, Entry]]:
    """What `AddressBook.encode` wrote. Raises `DecodeError` for everything else."""
    kind, rest = content[len(_MAGIC) : len(_MAGIC) + 1], content[len(_MAGIC) + 1 :]
    if not content.startswith(_MAGIC) or len(content) > MAX_FILE or kind not in (b"\0", b"\1"):
        raise DecodeError("This is not a book of peers.")
    if (kind == b"\1") != (key is not None):
        raise DecodeError("This book of peers is sealed otherwise.")
    if key is not None:
        rest = secretbox_open(key, rest[:_NONCE_BYTES], rest[_NONCE_BYTES:])
    try:
        return {
            _key(topic): {_key(peer): _entry(fields) for peer, fields in peers.items()}
            for topic, peers in json.loads(rest).items()
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        raise DecodeError("The book of peers is damaged.") from None


def _key(text: str) -> bytes:
    key = bytes.fromhex(text)
    if len(key) != 32:
        raise ValueError("a key has 32 bytes")
    return key


def _entry(fields: list[Any]) -> Entry:
    at, addresses, relay_addresses = fields
    if not isinstance(at, int):
        raise TypeError("a time is a whole number of seconds")
    return Entry(float(at), _addresses(addresses), _addresses(relay_addresses))


def _addresses(fields: list[Any]) -> tuple[Address, ...]:
    return tuple(_address(host, port) for host, port in fields[:MAX_ADDRESSES])


def _address(host: object, port: object) -> Address:
    if not isinstance(host, str) or not isinstance(port, int) or not 0 < len(host) <= MAX_HOST:
        raise ValueError("not an address")
    if not 0 < port <= 65535:
        raise ValueError("not a port")
    return Address(host, port)


def _plain(addresses: tuple[Address, ...]) -> list[list[object]]:
    return [[host, port] for host, port in addresses]


def _merged(new: tuple[Address, ...], old: tuple[Address, ...]) -> tuple[Address, ...]:
    merged = dict.fromkeys(Address(*each) for each in (*new, *old))
    return tuple(merged)[:MAX_ADDRESSES]


def _trimmed(
    topics: dict[bytes, dict[bytes, Entry]], oldest: float
) -> dict[bytes, dict[bytes, Entry]]:
    """Without what is too old or too much."""
    kept = {}
    for topic, peers in list(topics.items())[-MAX_TOPICS:]:
        fresh = {key: entry for key, entry in peers.items() if entry.at >= oldest}
        latest = sorted(fresh, key=lambda key: fresh[key].at)[-MAX_PEERS:]
        if latest:
            kept[topic] = {key: fresh[key] for key in latest}
    return kept
