from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.errors import DamagedError
from holdfast.net import Address
from holdfast.node.records import MAX_ADDRESSES, Record, Records
from holdfast.storage import MemoryStorage

KEY, OTHER = b"k" * 32, b"o" * 32


def test_records_come_back_own_first() -> None:
    records = Records(MemoryStorage())
    theirs = Record(OTHER, None, False, b"s" * 32, (Address("::1", 5),))
    mine = Record(KEY, "films", True)
    records.keep(theirs)
    records.keep(mine)
    assert records.all() == [mine, theirs]
    assert records.get(KEY) == mine == records.named("films")
    assert records.get(b"x" * 32) is None and records.named("other") is None
    records.keep(replace(theirs, secret=None))
    assert records.get(OTHER) == replace(theirs, secret=None)


def test_the_latest_addresses_are_remembered() -> None:
    records = Records(MemoryStorage())
    records.found_at(KEY, Address("h", 1))
    assert records.all() == []
    records.keep(Record(KEY))
    for port in range(1, 20):
        records.found_at(KEY, Address("h", port), Address("h", 1))
    found = records.get(KEY)
    assert found is not None and len(found.addresses) == MAX_ADDRESSES
    assert found.addresses[:2] == (Address("h", 19), Address("h", 1))


def test_a_record_that_makes_no_sense_is_an_error() -> None:
    storage = MemoryStorage()
    storage.set_setting("node/drive/" + KEY.hex(), b"{}")
    with pytest.raises(DamagedError):
        Records(storage).get(KEY)
