"""Secrets that can be recognised wherever they turn up, also in another spelling."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from pathlib import Path

from holdfast.encoding import z32_encode


def canary(chance: random.Random, what: str) -> bytes:
    """A secret of 32 bytes of text."""
    return f"{what}-".encode().ljust(8, b"-") + chance.randbytes(12).hex().encode()


def spellings(secret: bytes) -> Iterator[bytes]:
    """The ways in which programs write bytes down, without padding."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    yield z32_encode(secret).encode()[:-1]
    yield base64.b32encode(secret).rstrip(b"=")[:-1]
    yield base64.b64encode(secret).rstrip(b"=")[:-1]
    yield base64.urlsafe_b64encode(secret).rstrip(b"=")[:-1]
    yield repr(secret)[2:-1].encode()


def found(secrets: list[bytes], haystack: bytes) -> list[bytes]:
    """The secrets that can be read there."""
    return [secret for secret in secrets if any(word in haystack for word in spellings(secret))]


def files_below(directory: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file with its content, and its own path in front of that."""
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            yield path, str(path).encode() + b"\n" + path.read_bytes()
