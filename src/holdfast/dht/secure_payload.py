"""The talk about hole punching, sealed with a key that only the two ends of a handshake have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from holdfast.crypto import blake2b, secretbox, secretbox_open
from holdfast.dht.ipv4 import decode_address, decode_addresses, encode_address, encode_addresses
from holdfast.dht.nat import Address, Firewall, as_firewall
from holdfast.encoding import Buffer, decode_fixed, decode_uint, encode_uint
from holdfast.errors import DecodeError

_NONCE = 24
_TOKEN = 32
_CONNECTED, _PUNCHING, _ADDRESSES, _REMOTE_ADDRESS, _OUR_TOKEN, _REMOTE_TOKEN = (
    1 << bit for bit in range(6)
)


@dataclass(frozen=True, slots=True)
class PunchNote:
    """One word in the talk about hole punching."""

    error: int = 0
    firewall: Firewall = Firewall.UNKNOWN
    round: int = 0
    connected: bool = False
    punching: bool = False
    """The sender punches, or will as soon as the other side does."""
    addresses: list[Address] | None = None
    """Where the sender's socket is seen from outside."""
    remote_address: Address | None = None
    """Where the sender has just opened its NAT for an answer."""
    token: bytes | None = None
    remote_token: bytes | None = None
    """The other side's token back: proof that the sender receives under the address it came to."""

    def encode(self) -> bytes:
        """The bytes of it."""
        flags = (
            (_CONNECTED if self.connected else 0)
            | (_PUNCHING if self.punching else 0)
            | (_ADDRESSES if self.addresses is not None else 0)
            | (_REMOTE_ADDRESS if self.remote_address else 0)
            | (_OUR_TOKEN if self.token else 0)
            | (_REMOTE_TOKEN if self.remote_token else 0)
        )
        numbers = (flags, self.error, self.firewall, self.round)
        return b"".join(
            (
                *(encode_uint(number) for number in numbers),
                b"" if self.addresses is None else encode_addresses(self.addresses),
                encode_address(self.remote_address) if self.remote_address else b"",
                self.token or b"",
                self.remote_token or b"",
            )
        )

    @classmethod
    def decode(cls, data: Buffer) -> PunchNote:
        """Read it; DecodeError when it is none."""
        flags, at = decode_uint(data, 0)
        error, at = decode_uint(data, at)
        firewall, at = decode_uint(data, at)
        turn, at = decode_uint(data, at)
        addresses = remote_address = token = remote_token = None
        if flags & _ADDRESSES:
            addresses, at = decode_addresses(data, at)
        if flags & _REMOTE_ADDRESS:
            remote_address, at = decode_address(data, at)
        if flags & _OUR_TOKEN:
            token, at = decode_fixed(data, at, _TOKEN)
        if flags & _REMOTE_TOKEN:
            remote_token, at = decode_fixed(data, at, _TOKEN)
        return cls(
            error=error,
            firewall=as_firewall(firewall),
            round=turn,
            connected=bool(flags & _CONNECTED),
            punching=bool(flags & _PUNCHING),
            addresses=addresses,
            remote_address=remote_address,
            token=None if token is None else bytes(token),
            remote_token=None if remote_token is None else bytes(remote_token),
        )


class SecurePayload:
    """Seals and opens the notes of one handshake, and makes its tokens."""

    def __init__(self, secret: bytes, random: Callable[[int], bytes]) -> None:
        """``secret`` is `PeerHandshake.holepunch_secret`."""
        self._secret = secret
        self._random = random
        self._local = random(32)

    def seal(self, note: PunchNote) -> bytes:
        """What goes into `Holepunch.payload`."""
        nonce = self._random(_NONCE)
        return nonce + secretbox(self._secret, nonce, note.encode())

    def open(self, sealed: bytes) -> PunchNote:
        """The note in it; DecodeError when the other side of this handshake did not seal it."""
        if len(sealed) <= _NONCE:
            raise DecodeError("A word about hole punching is cut short.")
        return PunchNote.decode(secretbox_open(self._secret, sealed[:_NONCE], sealed[_NONCE:]))

    def token(self, address: Address) -> bytes:
        """A token for this host, which only somebody who receives there can give back."""
        return blake2b(address[0].encode(), key=self._local)
