"""How keys and values become bytes, and how a sub-bee prefixes its keys."""

from __future__ import annotations

import json
from typing import Any, Protocol

from holdfast.errors import DecodeError, LocalError
from holdfast.hyperbee.cursor import Bounds

SEPARATOR = b"\x00"


class Encoding(Protocol):
    """Turns values into bytes and back; `decode` raises `DecodeError` for wrong bytes."""

    def encode(self, value: Any) -> bytes:
        """The bytes of a value."""

    def decode(self, data: bytes) -> Any:
        """The value that these bytes are."""


class _Binary:
    def encode(self, value: Any) -> bytes:
        if isinstance(value, bytes):
            return value
        if isinstance(value, str):
            return value.encode()
        return bytes(memoryview(value))

    def decode(self, data: bytes) -> bytes:
        return data


class _Text:
    def encode(self, value: Any) -> bytes:
        return value if isinstance(value, bytes) else str(value).encode()

    def decode(self, data: bytes) -> str:
        return data.decode("utf-8", "replace")


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_JSON = json.JSONDecoder(parse_constant=_no_number)


class _Json:
    """JSON with the spacing and escapes of ``JSON.stringify``."""

    def encode(self, value: Any) -> bytes:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        try:
            return text.encode()
        except UnicodeEncodeError:  # half a surrogate pair, which JavaScript escapes
            return "".join(
                f"\\u{ord(c):04x}" if "\ud800" <= c <= "\udfff" else c for c in text
            ).encode()

    def decode(self, data: bytes) -> Any:
        try:
            return _JSON.decode(data.decode())
        except (ValueError, RecursionError) as error:
            raise DecodeError("a value in the bee is not JSON") from error


ENCODINGS: dict[str, Encoding] = {"binary": _Binary(), "utf-8": _Text(), "json": _Json()}
"""Encodings by the names JavaScript gives them."""


def encoding(name: str | Encoding) -> Encoding:
    """The encoding of that name; an object with ``encode`` and ``decode`` stands for itself."""
    if not isinstance(name, str):
        return name
    found = ENCODINGS.get(name)
    if found is None:
        raise LocalError(
            f"there is no encoding named {name!r}", f"Use one of {', '.join(ENCODINGS)}."
        )
    return found


class Codec:
    """Encoding of the keys of a bee or sub-bee, and of its values."""

    __slots__ = ("_skip", "keys", "prefix", "values")

    def __init__(self, keys: Encoding, values: Encoding, prefix: bytes = b"") -> None:
        self.keys = keys
        self.values = values
        self.prefix = prefix
        self._skip = len(prefix)

    def key(self, key: Any) -> bytes:
        """The bytes of a key."""
        return self.prefix + self.keys.encode(key)

    def plain_key(self, raw: bytes) -> Any:
        """The key that these bytes are."""
        return self.keys.decode(raw[self._skip :])

    def value(self, raw: bytes | None) -> Any:
        """The value that these bytes are; None stays None."""
        return None if raw is None else self.values.decode(raw)

    def sub(self, name: bytes | str, keys: Encoding | None, values: Encoding | None) -> Codec:
        """The codec of a sub-bee: its keys begin with ``name`` and a zero byte."""
        inner = name.encode() if isinstance(name, str) else name
        prefix = self.prefix + inner + SEPARATOR
        return Codec(keys or self.keys, values or self.values, prefix)

    def bounds(self, *, gt: Any = None, gte: Any = None, lt: Any = None, lte: Any = None) -> Bounds:
        """The range between keys; inside a sub-bee open ends stop at its first and last key."""
        low = gt if gt is not None else gte
        high = lt if lt is not None else lte
        prefix = self.prefix
        raw_low = self.key(low) if low is not None else prefix or None
        if high is not None:
            return Bounds(raw_low, gt is None, self.key(high), lt is None)
        if not prefix:
            return Bounds(raw_low, gt is None)
        return Bounds(raw_low, gt is None, prefix[:-1] + b"\x01", False)
