"""The manifest of a log: who may sign its head (hypercore.md 4.2). Its hash is the log's key."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.crypto import blake2b
from holdfast.encoding.varint import (
    decode_buffer,
    decode_count,
    decode_fixed,
    decode_uint,
    encode_buffer,
    encode_uint,
)
from holdfast.errors import DecodeError
from holdfast.hypercore.caps import DEFAULT_NAMESPACE, MANIFEST

MAX_VERSION = 3
MAX_SIGNERS = 1024
"""One head may take a signature of each: a bound on the work a hostile link can make."""

_PATCH, _PROLOGUE, _LINKED, _USER_DATA = 1, 2, 4, 8
_BLAKE2B = b"\0"
_ED25519 = b"\0"
_STATIC, _SINGLE, _MULTI = 0, 1, 2
_SIGNER_SIZE = 65


@dataclass(frozen=True, slots=True)
class Signer:
    """One of those who may sign. ``namespace`` keeps two logs of one key pair apart."""

    public_key: bytes
    namespace: bytes = DEFAULT_NAMESPACE


@dataclass(frozen=True, slots=True)
class Prologue:
    """The first ``length`` blocks, fixed by their tree hash: valid without a signature."""

    hash: bytes
    length: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """Who may sign a log. Heads need ``quorum`` signatures of different ``signers``.

    With ``allow_patch`` a signer may have signed a longer tree, from which the nodes lead on.
    """

    signers: tuple[Signer, ...]
    quorum: int = 1
    version: int = 1
    allow_patch: bool = False
    prologue: Prologue | None = None
    linked: tuple[bytes, ...] | None = None
    """Keys of other logs (version 2)."""
    user_data: bytes | None = None
    """Free bytes (version 2)."""


def single_signer(public_key: bytes, namespace: bytes = DEFAULT_NAMESPACE) -> Manifest:
    """The manifest of a log with one writer, as every peer makes it by default."""
    return Manifest((Signer(public_key, namespace),))


def manifest_key(manifest: Manifest) -> bytes:
    """The key of the log that has this manifest."""
    return blake2b(MANIFEST + encode_manifest(manifest))


def encode_manifest(manifest: Manifest) -> bytes:
    """The bytes whose hash is the key; one manifest has one encoding."""
    if manifest.version == 0:
        return _encode_v0(manifest)
    prologue, linked, user_data = manifest.prologue, manifest.linked, manifest.user_data
    flags = (
        (_PATCH if manifest.allow_patch else 0)
        | (_PROLOGUE if prologue is not None else 0)
        | (_LINKED if linked is not None else 0)
        | (_USER_DATA if user_data is not None else 0)
    )
    parts = [encode_uint(manifest.version), encode_uint(flags), _BLAKE2B]
    parts += [encode_uint(manifest.quorum), _encode_signers(manifest.signers)]
    if prologue is not None:
        parts += [prologue.hash, encode_uint(prologue.length)]
    if linked is not None:
        parts += [encode_uint(len(linked)), *linked]
    if user_data is not None:
        parts.append(encode_buffer(user_data))
    return b"".join(parts)


def decode_manifest(data: bytes | memoryview) -> Manifest:
    """Reads a manifest of version 0 to 3; bytes after its end are ignored. Raises `DecodeError`."""
    version, at = decode_uint(data, 0)
    if version == 0:
        return _checked(_decode_v0(data, at))
    if version > MAX_VERSION:
        raise DecodeError(f"A manifest has version {version}, which is newer than this program.")
    flags, at = decode_uint(data, at)
    at = _expect_zero(data, at, "hash")
    quorum, at = decode_uint(data, at)
    signers, at = _decode_signers(data, at)
    prologue = linked = user_data = None
    if flags & _PROLOGUE:
        digest, at = decode_fixed(data, at, 32)
        length, at = decode_uint(data, at)
        prologue = Prologue(bytes(digest), length)
    if flags & _LINKED:
        count, at = decode_count(data, at, 32)
        linked = tuple(bytes(data[at + 32 * i : at + 32 * i + 32]) for i in range(count))
        at += 32 * count
    if flags & _USER_DATA:
        user_data = bytes(decode_buffer(data, at)[0])
    patch = bool(flags & _PATCH)
    return _checked(Manifest(signers, quorum, version, patch, prologue, linked, user_data))


def _checked(manifest: Manifest) -> Manifest:
    if manifest.quorum > len(manifest.signers):
        raise DecodeError("A manifest asks for more signatures than it has signers.")
    if manifest.version < 2 and (manifest.linked or manifest.user_data is not None):
        raise DecodeError("A manifest has fields that its version does not know.")
    return manifest


def _encode_signers(signers: tuple[Signer, ...]) -> bytes:
    parts = [encode_uint(len(signers))]
    parts += [_ED25519 + signer.namespace + signer.public_key for signer in signers]
    return b"".join(parts)


def _decode_signers(data: bytes | memoryview, at: int) -> tuple[tuple[Signer, ...], int]:
    count, at = decode_count(data, at, _SIGNER_SIZE)
    if count > MAX_SIGNERS:
        raise DecodeError(f"A manifest names {count} signers; at most {MAX_SIGNERS} are accepted.")
    signers = []
    for _ in range(count):
        signer, at = _decode_signer(data, at)
        signers.append(signer)
    return tuple(signers), at


def _decode_signer(data: bytes | memoryview, at: int) -> tuple[Signer, int]:
    at = _expect_zero(data, at, "signature")
    namespace, at = decode_fixed(data, at, 32)
    public_key, at = decode_fixed(data, at, 32)
    return Signer(bytes(public_key), bytes(namespace)), at


def _expect_zero(data: bytes | memoryview, at: int, kind: str) -> int:
    """BLAKE2b and Ed25519 are the only hash and signature there are; both have number 0."""
    number, at = decode_uint(data, at)
    if number != 0:
        raise DecodeError(f"A manifest uses {kind} algorithm {number}, which is not known.")
    return at


def _encode_v0(manifest: Manifest) -> bytes:
    signers, quorum = manifest.signers, manifest.quorum
    head = b"\0" + _BLAKE2B
    if manifest.prologue is not None and not signers:
        return head + encode_uint(_STATIC) + manifest.prologue.hash
    if quorum == 1 and len(signers) == 1 and not manifest.allow_patch:
        return head + encode_uint(_SINGLE) + _encode_signers(signers)[1:]
    flags = encode_uint(1 if manifest.allow_patch else 0)
    body = flags + encode_uint(quorum) + _encode_signers(signers)
    return head + encode_uint(_MULTI) + body


def _decode_v0(data: bytes | memoryview, at: int) -> Manifest:
    at = _expect_zero(data, at, "hash")
    kind, at = decode_uint(data, at)
    if kind == _STATIC:
        digest, _ = decode_fixed(data, at, 32)
        return Manifest((), 0, 0, prologue=Prologue(bytes(digest), 0))
    if kind == _SINGLE:
        signer, _ = _decode_signer(data, at)
        return Manifest((signer,), 1, 0)
    if kind != _MULTI:
        raise DecodeError(f"A manifest is of kind {kind}, which is not known.")
    flags, at = decode_uint(data, at)
    quorum, at = decode_uint(data, at)
    signers, _ = _decode_signers(data, at)
    return Manifest(signers, quorum, 0, allow_patch=bool(flags & 1))
