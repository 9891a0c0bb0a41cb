"""Private by default: what is fetched is asked for without being given; switches turn live."""

from __future__ import annotations

import asyncio

import pytest

from holdfast.errors import BlockNotAvailable
from holdfast.hyperbee import Bee
from holdfast.hypercore.peer import Peer
from holdfast.net.policy import Policy
from holdfast.store import Core, Store
from tests.net.loopback import until
from tests.store.test_channels import turns
from tests.support.links import MemoryLink

BLOCKS = [b"%d" % index for index in range(100)]


class Side:
    """A store with a policy, and everybody it asks."""

    def __init__(self, store: Store) -> None:
        self.store, self.policy = store, Policy()
        self.sources: set[bytes] = set()
        self.policy.on_change(lambda _: store.offer_again())

    def attach(self, link: MemoryLink) -> None:
        self.store.attach(
            link, offers=self.policy.offers, asks=lambda _, remote: remote in self.sources
        )


async def side() -> Side:
    return Side(await Store.open(None))


def connect(a: Side, b: Side, a_key: bytes, b_key: bytes) -> MemoryLink:
    """A connection between the holders of two public keys; returns a's end."""
    left, right = MemoryLink(True, b_key), MemoryLink(False, a_key)
    left.other, right.other = right, left
    a.attach(left)
    b.attach(right)
    return left


A, B, C = b"a" * 32, b"b" * 32, b"c" * 32


async def chain() -> tuple[Side, Side, Side, Core, Core, Core, MemoryLink]:
    """a shares with everybody; b has fetched it all from a; c asks b. The link is b's to c."""
    a, b, c = await side(), await side(), await side()
    mine = a.store.core(name="x")
    await mine.append(BLOCKS)
    a.policy.offer(mine.discovery_key)
    b.sources, c.sources = {A, C}, {B}
    fetched, wanted = b.store.core(key=mine.key), c.store.core(key=mine.key)
    connect(b, a, B, A)
    await asyncio.wait_for(fetched.download(0, 100).done(), 5)
    link = connect(b, c, B, C)
    await turns()
    return a, b, c, mine, fetched, wanted, link


def towards(core: Core, key: bytes) -> Peer:
    (peer,) = [each for each in core.peers if each.remote_public_key == key]
    return peer


async def test_what_is_only_fetched_is_not_given_to_anybody() -> None:
    a, b, c, mine, fetched, wanted, _ = await chain()
    reading = asyncio.create_task(wanted.get(5))
    await until(lambda: wanted.length == 100)  # the head is told: nobody waits for one
    await turns()
    assert not reading.done()
    assert towards(wanted, B).claims.contiguous == 0 and not towards(wanted, B).claims.has(5)
    assert [peer.blocks_sent for peer in fetched.peers] == [0, 0]
    with pytest.raises(BlockNotAvailable):
        await wanted.get(7, timeout=0.01)
    assert towards(mine, B).claims.has_all(0, 100)  # whoever shared it sees that a copy is whole
    reading.cancel()


async def test_switching_on_serves_what_waits_and_switching_off_ends_it() -> None:
    a, b, c, mine, fetched, wanted, _ = await chain()
    reading = asyncio.create_task(wanted.get(5))
    await until(lambda: towards(fetched, C).telling._wants)
    b.policy.offer(fetched.discovery_key, to=[C])
    assert await asyncio.wait_for(reading, 5) == BLOCKS[5]
    assert towards(fetched, C).blocks_sent == 1 and towards(fetched, A).blocks_sent == 0
    b.policy.stop_uploads(C)
    reading = asyncio.create_task(wanted.get(6))
    await turns()
    assert not reading.done() and towards(fetched, C).blocks_sent == 0
    for _ in range(3):  # however often
        b.policy.resume_uploads(C)
        b.policy.stop_uploads(C)
    await turns()
    b.policy.resume_uploads(C)
    assert await asyncio.wait_for(reading, 5) == BLOCKS[6]
    await asyncio.wait_for(wanted.download(0, 100).done(), 5)
    b.policy.withdraw(fetched.discovery_key)
    await turns()
    assert not towards(fetched, C).uploading
    await mine.append(b"news")
    assert await fetched.get(100, timeout=5) == b"news"  # asking goes on


async def test_switching_off_in_the_middle_of_a_download_loses_nothing() -> None:
    a, b, c, mine, fetched, wanted, _ = await chain()
    b.policy.offer(fetched.discovery_key)
    download = wanted.download(0, 100)
    for _ in range(20):
        await turns(3)
        b.policy.withdraw(fetched.discovery_key)
        await turns(3)
        b.policy.offer(fetched.discovery_key)
    await asyncio.wait_for(download.done(), 5)
    assert [await wanted.get(index) for index in range(100)] == BLOCKS


async def test_each_peer_has_a_switch_of_its_own() -> None:
    a, b, c, mine, fetched, wanted, _ = await chain()
    other = await side()
    other.sources = {B}
    elsewhere = other.store.core(key=mine.key)
    connect(b, other, B, b"o" * 32)
    b.policy.allow(fetched.discovery_key, C)
    assert await wanted.get(3, timeout=5) == BLOCKS[3]
    assert elsewhere.peers == []
    b.policy.allow(fetched.discovery_key, b"o" * 32)
    assert await elsewhere.get(3, timeout=5) == BLOCKS[3]
    b.policy.disallow(fetched.discovery_key, C)
    with pytest.raises(BlockNotAvailable):
        await wanted.get(4, timeout=0.01)
    assert await elsewhere.get(4, timeout=5) == BLOCKS[4]


async def test_an_offer_reaches_who_asked_before_and_nobody_else() -> None:
    a, b = await side(), await side()
    mine = a.store.core(name="x")
    await mine.append(BLOCKS)
    b.sources = {A}
    link = connect(a, b, A, B)
    theirs = b.store.core(key=mine.key)
    reading = asyncio.create_task(theirs.get(5))
    await turns()
    assert link.mux.channels() == [] and theirs.peers == []
    silent = await side()
    heard = connect(a, silent, A, C)
    a.policy.offer(mine.discovery_key)
    assert await asyncio.wait_for(reading, 5) == BLOCKS[5]
    assert heard.messages_sent == 0  # who has not asked is not told that there is something
    a.policy.withdraw(mine.discovery_key)
    await turns()
    assert link.mux.channels() == [] and theirs.peers == []


async def test_a_writer_learns_from_a_private_copy_that_it_is_behind() -> None:
    """A head is told to whom the log is asked of: else a restored writer would fork its log."""
    a, b, c, mine, fetched, wanted, _ = await chain()
    restored = await side()
    same = restored.store.core(key=mine.key, key_pair=mine._log.key_pair)
    b.sources.add(b"r" * 32)
    restored.sources.add(B)
    connect(b, restored, B, b"r" * 32)
    await until(lambda: same.length == 100)
    assert await same.append(b"goes on") == 101 and same.fork == 0
    assert towards(fetched, b"r" * 32).blocks_sent == 0


async def test_the_index_of_a_private_copy_is_not_read_by_others() -> None:
    a, b, c = await side(), await side(), await side()
    bee = Bee(a.store.core(name="x"))
    for index in range(50):
        await bee.put(b"%d" % index, b"")
    a.policy.offer(bee.core.discovery_key)
    b.sources, c.sources = {A, C}, {B}
    copy, asking = Bee(b.store.core(key=bee.core.key)), Bee(c.store.core(key=bee.core.key))
    connect(b, a, B, A)
    await asyncio.wait_for(copy.core.download(0, 51).done(), 5)
    assert await copy.get(b"7") is not None
    connect(b, c, B, C)
    await asking.core.update()
    await turns()
    reading = asyncio.create_task(asking.get(b"7"))
    await until(lambda: towards(copy.core, C).telling._wants)
    await turns()
    assert towards(copy.core, C)._extension_received and not towards(copy.core, C)._extension_sent
    b.policy.offer(bee.core.discovery_key)
    assert await asyncio.wait_for(reading, 5) is not None
