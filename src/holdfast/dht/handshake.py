"""The IK handshake of two peers in two packets of the DHT (wire notes 4.11)."""

from __future__ import annotations

from collections.abc import Callable

from holdfast.crypto import KeyPair, blake2b, key_pair, namespace
from holdfast.dht.noise_payload import NoisePayload
from holdfast.wire import HandshakeResult, HandshakeState

NS_PEER_HANDSHAKE, NS_PEER_HOLEPUNCH = namespace("hyperswarm/dht", [0, 1])
"""What binds a handshake, and the keys made from it, to this purpose."""


class PeerHandshake:
    """One side of it. The client `write`s and then `read`s, the server the other way round."""

    def __init__(
        self,
        static: KeyPair,
        remote_public_key: bytes | None = None,
        *,
        generate: Callable[[], KeyPair] = key_pair,
    ) -> None:
        """``remote_public_key`` makes it the client's side: only that peer can answer."""
        self.initiator = remote_public_key is not None
        self._state = HandshakeState(
            "IK",
            self.initiator,
            static,
            remote_static=remote_public_key,
            prologue=NS_PEER_HANDSHAKE,
            generate=generate,
        )

    def write(self, payload: NoisePayload) -> bytes:
        """Our message, to be carried by the DHT."""
        return self._state.write(payload.encode())

    def read(self, noise: bytes) -> NoisePayload:
        """The other side's message; HandshakeError or DecodeError when it is not for us.

        After an error another message can be tried: a relay that sends nonsense spoils nothing.
        """
        state = self._state.copy()
        payload = NoisePayload.decode(state.read(noise))
        self._state = state
        return payload

    @property
    def remote_public_key(self) -> bytes:
        """The other side's key; for a server it is proven only by what comes afterwards.

        A first message may be a copy of an old one: whoever sent it cannot read our answer.
        """
        return self._state.remote_static or b""

    @property
    def result(self) -> HandshakeResult:
        """What `SecretStream.after_handshake` needs, after both messages."""
        assert self._state.result is not None, "the handshake is not finished"
        return self._state.result

    @property
    def holepunch_secret(self) -> bytes:
        """The key of `SecurePayload`, after both messages."""
        return blake2b(NS_PEER_HOLEPUNCH, key=self.result.handshake_hash)
