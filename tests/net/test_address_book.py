from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import DecodeError
from holdfast.net.address import Address
from holdfast.net.swarm.address_book import (
    MAX_ADDRESSES,
    MAX_AGE,
    MAX_PEERS,
    MAX_TOPICS,
    AddressBook,
    decode,
)
from holdfast.net.swarm.candidate import BOOK, Candidate

TOPIC, KEY, SEAL = b"t" * 32, b"k" * 32, b"s" * 32
NEAR, FAR = Address("10.0.0.2", 49737), Address("2001:db8::1", 1)


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def number(value: int) -> bytes:
    return value.to_bytes(32, "big")


@pytest.mark.parametrize("seal", [None, SEAL])
def test_what_was_written_is_read_again(tmp_path: Path, seal: bytes | None) -> None:
    clock = Clock()
    book = AddressBook(tmp_path / "peers", key=seal, clock=clock)
    book.remember(TOPIC, KEY, (NEAR,))
    book.remember(TOPIC, KEY, (FAR,), (NEAR,))
    book.remember(TOPIC, number(1), (NEAR,))
    assert book.dirty
    book.save()
    assert not book.dirty
    assert os.stat(tmp_path / "peers").st_mode & 0o777 == 0o600
    again = AddressBook(tmp_path / "peers", key=seal, clock=clock)
    assert again.known(TOPIC) == [
        Candidate(number(1), (NEAR,), (), BOOK),
        Candidate(KEY, (FAR, NEAR), (NEAR,), BOOK),
    ]
    assert again.topics == [TOPIC] and not again.dirty
    assert os.listdir(tmp_path) == ["peers"]


def test_a_sealed_book_tells_nothing_without_its_key(tmp_path: Path) -> None:
    book = AddressBook(tmp_path / "peers", key=SEAL)
    book.remember(TOPIC, KEY, (NEAR,))
    book.save()
    content = (tmp_path / "peers").read_bytes()
    assert b"10.0.0.2" not in content and KEY.hex().encode() not in content
    for wrong in (None, b"x" * 32):
        assert AddressBook(tmp_path / "peers", key=wrong).topics == []
    open_book = AddressBook(tmp_path / "open")
    open_book.remember(TOPIC, KEY, (NEAR,))
    open_book.save()
    assert AddressBook(tmp_path / "open", key=SEAL).topics == []  # planted by somebody else


def test_old_and_superfluous_entries_go(tmp_path: Path) -> None:
    clock = Clock()
    book = AddressBook(tmp_path / "peers", clock=clock)
    for each in range(MAX_PEERS + 5):
        book.remember(TOPIC, number(each), (NEAR,))
    assert [peer.public_key for peer in book.known(TOPIC)] == [
        number(each) for each in range(MAX_PEERS + 4, 4, -1)
    ]
    for each in range(MAX_ADDRESSES + 3):
        book.remember(TOPIC, KEY, (Address("10.0.0.1", each + 1),))
    assert len(book.known(TOPIC)[0].addresses) == MAX_ADDRESSES
    for each in range(MAX_TOPICS + 5):
        book.remember(number(each), KEY, (NEAR,))
    assert len(book.topics) == MAX_TOPICS and TOPIC not in book.topics
    book.save()
    clock.now += MAX_AGE
    assert AddressBook(tmp_path / "peers", clock=clock).topics == []


def test_a_peer_or_a_topic_can_be_forgotten() -> None:
    book = AddressBook()
    book.remember(TOPIC, KEY, (NEAR,))
    book.remember(TOPIC, number(1), (NEAR,))
    book.forget(TOPIC, KEY)
    assert [peer.public_key for peer in book.known(TOPIC)] == [number(1)]
    book.forget(TOPIC)
    book.forget(TOPIC)
    assert book.topics == []
    book.save()


def test_a_book_that_cannot_be_read_is_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "peers"
    book = AddressBook(path)
    book.remember(TOPIC, KEY, (NEAR,))
    book.save()
    content = path.read_bytes()
    for damaged in (b"", content[:-3], content[:9], b"x" + content, content + b"x"):
        path.write_bytes(damaged)
        mended = AddressBook(path)
        assert mended.topics == []
        mended.remember(TOPIC, KEY, (NEAR,))
        mended.save()
        assert path.read_bytes()[:9] == content[:9]


def test_a_write_that_fails_leaves_the_old_book(tmp_path: Path) -> None:
    path = tmp_path / "peers"
    book = AddressBook(path)
    book.remember(TOPIC, KEY, (NEAR,))
    book.save()
    (tmp_path / "peers.new").mkdir()
    book.remember(TOPIC, KEY, (FAR,))
    with pytest.raises(OSError):
        book.save()
    assert book.dirty
    assert AddressBook(path).known(TOPIC)[0].addresses == (NEAR,)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=64), inner),
    max_leaves=10,
)


@given(st.binary(max_size=200) | values.map(lambda value: repr(value).encode()))
def test_no_bytes_do_worse_than_an_error(content: bytes) -> None:
    for data in (content, b"HFPEERS1\0" + content, b"HFPEERS1\1" + content):
        for key in (None, SEAL):
            try:
                read = decode(data, key)
            except DecodeError:
                continue
            book = AddressBook()
            book._topics = read
            book.encode()


@given(st.lists(values, min_size=3, max_size=3))
def test_no_entry_does_worse_than_an_error(fields: list[object]) -> None:
    import json

    text = json.dumps({TOPIC.hex(): {KEY.hex(): fields}}).encode()
    try:
        decode(b"HFPEERS1\0" + text, None)
    except DecodeError:
        pass
