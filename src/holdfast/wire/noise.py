"""Noise handshakes XX and IK as the Hypercore family speaks them (wire notes 4.4).

``Noise_<pattern>_Ed25519_ChaChaPoly_BLAKE2b``: static and ephemeral keys are Ed25519 keys and the
Diffie-Hellman runs on that curve. Both sides call `HandshakeState.write` and `HandshakeState.read`
in turn until ``result`` is there::

    XX  -> e              both sides learn the other's static key
        <- e, ee, s, es
        -> s, se
    IK  -> e, es, s, ss   the initiator knows the responder's key beforehand
        <- e, ee, se
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import NamedTuple

from holdfast.crypto import (
    Buffer,
    KeyPair,
    chacha20poly1305_decrypt,
    chacha20poly1305_encrypt,
    dh,
    hash64,
    hkdf,
    key_pair,
)
from holdfast.errors import DecodeError, HandshakeError

MAX_NOISE_MESSAGE = 65535
"""The limit of the Noise specification, section 3."""

_KEY = 32
_TAG = 16
_EMPTY_KEY = b""

_PATTERNS = {
    "XX": (("e",), ("e", "ee", "s", "es"), ("s", "se")),
    "IK": (("e", "es", "s", "ss"), ("e", "ee", "se")),
}
_KNOWN_RESPONDER = {"IK"}
"""Patterns whose initiator needs the responder's static key before the first message."""


class HandshakeResult(NamedTuple):
    """What both sides share when the handshake is over; ``tx`` of one is ``rx`` of the other."""

    tx: bytes
    rx: bytes
    handshake_hash: bytes
    """64 bytes, equal on both sides and only in this connection: capabilities are bound to it."""
    public_key: bytes
    remote_public_key: bytes

    def __repr__(self) -> str:
        """Show who, not the keys: they must not reach a log or a traceback."""
        return f"HandshakeResult(remote_public_key={self.remote_public_key.hex()})"


class HandshakeState:
    """One side of a handshake. After an error it is of no further use."""

    def __init__(
        self,
        pattern: str,
        initiator: bool,
        static: KeyPair,
        *,
        remote_static: bytes | None = None,
        prologue: bytes = b"",
        generate: Callable[[], KeyPair] = key_pair,
    ) -> None:
        """``generate`` makes the ephemeral key; ``remote_static`` is needed to initiate IK."""
        self.initiator = initiator
        self.remote_static: bytes | None = None
        """The other side's static key, as soon as a message has proven to carry it."""
        self.result: HandshakeResult | None = None
        self._static = static
        self._generate = generate
        self._ephemeral: KeyPair | None = None
        self._remote_ephemeral: bytes | None = None
        self._messages = list(_PATTERNS[pattern])
        self._writing = initiator
        self._hash = f"Noise_{pattern}_Ed25519_ChaChaPoly_BLAKE2b".encode().ljust(64, b"\x00")
        self._chain = self._hash
        self._key = _EMPTY_KEY
        self._nonce = 0
        self._mix_hash(prologue)
        if pattern in _KNOWN_RESPONDER:
            self._mix_hash(self._pre_shared(remote_static))

    def write(self, payload: bytes = b"") -> bytes:
        """The next message to send, carrying ``payload`` (secret from the second message on)."""
        message = b"".join([self._write_token(token) for token in self._next_message(True)])
        message += self._seal(payload)
        if len(message) > MAX_NOISE_MESSAGE:
            raise ValueError("a handshake payload does not fit into one Noise message")
        self._finish()
        return message

    def read(self, message: Buffer) -> bytes:
        """Take the other side's next message; returns its payload, or raises HandshakeError."""
        if len(message) > MAX_NOISE_MESSAGE:
            raise HandshakeError("A handshake message is longer than Noise allows.")
        rest = bytes(message)
        try:
            for token in self._next_message(False):
                rest = self._read_token(token, rest)
            payload = self._open(rest)
        except DecodeError as error:
            raise HandshakeError(
                "A handshake message does not open: wrong key or changed."
            ) from error
        self._finish()
        return payload

    def copy(self) -> HandshakeState:
        """The same state, to try a message on that may turn out to be worth nothing."""
        twin = copy.copy(self)
        twin._messages = list(self._messages)
        return twin

    # ------------------------------------------------------------ tokens

    def _pre_shared(self, remote_static: bytes | None) -> bytes:
        """The responder's key, which goes into the hash before the first message."""
        if not self.initiator:
            return self._static.public_key
        if remote_static is None or len(remote_static) != _KEY:
            raise ValueError("this pattern needs the responder's public key (32 bytes)")
        self.remote_static = remote_static
        return remote_static

    def _next_message(self, writing: bool) -> tuple[str, ...]:
        if not self._messages or self._writing != writing:
            raise HandshakeError("A handshake message came out of turn.")
        self._writing = not writing
        return self._messages.pop(0)

    def _write_token(self, token: str) -> bytes:
        if token == "e":
            self._ephemeral = self._generate()
            self._mix_hash(self._ephemeral.public_key)
            return self._ephemeral.public_key
        if token == "s":
            return self._seal(self._static.public_key)
        self._mix_dh(token)
        return b""

    def _read_token(self, token: str, rest: bytes) -> bytes:
        """Take what ``token`` stands for off the front of ``rest``."""
        if token not in ("e", "s"):
            self._mix_dh(token)
            return rest
        size = _KEY + _TAG if token == "s" and self._key else _KEY
        if len(rest) < size:
            raise HandshakeError("A handshake message is cut short.")
        field, rest = rest[:size], rest[size:]
        if token == "e":
            self._remote_ephemeral = field
            self._mix_hash(field)
        else:
            self.remote_static = self._open(field)
        return rest

    def _mix_dh(self, token: str) -> None:
        """Mix in the shared secret of two keys; the token's first letter is the initiator's key."""
        mine, theirs = (token[0], token[1]) if self.initiator else (token[1], token[0])
        local = self._static if mine == "s" else self._ephemeral
        remote = self.remote_static if theirs == "s" else self._remote_ephemeral
        assert local is not None and remote is not None  # the patterns see to it
        self._chain, key = hkdf(self._chain, dh(local.secret_key, remote))
        self._key, self._nonce = key[:_KEY], 0

    # ------------------------------------------------------------ symmetric state

    def _mix_hash(self, data: bytes) -> None:
        self._hash = hash64(self._hash + data)

    def _next_nonce(self) -> bytes:
        nonce = bytes(4) + self._nonce.to_bytes(8, "little")
        self._nonce += 1
        return nonce

    def _seal(self, plain: bytes) -> bytes:
        sealed = plain
        if self._key:
            sealed = chacha20poly1305_encrypt(self._key, self._next_nonce(), self._hash, plain)
        self._mix_hash(sealed)
        return sealed

    def _open(self, sealed: bytes) -> bytes:
        plain = sealed
        if self._key:
            plain = chacha20poly1305_decrypt(self._key, self._next_nonce(), self._hash, sealed)
        self._mix_hash(sealed)
        return plain

    def _finish(self) -> None:
        """After the last message: split into the two keys and forget the ephemeral secret."""
        if self._messages:
            return
        first, second = (key[:_KEY] for key in hkdf(self._chain, b""))
        tx, rx = (first, second) if self.initiator else (second, first)
        assert self.remote_static is not None
        mine, theirs = self._static.public_key, self.remote_static
        self.result = HandshakeResult(tx, rx, self._hash, mine, theirs)
        self._ephemeral = None
