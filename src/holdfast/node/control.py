"""A way to speak to the process that has a store open: a socket that only its owner can reach.

The socket lies in a folder of this user, under a name made from the store's real path. Whoever
calls sends one JSON object on a line and gets one back, ``{"answer": …}`` or ``{"error": …}`` with
the fields of `HoldfastError.as_dict`; then they may send the next. What requests mean is up to the
handler. Only the holder of a store's lease may open its channel, so that a socket file which is
there before was left by a process that died.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from holdfast.crypto import blake2b
from holdfast.errors import ClosedError, HoldfastError, LocalError
from holdfast.net.near.machine_cards import runtime_folder

MAX_REQUEST = 64 * 1024
"""Bytes of a request."""
MAX_ANSWER = 16 * 1024 * 1024
"""Bytes of an answer: the switches of more drives than anybody has."""
MAX_CALLERS = 8
"""Callers at the same time; those beyond are hung up on."""
PATIENCE = 10.0
"""Seconds that a caller may take to say something, and to read what is answered."""
TIMEOUT = 60.0
"""Seconds that `ask` waits for an answer."""
REST = 0.5
"""Seconds before callers are taken again when there were no file descriptors left for one."""

MAX_PATH = 100
"""Bytes of a path that every system takes as the address of a socket."""
_BY_DESCRIPTOR = Path("/proc/self/fd")
_CREDENTIALS = struct.Struct("3i")

Message = dict[str, Any]
Handler = Callable[[Message], Awaitable[Message]]

log = logging.getLogger(__name__)


def control_folder() -> Path:
    """Where the sockets lie: beside the cards of `holdfast.net.near.machine_cards`."""
    return runtime_folder().with_name("control")


def socket_name(store: Path) -> str:
    """The name of the socket of a store, however its path is written."""
    return blake2b(os.fsencode(os.path.realpath(store)))[:16].hex() + ".sock"


class Control:
    """The channel of one store, open until `close`; made by `open`."""

    def __init__(self, handler: Handler, listener: socket.socket, folder: Path, name: str) -> None:
        """See `open`."""
        self._handler, self._listener, self._folder, self._name = handler, listener, folder, name
        self._callers: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.ensure_future(self._accept())

    @classmethod
    async def open(cls, store: Path, handler: Handler) -> Control:
        """Take requests for a store that this process has open; ``handler`` answers them.

        What it raises goes to the caller. Raises OSError where there can be no channel.
        """
        folder, name = control_folder(), socket_name(store)
        if not hasattr(socket, "AF_UNIX"):  # pragma: no cover - Windows
            raise OSError("this system has no such sockets")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with _opened(folder) as (fd, address_of):
                os.fchmod(fd, 0o700)
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=fd)
                listener.bind(address_of(name))
                os.chmod(name, 0o600, dir_fd=fd)
                listener.listen(MAX_CALLERS)
            listener.setblocking(False)
        except OSError:
            listener.close()
            raise
        return cls(handler, listener, folder, name)

    async def close(self) -> None:
        """Take no more requests and remove the socket; who waits for an answer is hung up on."""
        with suppress(OSError), _opened(self._folder) as (fd, _):
            os.unlink(self._name, dir_fd=fd)
        tasks = [self._accepting, *self._callers]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listener.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                caller, _ = await loop.sock_accept(self._listener)
            except OSError:  # out of descriptors
                await asyncio.sleep(REST)
                continue
            if len(self._callers) >= MAX_CALLERS or not is_ours(caller):
                caller.close()
                continue
            task = asyncio.ensure_future(self._serve(caller))
            self._callers.add(task)
            task.add_done_callback(self._callers.discard)

    async def _serve(self, caller: socket.socket) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=caller, limit=MAX_REQUEST)
        try:
            while line := await asyncio.wait_for(_line(reader), PATIENCE):
                writer.write(_encode(await self._answer(line)))
                await asyncio.wait_for(writer.drain(), PATIENCE)
        except LocalError as error:  # a line without an end: what follows cannot be told apart
            writer.write(_encode({"error": error.as_dict()}))
        except (OSError, TimeoutError):
            pass
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> Message:
        try:
            request = _decode(line)
            if request is None:
                raise LocalError("The request is not a JSON object.")
            return {"answer": await self._handler(request)}
        except HoldfastError as error:
            return {"error": error.as_dict()}
        except Exception as error:
            log.exception("a request of the control channel failed")
            return {
                "error": HoldfastError(f"{type(error).__name__} in the other process.").as_dict()
            }


async def ask(store: Path, request: Message, *, timeout: float = TIMEOUT) -> Message | None:
    """Ask whoever has a store open; None when no such process takes requests.

    Raises the error that it answers with, and `ClosedError` when it gives no answer.
    """
    caller = await _call(store)
    if caller is None:
        return None
    reader, writer = await asyncio.open_unix_connection(sock=caller, limit=MAX_ANSWER)
    try:
        writer.write(_encode(request))
        answer = _decode(await asyncio.wait_for(_line(reader), timeout))
    except (OSError, TimeoutError, LocalError):
        answer = None
    finally:
        writer.close()
    found = (answer or {}).get("answer")
    if isinstance(found, dict):
        return found
    raise _error((answer or {}).get("error"))


async def _call(store: Path) -> socket.socket | None:
    caller = socket.socket(getattr(socket, "AF_UNIX", socket.AF_INET), socket.SOCK_STREAM)
    caller.setblocking(False)
    try:
        with _opened(control_folder()) as (_, address_of):
            address = address_of(socket_name(store))
            await asyncio.get_running_loop().sock_connect(caller, address)
        if is_ours(caller):
            return caller
    except OSError:
        pass
    caller.close()
    return None


def is_ours(other: socket.socket) -> bool:
    """Whether the process at the other end belongs to this user, where the system can tell."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:  # pragma: no cover - the folder keeps others out
        return True
    credentials = other.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(credentials)
    return bool(user == os.geteuid())


@contextmanager
def _opened(folder: Path) -> Iterator[tuple[int, Callable[[str], str]]]:
    """The folder, which must be this user's, and the addresses of sockets in it."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(fd).st_uid != os.geteuid():
            raise PermissionError(f"{folder} belongs to another user")

        def address_of(name: str) -> str:
            # By its descriptor the folder cannot be swapped, and its path may be of any length.
            if _BY_DESCRIPTOR.is_dir():
                return f"{_BY_DESCRIPTOR}/{fd}/{name}"
            path = str(folder / name)
            if len(os.fsencode(path)) > MAX_PATH:
                raise OSError(f"the path {folder} is too long for a socket")
            return path

        yield fd, address_of
    finally:
        os.close(fd)


async def _line(reader: asyncio.StreamReader) -> bytes:
    """The next whole line; empty at the end. Raises `LocalError` for one that is too long."""
    try:
        line = await reader.readline()
    except ValueError:
        raise LocalError("The request is too long.") from None
    return line if line.endswith(b"\n") else b""


def _encode(message: Message) -> bytes:
    return json.dumps(message).encode() + b"\n"


def _decode(line: bytes) -> Message | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _error(content: object) -> HoldfastError:
    """What the other process raised, as far as it can be told."""
    if not isinstance(content, dict):
        return ClosedError(
            "The process that has the store open gave no answer.", "Run the same command again."
        )
    message, hint, code = (str(content.get(each, "")) for each in ("message", "hint", "code"))
    kind = _kinds(HoldfastError).get(code, HoldfastError)
    return kind(message, hint)


def _kinds(kind: type[HoldfastError]) -> dict[str, type[HoldfastError]]:
    """Error classes by their code."""
    found = {kind.code: kind}
    for below in kind.__subclasses__():
        found = _kinds(below) | found
    return found
