"""What a hostile process sends over a real socket, and watching the process that gets it."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from holdfast.crypto import discovery_key, key_pair
from holdfast.encoding import encode_uint
from holdfast.errors import HoldfastError
from holdfast.hypercore.caps import capability
from holdfast.hypercore.messages import Handshake, encode_handshake
from holdfast.wire import SecretStream

_PAGE = os.sysconf("SC_PAGE_SIZE")


class Watch:
    """Memory and descriptors of another process."""

    def __init__(self, pid: int) -> None:
        self._proc = Path(f"/proc/{pid}")
        self.memory_before, self.files_before = self.memory, self.files
        self.memory_most, self.files_most = self.memory_before, self.files_before

    @property
    def memory(self) -> int:
        """Resident bytes now."""
        return int((self._proc / "statm").read_text().split()[1]) * _PAGE

    @property
    def files(self) -> int:
        """Open descriptors now."""
        return len(os.listdir(self._proc / "fd"))

    def look(self) -> None:
        """Note the most seen so far."""
        self.memory_most = max(self.memory_most, self.memory)
        self.files_most = max(self.files_most, self.files)

    @property
    def grown(self) -> tuple[int, int]:
        """Bytes and descriptors more than at first, at most."""
        self.look()
        return self.memory_most - self.memory_before, self.files_most - self.files_before


def connect(port: int, source: int = 0) -> socket.socket:
    """A connection from one of many addresses of this machine."""
    host = f"127.1.{source >> 8 & 255}.{source & 255 or 1}"
    made = socket.create_connection(("127.0.0.1", port), 10, source_address=(host, 0))
    made.settimeout(10)
    return made


def before_the_handshake(chance: random.Random) -> bytes:
    """What a process sends that never meant to shake hands."""
    stream = SecretStream(True, key_pair(chance.randbytes(32)))
    hello = b"".join(map(bytes, stream.to_send(0.0)))
    spoiled = bytearray(hello)
    spoiled[chance.randrange(len(spoiled))] ^= 1 << chance.randrange(8)
    return chance.choice(
        [
            b"",
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            chance.randbytes(chance.randrange(1, 200_000)),
            b"\xff\xff\xff" + bytes(100),
            b"\x00\x10\x00" + bytes(4095),
            b"\x00\x00\x00" * 5000,
            bytes(spoiled),
            hello[: chance.randrange(len(hello))],
            hello,
            hello + hello,
            hello + chance.randbytes(300),
        ]
    )


class Intruder:
    """Somebody with a key of their own and a handshake that succeeds; what follows is hostile."""

    def __init__(self, port: int, source: int = 0) -> None:
        self.socket = connect(port, source)
        self.stream = SecretStream(True, key_pair())
        while not self.stream.opened:
            self.flush()
            self._receive()

    def flush(self) -> None:
        for piece in self.stream.to_send(0.0):
            self.socket.sendall(piece)

    def _receive(self) -> None:
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionResetError("the other side has hung up")
        self.stream.receive(data, 0.0)

    def say(self, *messages: bytes) -> None:
        """Send messages, sealed as they should be."""
        for message in messages:
            self.stream.write(message)
        self.flush()

    def raw(self, data: bytes) -> None:
        """Send bytes that are no sealed message."""
        self.flush()
        self.socket.sendall(data)

    def wait_until_thrown_out(self) -> bool:
        """Whether the other side hangs up."""
        try:
            while self.socket.recv(1 << 16):
                pass
        except TimeoutError:
            return False
        except OSError:
            return True
        return True

    def close(self) -> None:
        self.socket.close()


@contextlib.contextmanager
def hung_up() -> Iterator[None]:
    """The other side may hang up at any time, and often should."""
    with contextlib.suppress(OSError, HoldfastError):
        yield


def open_channel(key: bytes, stream: SecretStream) -> bytes:
    """An open of the log's channel by somebody who knows its key."""
    name = b"hypercore/alpha"
    id = discovery_key(key)
    shake = encode_handshake(Handshake(True, capability(True, key, stream.handshake_hash)))
    return b"\x00\x01\x01" + bytes([len(name)]) + name + bytes([len(id)]) + id + shake


def endless(key: bytes, stream: SecretStream) -> list[bytes]:
    """The log is 2**53 - 1 blocks long, and all of them are here."""
    huge = encode_uint((1 << 53) - 1)
    opened = open_channel(key, stream)
    return [opened, b"\x01\x00\x07\x00" + huge + huge, b"\x01\x08\x00\x00" + huge]


def after_the_handshake(chance: random.Random, key: bytes, stream: SecretStream) -> list[bytes]:
    """Sealed messages from somebody who may even know the key of the log."""
    huge = encode_uint((1 << 53) - 1)
    opened = open_channel(key, stream)
    return chance.choice(
        [
            [chance.randbytes(chance.randrange(1, 2000)) for _ in range(20)],
            [b"\x00\x00" + huge + b"\x01" + b"x"],
            [b"\x00\x00" + chance.randbytes(3000)],
            [b"\x00\x01" + encode_uint(n) + b"\x01a\x00" for n in range(1, 6000)],
            [b"\x00\x01" + huge + b"\xfe" + struct.pack("<I", 1 << 31) + b"name"],
            [b"\x00\x03" + encode_uint(n) for n in range(5000)],
            [encode_uint(n) + b"\x00" + chance.randbytes(50) for n in range(2000)],
            [
                opened,
                *(b"\x01" + bytes([chance.randrange(12)]) + chance.randbytes(40) for _ in range(9)),
            ],
            endless(key, stream),
            [
                opened,
                *(b"\x01\x05" + encode_uint(n << 22) + encode_uint(1 << 40) for n in range(3000)),
            ],
            [opened, *(b"\x01\x08\x00" + encode_uint(n << 20) + b"\x01" for n in range(5000))],
            [opened, *(b"\x01\x01\x01" + encode_uint(n) + b"\x00\x00" for n in range(6000))],
        ]
    )
