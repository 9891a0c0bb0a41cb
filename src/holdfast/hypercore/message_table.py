"""The messages of a replication channel by number: one way to write and to read any of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast.errors import DecodeError
from holdfast.hypercore import messages as wire

_NUMBERS: dict[type, int] = {
    wire.Sync: wire.SYNC,
    wire.Request: wire.REQUEST,
    wire.Data: wire.DATA,
    wire.NoData: wire.NO_DATA,
    wire.Want: wire.WANT,
    wire.BitfieldMessage: wire.BITFIELD,
    wire.Range: wire.RANGE,
    wire.Extension: wire.EXTENSION,
}

_CODECS: list[tuple[Callable[[Any], bytes], Callable[[memoryview], Any]]] = [
    (wire.encode_sync, wire.decode_sync),
    (wire.encode_request, wire.decode_request),
    (wire.encode_cancel, wire.decode_cancel),
    (lambda data: b"".join(wire.encode_data(data.request, data.fork, data)), wire.decode_data),
    (lambda answer: wire.encode_no_data(answer.request, answer.reason), wire.decode_no_data),
    (wire.encode_want, wire.decode_want),
    (wire.encode_want, wire.decode_want),
    (wire.encode_bitfield, wire.decode_bitfield),
    (wire.encode_range, wire.decode_range),
    (wire.encode_extension, wire.decode_extension),
]


def number_of(message: object) -> int:
    """The number of a message value (cancel and unwant have no type of their own)."""
    return _NUMBERS[type(message)]


def encode(number: int, message: object) -> bytes:
    """The body of a message."""
    return _CODECS[number][0](message)


def decode(number: int, body: memoryview) -> Any:
    """The message in a body. Raises `DecodeError`."""
    if not 0 <= number < len(_CODECS):
        raise DecodeError(f"There is no replication message number {number}.")
    return _CODECS[number][1](body)
