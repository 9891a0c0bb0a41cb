"""Nodes of one user on one machine find each other through a folder."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.crypto import discovery_key, key_pair
from holdfast.net.address import Address
from holdfast.net.near.machine_cards import MAX_CARD_BYTES, Card, Cards
from holdfast.net.near.same_machine import SameMachine
from holdfast.net.near.tags import TAG_BYTES, on_this_machine
from holdfast.net.swarm.candidate import MAX_ADDRESSES, Candidate

TOPIC, OTHER = b"t" * 32, b"o" * 32
HERE = Address("127.0.0.1", 4000)

Make = Callable[..., SameMachine]


class Hearing:
    """What a lookup has found, and waiting for it."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Candidate] = asyncio.Queue()

    def __call__(self, candidate: Candidate) -> None:
        self.queue.put_nowait(candidate)

    async def next(self) -> Candidate:
        return await asyncio.wait_for(self.queue.get(), 10)


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """Nodes' finders over one folder, each with a key of its own; closed at the end."""
    async with AsyncExitStack() as stack:

        def one(*addresses: Address, folder: Path = tmp_path / "run" / "nodes") -> SameMachine:
            finder = SameMachine(
                key_pair().public_key, lambda: addresses or (HERE,), folder=folder, pause=0.01
            )
            stack.push_async_callback(finder.close)
            return finder

        yield one


async def test_who_announces_is_found_before_and_after(make: Make) -> None:
    early, looking, late = make(), make(Address("127.0.0.1", 4001)), make()
    hearing = Hearing()
    early.announce(TOPIC)
    late.announce(OTHER)
    looking.announce(TOPIC)
    looking.lookup(TOPIC, hearing)
    assert await hearing.next() == Candidate(early._key, (HERE,), rung="machine")
    late.announce(TOPIC)
    assert (await hearing.next()).public_key == late._key
    assert hearing.queue.empty()
    assert looking.status == early.status == "working"


async def test_what_is_not_announced_any_more_is_not_found(make: Make, tmp_path: Path) -> None:
    sharer, looking, second = make(), make(), make()
    sharer.announce(TOPIC)
    sharer.announce(OTHER)
    sharer.unannounce(TOPIC)
    one, other = Hearing(), Hearing()
    stop = looking.lookup(TOPIC, one)
    looking.lookup(OTHER, other)
    assert (await other.next()).public_key == sharer._key
    assert one.queue.empty()
    stop()
    stop()
    sharer.announce(TOPIC)
    second.lookup(TOPIC, other)
    assert (await other.next()).public_key == sharer._key
    assert one.queue.empty()
    sharer.unannounce(TOPIC)
    sharer.unannounce(OTHER)
    await asyncio.sleep(0)
    assert os.listdir(tmp_path / "run" / "nodes") == []


async def test_a_node_that_listens_nowhere_leaves_no_card(make: Make, tmp_path: Path) -> None:
    where: list[Address] = []
    finder = SameMachine(b"k" * 32, lambda: where, folder=tmp_path / "nodes")
    finder.announce(TOPIC)
    await asyncio.sleep(0)
    assert os.listdir(tmp_path / "nodes") == []
    where.append(HERE)
    finder.refresh()
    await asyncio.sleep(0)
    (name,) = os.listdir(tmp_path / "nodes")
    assert os.stat(tmp_path / "nodes" / name).st_mode & 0o077 == 0
    await finder.close()
    await finder.close()
    assert os.listdir(tmp_path / "nodes") == []
    finder.announce(OTHER)
    finder.lookup(TOPIC, lambda _: None)
    assert finder.status == "closed"


async def test_the_folder_tells_no_discovery_keys(make: Make, tmp_path: Path) -> None:
    topic = discovery_key(b"x" * 32)
    one, two = make(), make()
    one.announce(topic)
    two.announce(topic)
    await asyncio.sleep(0)
    folder = tmp_path / "run" / "nodes"
    texts = [path.read_bytes() for path in folder.iterdir()]
    assert len(texts) == 2
    assert not any(topic.hex().encode() in text or topic in text for text in texts)
    tags = [Card.decode(text).tags for text in texts]  # type: ignore[union-attr]
    assert not tags[0] & tags[1]  # nor that the two have the same
    assert folder.stat().st_mode & 0o777 == 0o700


DIES = """
import asyncio, sys
from pathlib import Path
from holdfast.net.address import Address
from holdfast.net.near.same_machine import SameMachine
async def main():
    finder = SameMachine(b"d" * 32, lambda: [Address("127.0.0.1", 1)], folder=Path(sys.argv[1]))
    finder.announce(b"t" * 32)
    await asyncio.sleep(0)
    print("ready", flush=True)
    await asyncio.sleep(3600)
asyncio.run(main())
"""


async def test_a_killed_process_is_found_no_more_and_its_card_is_cleared(
    make: Make, tmp_path: Path
) -> None:
    folder = tmp_path / "run" / "nodes"
    looking, hearing = make(), Hearing()
    with subprocess.Popen(
        [sys.executable, "-c", DIES, str(folder)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == b"ready\n"
        looking.lookup(TOPIC, hearing)
        assert (await hearing.next()).public_key == b"d" * 32
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.wait)
    assert len(os.listdir(folder)) == 1
    alive, again = make(), Hearing()
    alive.announce(TOPIC)
    looking.lookup(TOPIC, again)
    assert (await again.next()).public_key == alive._key
    assert again.queue.empty()
    assert len(os.listdir(folder)) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of other users")
async def test_files_of_other_users_are_never_trusted(make: Make, tmp_path: Path) -> None:
    folder = tmp_path / "run" / "nodes"
    sharer, looking, hearing = make(), make(), Hearing()
    forged = Card(b"f" * 32, (HERE,), frozenset()).encode()
    sharer.announce(TOPIC)
    await asyncio.sleep(0)
    (real,) = folder.iterdir()
    (folder / "forged.card").write_bytes(forged)
    os.chown(folder / "forged.card", 12345, 12345)
    (folder / "link.card").symlink_to(real)
    os.mkfifo(folder / "pipe.card")
    (folder / "huge.card").write_bytes(bytes(MAX_CARD_BYTES + 1))
    looking.lookup(TOPIC, hearing)
    assert (await hearing.next()).public_key == sharer._key
    assert hearing.queue.empty()
    assert (folder / "forged.card").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make folders of other users")
async def test_a_folder_of_somebody_else_is_not_used(make: Make, tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    finder = make(folder=folder)
    finder.announce(TOPIC)
    finder.lookup(TOPIC, lambda _: None)
    assert finder.status.startswith("not available")
    assert os.listdir(folder) == []


async def test_a_folder_that_cannot_be_had_is_said(make: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    finder = make(folder=tmp_path / "file" / "nodes")
    finder.announce(TOPIC)
    finder.lookup(TOPIC, lambda _: None)()
    assert finder.status == "not available: Not a directory"
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert make(folder=tmp_path / "link").status.startswith("not available")


async def test_many_nodes_and_many_looks_cost_little(make: Make, tmp_path: Path) -> None:
    """While nothing changes a look is one question to the file system."""
    sharers = [make() for _ in range(20)]
    for sharer in sharers:
        sharer.announce(TOPIC)
    looking, hearing = make(), Hearing()
    looking.lookup(TOPIC, hearing)
    found = {(await hearing.next()).public_key for _ in sharers}
    assert found == {sharer._key for sharer in sharers}
    cards = Cards(tmp_path / "run" / "nodes")
    assert len(cards.read()) == 20
    assert cards.read() == []
    sharers[3].announce(OTHER)
    await asyncio.sleep(0)
    (new,) = cards.read()
    assert new.public_key == sharers[3]._key
    cards.close()


def test_cards_never_finished_are_swept_away(tmp_path: Path) -> None:
    (tmp_path / ".old").write_bytes(b"{")
    os.utime(tmp_path / ".old", (0, 0))
    (tmp_path / ".new").write_bytes(b"{")
    Cards(tmp_path).close()
    assert os.listdir(tmp_path) == [".new"]


addresses = st.builds(Address, st.just("10.0.0.1"), st.integers(1, 65535))
cards = st.builds(
    Card,
    st.binary(min_size=32, max_size=32),
    st.lists(addresses, max_size=MAX_ADDRESSES).map(tuple),
    st.frozensets(st.binary(min_size=TAG_BYTES, max_size=TAG_BYTES), max_size=20),
    st.text(max_size=20),
)


@given(cards)
def test_a_card_comes_back_as_it_was_written(card: Card) -> None:
    assert Card.decode(card.encode()) == card


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["holdfast", "key", "net", "addresses", "tags"]), inner, max_size=5
        )
    ),
)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_card_or_none(content: bytes) -> None:
    assert Card.decode(content) is None or isinstance(Card.decode(content), Card)


@given(JSON, st.sampled_from(["key", "net", "addresses", "tags", "holdfast"]))
def test_any_part_may_be_anything(part: object, name: str) -> None:
    import json

    good = json.loads(Card(b"k" * 32, (HERE,), frozenset([b"t" * TAG_BYTES])).encode())
    decoded = Card.decode(json.dumps(good | {name: part}).encode())
    assert decoded is None or isinstance(decoded.public_key, bytes)


def test_where_to_dial_on_the_machine_itself() -> None:
    bound = [Address("10.1.1.1", 1), Address("0.0.0.0", 2), Address("::", 3), Address("0.0.0.0", 2)]
    assert on_this_machine(bound) == (
        Address("127.0.0.1", 2),
        Address("::1", 3),
        Address("10.1.1.1", 1),
    )
