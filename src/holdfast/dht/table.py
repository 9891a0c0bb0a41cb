"""The routing table: many nodes near to us and ever fewer far away (Kademlia, 20 to a row)."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.dht.ids import ID_BITS, key_of, node_id, node_key, unpack
from holdfast.dht.nat import Address

K = 20
"""Nodes in one row, and nodes that hold one record: what the whole network uses."""


class Contact:
    """A node that has answered us, or asked us under its own id."""

    __slots__ = ("added", "hints", "key", "packed", "pinged", "sampled", "seen")

    def __init__(self, packed: bytes, now: float) -> None:
        self.packed = packed
        self.key = node_key(packed)
        self.added = now
        self.seen = now
        self.pinged = now
        self.sampled = -1.0
        """When it last counted as a witness of our address."""
        self.hints = 0

    @property
    def address(self) -> Address:
        """Where it is."""
        return unpack(self.packed)

    @property
    def id(self) -> bytes:
        """Its id."""
        return node_id(self.packed)


class Table:
    """Contacts in rows: row ``i`` holds those whose id has the first ``i`` bits of ours in common.

    `oldest` and `latest` go by when a contact was last heard of.
    """

    def __init__(self, id32: bytes) -> None:
        self.id = id32
        self._key = key_of(id32)
        self._rows: dict[int, list[Contact]] = {}
        self._by_packed: dict[bytes, Contact] = {}
        self._all: bytes | None = None

    def __len__(self) -> int:
        return len(self._by_packed)

    def __iter__(self) -> Iterator[Contact]:
        """The one heard of longest ago first."""
        return iter(self._by_packed.values())

    def get(self, packed: bytes) -> Contact | None:
        """The contact at an address."""
        return self._by_packed.get(packed)

    def row_of(self, key: int) -> list[Contact]:
        """The contacts that compete with one of this key for a place."""
        return self._rows.get(self._row(key), [])

    def add(self, contact: Contact) -> bool:
        """Whether there was room for it; a contact at the same address is replaced."""
        row = self._rows.setdefault(self._row(contact.key), [])
        if contact.packed in self._by_packed:
            self.remove(contact.packed)
        elif len(row) >= K or contact.key == self._key:
            return False
        row.append(contact)
        self._by_packed[contact.packed] = contact
        self._all = None
        return True

    def remove(self, packed: bytes) -> bool:
        """Whether it was there."""
        contact = self._by_packed.pop(packed, None)
        if contact is None:
            return False
        self._rows[self._row(contact.key)].remove(contact)
        self._all = None
        return True

    def heard(self, contact: Contact, now: float) -> None:
        """It is alive."""
        contact.seen = contact.pinged = now
        contact.hints = 0
        self._by_packed[contact.packed] = self._by_packed.pop(contact.packed)

    def latest(self, count: int) -> list[Contact]:
        """The last ones heard of."""
        found: list[Contact] = []
        for packed in reversed(self._by_packed):
            if len(found) == count:
                break
            found.append(self._by_packed[packed])
        return found

    def closest_packed(self, target: bytes) -> bytes:
        """The `K` nearest as packed addresses end to end.

        A small table is given whole and in any order: sorting it would be most of the work.
        """
        if len(self._by_packed) > K:
            return b"".join([contact.packed for contact in self.closest(key_of(target))])
        if self._all is None:
            self._all = b"".join(self._by_packed)
        return self._all

    def closest(self, target: int, count: int = K) -> list[Contact]:
        """The ``count`` contacts nearest to a target, the nearest first.

        The row that the target falls into is the nearest. All rows behind it are as far from the
        target as we are; those before it lie ever farther.
        """
        at = self._row(target)
        found = _sorted(self._rows.get(at, ()), target)
        if len(found) < count and len(found) < len(self._by_packed):
            behind = [one for row, kept in self._rows.items() if row > at for one in kept]
            found += _sorted(behind, target)
            for row in range(at - 1, -1, -1):
                if len(found) >= count:
                    break
                found += _sorted(self._rows.get(row, ()), target)
        return found[:count]

    def rebase(self, id32: bytes) -> Table:
        """A table around another id with the contacts of this one, as far as they fit."""
        table = Table(id32)
        for contact in self:
            table.add(contact)
        return table

    def _row(self, key: int) -> int:
        return ID_BITS - (key ^ self._key).bit_length()


def _sorted(contacts: list[Contact] | tuple[()], target: int) -> list[Contact]:
    return sorted(contacts, key=lambda contact: contact.key ^ target)
