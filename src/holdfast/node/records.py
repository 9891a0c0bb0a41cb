"""What a node remembers of each drive: its name, how it is opened, where it was last found.

Kept among the store's settings; secrets of other people's drives are kept sealed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from holdfast.errors import DamagedError
from holdfast.net import Address
from holdfast.storage import Storage

MAX_ADDRESSES = 8
"""Addresses remembered for one drive: the last ones that worked, or were in a link."""

_PREFIX = "node/drive/"
_STOPPED = "node/stopped"
_UNREADABLE = "What this store remembers of {} cannot be read."


@dataclass(frozen=True, slots=True)
class Record:
    """One drive that this node has made or opened."""

    key: bytes
    name: str | None = None
    """What its owner calls it here; None for other people's drives."""
    public: bool = False
    """Whether it is not encrypted."""
    secret: bytes | None = None
    """The encryption key of somebody else's drive (those of our own derive from the store)."""
    addresses: tuple[Address, ...] = ()
    """Where it was found, the latest first."""
    announced: bool = False
    """Whether those who look for it may find it."""
    given_to: tuple[bytes, ...] | None = ()
    """Public keys of those who get it; None: everybody who has its link."""
    withheld_from: tuple[bytes, ...] = ()
    """Public keys of those who do not get it, even if everybody does."""


class Records:
    """All records of a store. Writes are durable when they return."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def get(self, key: bytes) -> Record | None:
        """The record of a drive."""
        value = self._storage.get_setting(_PREFIX + key.hex())
        return None if value is None else self._read(key, value)

    def named(self, name: str) -> Record | None:
        """The drive of ours with that name."""
        return next((record for record in self.all() if record.name == name), None)

    def all(self) -> list[Record]:
        """Every record, our own drives first, by name."""
        found = [
            self._read(bytes.fromhex(setting.removeprefix(_PREFIX)), value)
            for setting, value in self._storage.settings(_PREFIX).items()
        ]
        return sorted(found, key=lambda each: (each.name is None, each.name or "", each.key))

    def keep(self, record: Record) -> None:
        """Write a record, if it differs from the one there is."""
        known = self.get(record.key)
        if known == record:
            return
        setting = _PREFIX + record.key.hex()
        if record.secret != (known.secret if known is not None else None):
            self._storage.set_secret(setting, record.secret)
        fields = {
            "name": record.name,
            "public": record.public,
            "addresses": [[host, port] for host, port in record.addresses],
            "announced": record.announced,
            "given_to": None if record.given_to is None else _texts(record.given_to),
            "withheld_from": _texts(record.withheld_from),
        }
        self._storage.set_setting(setting, json.dumps(fields).encode())

    def found_at(self, key: bytes, *addresses: Address) -> None:
        """Remember where a drive was found."""
        record = self.get(key)
        if record is not None and addresses:
            merged = tuple(dict.fromkeys([*addresses, *record.addresses]))[:MAX_ADDRESSES]
            self.keep(replace(record, addresses=merged))

    @property
    def stopped(self) -> tuple[bytes, ...]:
        """Public keys of those who are given nothing, whatever is offered."""
        value = self._storage.get_setting(_STOPPED)
        try:
            return () if value is None else _keys(json.loads(value)) or ()
        except (TypeError, ValueError):
            raise DamagedError(_UNREADABLE.format("peers")) from None

    def keep_stopped(self, keys: tuple[bytes, ...]) -> None:
        """Write `stopped`, if it differs."""
        if keys != self.stopped:
            self._storage.set_setting(_STOPPED, json.dumps(_texts(keys)).encode())

    def _read(self, key: bytes, value: bytes) -> Record:
        try:
            fields: dict[str, Any] = json.loads(value)
            return Record(
                key,
                fields["name"],
                fields["public"],
                self._storage.get_secret(_PREFIX + key.hex()),
                tuple(Address(str(host), int(port)) for host, port in fields["addresses"]),
                bool(fields.get("announced", False)),
                _keys(fields.get("given_to", [])),
                _keys(fields.get("withheld_from", [])) or (),
            )
        except (KeyError, TypeError, ValueError):
            raise DamagedError(_UNREADABLE.format("a drive")) from None


def _texts(keys: tuple[bytes, ...]) -> list[str]:
    return [key.hex() for key in keys]


def _keys(texts: list[str] | None) -> tuple[bytes, ...] | None:
    return None if texts is None else tuple(map(bytes.fromhex, texts))
