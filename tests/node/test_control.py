from __future__ import annotations

import asyncio
import json
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import holdfast
from holdfast.encoding import key_text
from holdfast.errors import (
    ClosedError,
    HoldfastError,
    LinkError,
    LocalError,
    NotFoundError,
)
from holdfast.node import control
from holdfast.node.control import Control, ask, control_folder, socket_name
from holdfast.node.switches import MAX_KEYS, Order, orders_to

KEY = "y" * 52


async def echo(request: dict[str, Any]) -> dict[str, Any]:
    return {"got": request}


@asynccontextmanager
async def opened(store: Path, handler: control.Handler = echo) -> AsyncIterator[Control]:
    made = await Control.open(store, handler)
    try:
        yield made
    finally:
        await made.close()


async def raw(store: Path, *lines: bytes) -> list[dict[str, Any]]:
    """What the channel answers to these bytes, until it hangs up or we have said all."""
    caller = await control._call(store)
    assert caller is not None
    reader, writer = await asyncio.open_unix_connection(sock=caller)
    for line in lines:
        writer.write(line)
    writer.write_eof()
    answers = []
    try:
        while line := await reader.readline():
            answers.append(json.loads(line))
    except ConnectionResetError:
        pass  # it did not read to the end
    writer.close()
    return answers


async def test_a_request_gets_its_answer_and_the_socket_goes_away(tmp_path: Path) -> None:
    assert await ask(tmp_path, {}) is None, "there is not even a folder"
    async with opened(tmp_path):
        (path,) = control_folder().iterdir()
        facts = path.lstat()
        assert stat.S_ISSOCK(facts.st_mode) and stat.S_IMODE(facts.st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        link = tmp_path / "link"
        link.symlink_to(tmp_path)
        assert await ask(link, {"a": [1, "é"]}) == {"got": {"a": [1, "é"]}}
        assert await ask(tmp_path / "other", {}) is None
    assert list(control_folder().iterdir()) == []
    assert await ask(tmp_path, {}) is None


async def test_a_path_of_any_length_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_RUNTIME", str(tmp_path / ("r" * 150)))
    async with opened(tmp_path):
        assert await ask(tmp_path, {}) == {"got": {}}


async def test_what_a_dead_process_left_is_no_obstacle(tmp_path: Path) -> None:
    control_folder().mkdir(parents=True, mode=0o700)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "s"))
        (tmp_path / "s").rename(control_folder() / socket_name(tmp_path))
    assert await ask(tmp_path, {}) is None
    async with opened(tmp_path):
        assert await ask(tmp_path, {}) == {"got": {}}


async def test_errors_arrive_as_what_they_are(tmp_path: Path) -> None:
    async def refuse(request: dict[str, Any]) -> dict[str, Any]:
        if request:
            raise ZeroDivisionError
        raise NotFoundError("Not there.", "Look elsewhere.")

    async with opened(tmp_path, refuse):
        with pytest.raises(NotFoundError, match=r"Not there\.") as found:
            await ask(tmp_path, {})
        assert found.value.hint == "Look elsewhere."
        with pytest.raises(HoldfastError, match="ZeroDivisionError"):
            await ask(tmp_path, {"a": 1})


async def test_no_answer_is_an_error(tmp_path: Path) -> None:
    asked = asyncio.Event()

    async def never(request: dict[str, Any]) -> dict[str, Any]:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with opened(tmp_path, never) as made:
        waiting = asyncio.ensure_future(ask(tmp_path, {}))
        await asked.wait()
        await made.close()
        with pytest.raises(ClosedError):
            await waiting


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"nonsense\n",
        b"[]\n",
        b"null\n",
        b"1\n",
        b"\xff\xfe\n",
        b"[" * 60_000 + b"\n",
        b"9" * 60_000 + b"\n",
    ],
    ids=lambda line: repr(line[:8]),
)
async def test_what_is_no_request_is_refused_and_the_next_is_heard(
    tmp_path: Path, line: bytes
) -> None:
    async with opened(tmp_path):
        refused, answered = await raw(tmp_path, line, b'{"a":1}\n')
        assert refused["error"]["code"] == "usage"
        assert answered == {"answer": {"got": {"a": 1}}}


async def test_a_line_that_is_too_long_or_has_no_end(tmp_path: Path) -> None:
    async with opened(tmp_path):
        (refused,) = await raw(tmp_path, b'{"a":"' + b"x" * control.MAX_REQUEST + b'"}\n')
        assert refused["error"]["message"] == "The request is too long."
        assert await raw(tmp_path, b'{"a":1}') == [], "half a line is none"
        assert await ask(tmp_path, {}) == {"got": {}}


async def test_who_says_nothing_is_hung_up_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "PATIENCE", 0.01)
    async with opened(tmp_path):
        caller = await control._call(tmp_path)
        assert caller is not None
        with caller:
            assert await asyncio.get_running_loop().sock_recv(caller, 1) == b""


async def test_too_many_callers_are_hung_up_on(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with opened(tmp_path):
        callers = []
        for _ in range(control.MAX_CALLERS):
            caller = await control._call(tmp_path)
            assert caller is not None
            callers.append(caller)
            await loop.sock_sendall(caller, b"{}\n")
            assert await loop.sock_recv(caller, 100)
        with pytest.raises(ClosedError):
            await ask(tmp_path, {})
        for caller in callers:
            caller.close()


async def test_others_are_not_listened_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path):
        monkeypatch.setattr(control, "is_ours", lambda other: False)
        assert await ask(tmp_path, {}) is None
        with socket.socket(socket.AF_UNIX) as caller:
            caller.setblocking(False)
            loop = asyncio.get_running_loop()
            with control._opened(control_folder()) as (_, address_of):
                await loop.sock_connect(caller, address_of(socket_name(tmp_path)))
            assert await loop.sock_recv(caller, 1) == b""


async def test_a_folder_that_is_a_link_is_not_used(tmp_path: Path) -> None:
    control_folder().parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "elsewhere").mkdir()
    control_folder().symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        await Control.open(tmp_path, echo)


# -- orders ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        {"surprise": 1},
        {"name": 1},
        {"name": "x" * 2000},
        {"key": 7},
        {"key": [KEY]},
        {"name": "a", "announce": 1},
        {"name": "a", "upload": "yes"},
        {"name": "a", "allow": KEY},
        {"name": "a", "allow": [1]},
        {"name": "a", "allow": [KEY] * (MAX_KEYS + 1)},
        {"name": "a", "allow": [KEY], "disallow": [KEY]},
        {"stop": {}},
        {"announce": True},
    ],
    ids=str,
)
def test_an_order_of_the_wrong_shape_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises(LocalError):
        Order.decode(content)


def test_an_order_comes_back_as_it_was() -> None:
    with pytest.raises(LinkError):
        Order.decode({"stop": ["y"]})
    one, other = b"1" * 32, b"2" * 32
    order = Order(None, one, True, False, (one,), (other,), (other,), (one,))
    assert Order.decode(json.loads(json.dumps(order.encode()))) == order
    assert Order.decode({}) == Order()


@pytest.mark.parametrize("request_", [{}, {"do": "dance"}, {"do": "switch"}, {"do": ["switch"]}])
async def test_an_unknown_order_is_refused(request_: dict[str, Any]) -> None:
    async with holdfast.open() as node:
        with pytest.raises(LocalError):
            await orders_to(node, lambda found: None)(request_)


async def test_orders_are_remembered_and_carried_out() -> None:
    peer, other = b"p" * 32, b"o" * 32
    turned: list[dict[str, Any]] = []
    async with holdfast.open() as node:
        answer = orders_to(node, turned.append)

        async def order(**wishes: Any) -> dict[str, Any]:
            return await answer({"do": "switch", "order": Order("films", **wishes).encode()})

        with pytest.raises(NotFoundError):
            await order(upload=True)
        drive = await node.drive(name="films")
        contents = (await drive.blobs()).core.discovery_key
        policy, key = node.policy, drive.discovery_key

        def given(to: bytes) -> bool:
            tree, blobs = (policy.offers(each, to) for each in (key, contents))
            assert tree == blobs
            return tree

        (shown,) = (await order(disallow=(peer,)))["drives"]
        assert (shown["given"], shown["live"]) == ("nobody", False)
        assert policy.offered == [], "what turns nothing on does not begin to serve it"
        await order(announce=True)
        assert policy.announces(key) and not given(other)
        (shown,) = (await order(upload=True))["drives"]
        assert (shown["given"], shown["withheld"]) == ("everybody", [key_text(peer)])
        assert given(other) and not given(peer)
        await node.share(drive)
        assert given(other) and not given(peer), "sharing again does not forget it"
        await order(upload=False, allow=(peer,))
        assert given(peer) and not given(other) and policy.announces(key)
        assert len(turned) == 4
        stop = {"do": "switch", "order": Order(stop=(peer,)).encode()}
        assert await answer(stop) == {"drives": [], "stopped": [key_text(peer)]}
        assert not given(peer)
        await answer({"do": "switch", "order": Order(resume=(peer,)).encode()})
        assert given(peer) and node.records.stopped == ()
        await order(announce=False, disallow=(peer,))
        assert not given(peer) and not policy.announces(key)
        assert (await answer({"do": "status"}))["key"] == key_text(node.key_pair.public_key)


async def test_opening_a_drive_changes_no_switch(tmp_path: Path) -> None:
    async with holdfast.open(tmp_path) as node:
        await node.share(await node.drive(name="films"))
    async with holdfast.open(tmp_path) as node:
        await node.drive(name="films")
    async with holdfast.open(tmp_path) as node:
        assert await node.share_again() == 1
