"""Two secret streams and the bytes between them."""

from __future__ import annotations

from typing import Any

from holdfast.crypto import key_pair
from holdfast.wire import SecretStream

DIALLER, LISTENER, STRANGER = (key_pair(bytes([n]) * 32) for n in (1, 2, 3))


def pair(one: dict[str, Any] | None = None, two: dict[str, Any] | None = None) -> tuple[
    SecretStream, SecretStream
]:  # fmt: skip
    """An initiator and a responder; the arguments go to their constructors."""
    return (
        SecretStream(True, DIALLER, **(one or {})),
        SecretStream(False, LISTENER, **(two or {})),
    )


def bytes_of(stream: SecretStream, now: float = 0.0) -> bytes:
    """Everything it wants to send."""
    return b"".join(stream.to_send(now))


def settle(one: SecretStream, two: SecretStream) -> tuple[list[bytes], list[bytes]]:
    """Carry bytes until neither wants to send; returns what each has received."""
    to_one: list[bytes] = []
    to_two: list[bytes] = []
    while True:
        forth, back = bytes_of(one), bytes_of(two)
        if not forth and not back:
            return to_one, to_two
        to_two += two.receive(forth)
        to_one += one.receive(back)


def opened(**options: Any) -> tuple[SecretStream, SecretStream]:
    """A pair behind its handshake."""
    one, two = pair(options, options)
    settle(one, two)
    assert one.opened
    assert two.opened
    return one, two
