from __future__ import annotations

import asyncio
import errno
import socket

import pytest

from holdfast.errors import HandshakeError, ListenError, PeerUnreachable, RemoteError
from holdfast.net import Address, Connection, dial
from holdfast.net.dial import _sentence
from tests.net.loopback import ALICE, BOB, closed, listening, until


async def test_reaches_a_listener_and_checks_the_expected_key() -> None:
    async with listening() as (listener, arrivals):
        near = await dial(str(listener.addresses[0]), ALICE, expected_key=BOB.public_key)
        far = await arrivals.next()
        near.close()
        await closed(far)


async def test_somebody_else_is_refused_before_they_learn_who_asked() -> None:
    async with listening() as (listener, arrivals):
        with pytest.raises(HandshakeError, match="somebody else"):
            await dial(listener.addresses[0], ALICE, expected_key=ALICE.public_key)
        await until(lambda: not listener.gate.connections)
        assert arrivals.queue.empty()


async def test_nobody_listening_is_a_sentence_with_a_hint() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(PeerUnreachable, match=f"Nobody listens at 127.0.0.1:{port}") as caught:
            await dial(f"127.0.0.1:{port}", ALICE)
        assert caught.value.hint and caught.value.exit_code == 31


async def test_an_unknown_host_is_named() -> None:
    with pytest.raises(PeerUnreachable, match="'nowhere.invalid' is not known"):
        await dial("nowhere.invalid:1", ALICE)


async def test_silence_ends_after_the_timeout() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        host, port = silent.getsockname()
        with pytest.raises(PeerUnreachable, match="did not answer in 0.05 seconds"):
            await dial(Address(host, port), ALICE, timeout=0.05)


async def test_something_that_is_not_a_peer_is_recognised() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        with pytest.raises(HandshakeError):
            await dial(Address(*server.sockets[0].getsockname()), ALICE)


async def test_a_refusal_by_admit_reaches_the_dialler_as_an_error_on_both_sides() -> None:
    def refuse(connection: Connection) -> None:
        raise RemoteError("Not today.")

    async with listening(admit=refuse) as (listener, arrivals):
        with pytest.raises((HandshakeError, PeerUnreachable)):
            await dial(listener.addresses[0], ALICE)
        with pytest.raises(RemoteError, match="Not today"):
            await dial(listener.addresses[0], ALICE, admit=refuse)
        assert arrivals.queue.empty()


async def test_a_stopped_dial_leaves_nothing_open() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        task = asyncio.create_task(dial(Address(*silent.getsockname()), ALICE))
        loop = asyncio.get_running_loop()
        silent.setblocking(False)
        incoming, _ = await loop.sock_accept(silent)
        incoming.setblocking(False)
        with incoming:
            assert await loop.sock_recv(incoming, 1000)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            try:
                assert await asyncio.wait_for(loop.sock_recv(incoming, 1000), 10) == b""
            except ConnectionResetError:
                pass


async def test_ipv6_works_where_the_machine_has_it() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    from holdfast.net import listen
    from tests.net.loopback import Arrivals

    arrivals = Arrivals()
    try:
        listener = await listen("[::1]:0", BOB, arrivals)
    except ListenError:
        pytest.skip("no IPv6 loopback here")
    near = await dial(str(listener.addresses[0]), ALICE)
    far = await arrivals.next()
    near.close()
    await closed(far)
    await listener.close()


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (OSError(errno.EHOSTUNREACH, "x"), "no way to h:1"),
        (OSError(errno.ETIMEDOUT, "x"), "h:1 does not answer"),
        (OSError("Multiple exceptions: [Errno 111] Connect call refused"), "Nobody listens at h:1"),
        (OSError(5, "Input/output error"), "h:1 cannot be reached: Input/output error"),
    ],
)
def test_every_failure_is_a_sentence(failure: OSError, words: str) -> None:
    assert words in _sentence(Address("h", 1), failure)
