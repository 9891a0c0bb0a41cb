"""Who knows a log's discovery key but not its key learns nothing, not even whether it is here.

The same stranger, with the same words, talks to a store that has the log (offered to everybody, or
to others, or only fetched, or lying on disk) and to one that has not: what it hears is the same
byte for byte, and the work behind it is the same call for call.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.crypto import discovery_key
from holdfast.encoding import encode_optional, encode_string, encode_uint
from holdfast.hypercore import messages as wire
from holdfast.hypercore.caps import capability
from holdfast.net.policy import Policy
from holdfast.store import Store
from holdfast.store.attachments import MAX_SHOWN, PROTOCOL
from holdfast.wire import Mux

STRANGER, FRIEND = b"s" * 32, b"f" * 32
HASH = b"h" * 64


class Line:
    """A connection whose other end is the test: `said` is what the store has sent."""

    def __init__(self, remote_public_key: bytes = STRANGER) -> None:
        self.mux = Mux()
        self.remote_public_key = remote_public_key
        self.handshake_hash = HASH
        self.is_initiator = False
        self.said: list[bytes] = []

    def on_close(self, callback: Callable[..., Any]) -> None:
        pass

    def say(self, message: bytes) -> None:
        self.mux.receive(message)
        self.listen()

    def listen(self) -> None:
        self.said += [b"".join(map(bytes, parts)) for parts in self.mux.to_send()]


def opening(number: int, id: bytes, handshake: bytes, protocol: str = PROTOCOL) -> bytes:
    head = encode_uint(0) + encode_uint(1) + encode_uint(number) + encode_string(protocol)
    return head + encode_optional(id) + handshake


def shows(key: bytes) -> bytes:
    """The handshake of the side that dialled, if it knows this key."""
    return wire.encode_handshake(wire.Handshake(True, capability(True, key, HASH)))


SITUATIONS = ["offered", "offered to others", "asked of others", "not offered", "on disk"]


class Keeper:
    """A store in one of the situations, or without the log, and the one policy that it follows."""

    def __init__(self, store: Store, key: bytes, situation: str, has: bool) -> None:
        self.store, self.policy, self.key = store, Policy(), key
        self.asked: set[bytes] = set()
        if situation == "offered":
            self.policy.offer(discovery_key(key))
        elif situation == "offered to others":
            self.policy.offer(discovery_key(key), to=[FRIEND])
        elif situation == "asked of others" and has:
            self.asked = {FRIEND}

    def attach(self, line: Line) -> Line:
        self.store.attach(
            line,
            offers=self.policy.offers,
            asks=lambda id, peer: id == discovery_key(self.key) and peer in self.asked,
        )
        line.listen()
        return line


async def keepers(tmp_path: Path, situation: str) -> tuple[Keeper, Keeper, bytes]:
    """The one that has the log, the one that has another, and the log's key."""
    if situation == "on disk":
        async with await Store.open(tmp_path / "has") as store:
            core = store.core(name="log")
            await core.append([b"block"] * 10)
        store = await Store.open(tmp_path / "has")
        key = core.key
    else:
        store = await Store.open(None)
        core = store.core(name="log")
        key = core.key
        await core.append([b"block"] * 10)
    empty = await Store.open(None if situation != "on disk" else tmp_path / "empty")
    await empty.core(name="another").append([b"block"] * 10)
    policy = "offered" if situation == "on disk" else situation
    return Keeper(store, key, policy, True), Keeper(empty, key, policy, False), key


def probes(key: bytes) -> list[bytes]:
    """What a stranger could say, one after the other."""
    id, wrong = discovery_key(key), shows(bytes(32))
    said = [
        opening(1, id, wrong),
        opening(1, id, wrong, protocol="hypercore"),
        opening(1, id, b""),
        opening(1, id, wrong[:-1]),
        opening(1, id, wrong + bytes(40)),
        opening(1, id, shows(id)),  # what it does know
        opening(1, bytes(32), wrong),
        opening(1, id, wrong, protocol="holdfast/nothing"),
        opening(1, id, wrong),
    ]
    sync = wire.encode_sync(wire.Sync(0, 99, 0, True, True, True, True, False))
    request = wire.encode_request(wire.Request(1, 0, wire.RequestBlock(0, 0)))
    head = wire.encode_request(wire.Request(0, 0, upgrade=wire.RequestUpgrade(0, 10)))
    extension = encode_string("hyperbee") + b"\x01\x02"
    for type, body in enumerate(
        [sync, request, head, b"", b"", b"\x00\x10", b"", b"", b"\x02\x00"]
    ):
        said.append(encode_uint(1) + encode_uint(type) + body)
        said.append(encode_uint(1) + encode_uint(1) + head)
        said.append(encode_uint(1) + encode_uint(9) + extension)
    said.append(b"\x00\x03\x01")  # close what was never opened
    said += [opening(1, id, wrong), opening(1, id, wrong)]
    batch = b"".join(
        encode_uint(len(one)) + one for one in (opening(1, id, wrong)[1:], opening(1, id, b"")[1:])
    )
    said.append(b"\x00\x00\x00" + batch)
    return said


@pytest.mark.parametrize("situation", SITUATIONS)
async def test_every_answer_is_the_same_byte_for_byte(tmp_path: Path, situation: str) -> None:
    has, lacks, key = await keepers(tmp_path, situation)
    one, two = has.attach(Line()), lacks.attach(Line())
    assert one.said == two.said == []  # what is offered is not shown to who has not asked
    for probe in probes(key) * 3:
        one.say(probe)
        two.say(probe)
        assert one.said == two.said, probe
    assert len(one.said) > 30 and one.mux.channels() == two.mux.channels() == []
    if situation == "on disk":
        assert has.store.logs == []  # nothing was opened for a stranger
    assert has.store.find(discovery_key(key)) is not None
    for keeper in (has, lacks):
        await keeper.store.close()


BODIES = st.binary(max_size=40)
SAID = st.one_of(
    st.builds(
        lambda end, protocol: ("open", end, protocol),
        st.sampled_from([b"", bytes(33), b"\x01" + bytes(32), b"\x01" + bytes(80)]) | BODIES,
        st.sampled_from([PROTOCOL, "hypercore", "other"]),
    ),
    st.builds(lambda type, body: ("message", type, body), st.integers(0, 12), BODIES),
    st.builds(lambda number: ("close", number), st.integers(1, 3)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(SAID, max_size=30), st.sampled_from(SITUATIONS[:4]))
def test_whatever_a_stranger_says(said: list[tuple[Any, ...]], situation: str) -> None:
    import asyncio

    asyncio.run(_whatever(said, situation))


async def _whatever(said: list[tuple[Any, ...]], situation: str) -> None:
    has, lacks, key = await keepers(Path(), situation)
    one, two = has.attach(Line()), lacks.attach(Line())
    for kind, *rest in said:
        if kind == "open":
            message = opening(1, discovery_key(key), rest[0], protocol=rest[1])
        elif kind == "message":
            message = encode_uint(1) + encode_uint(rest[0]) + rest[1]
        else:
            message = b"\x00\x03" + encode_uint(rest[0])
        one.say(message)
        two.say(message)
        assert one.said == two.said
    for keeper in (has, lacks):
        await keeper.store.close()


def work(line: Line, message: bytes) -> Counter[str]:
    """Every call that taking a message and answering it makes."""
    calls: Counter[str] = Counter()

    def note(frame: Any, event: str, argument: Any) -> None:
        if event == "call":
            calls[f"{frame.f_code.co_filename}:{frame.f_code.co_qualname}"] += 1
        elif event == "c_call":
            calls[argument.__qualname__] += 1

    gc.disable()  # it comes when it comes
    sys.setprofile(note)
    try:
        line.say(message)
    finally:
        sys.setprofile(None)
        gc.enable()
    return calls


@pytest.mark.parametrize("situation", SITUATIONS[:4])
async def test_the_work_behind_an_answer_is_the_same_call_for_call(
    tmp_path: Path, situation: str
) -> None:
    """What time it takes follows from what is done; clocks would only measure the machine."""
    has, lacks, key = await keepers(tmp_path, situation)
    one, two = has.attach(Line()), lacks.attach(Line())
    for probe in probes(key) * 2:
        assert work(one, probe) == work(two, probe)
    for keeper in (has, lacks):
        await keeper.store.close()


async def test_who_knows_the_key_is_answered_in_any_situation_that_allows_it() -> None:
    """The probes above are refused for the right reason: with the key the same words work."""
    has, lacks, key = await keepers(Path(), "offered")
    one, two = has.attach(Line()), lacks.attach(Line())
    for line in (one, two):
        line.say(opening(1, discovery_key(key), shows(key)))
    assert one.said != two.said
    assert len(one.mux.channels()) == 1 and two.mux.channels() == []
    others = (await keepers(Path(), "offered to others"))[0].attach(Line())
    others.say(opening(1, discovery_key(key), shows(key)))
    assert others.mux.channels() == []


async def test_what_is_remembered_of_a_stranger_is_bounded() -> None:
    has, _, key = await keepers(Path(), "not offered")
    line = has.attach(Line())
    for number in range(3 * MAX_SHOWN):
        line.say(opening(1, number.to_bytes(32, "big"), bytes(3000)))
    (attachment,) = has.store._attachments
    assert len(attachment._shown) == MAX_SHOWN
    assert max(map(len, attachment._shown.values())) <= 64
    line.say(opening(1, discovery_key(key), shows(key)))
    has.policy.offer(discovery_key(key))
    has.store.offer_again()
    assert len(line.mux.channels()) == 1
