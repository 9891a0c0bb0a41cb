"""An authenticated, encrypted connection over any byte stream (wire notes 4.4).

A pure state machine: feed it what arrives with `SecretStream.receive`, send what `to_send` returns,
call `on_deadline` when `deadline` has come. Time is whatever clock the caller passes, in seconds.

How it goes: the Noise handshake, each message in a frame; then each side sends one header frame
(stream id and secretstream header); from there each frame is one sealed message. An empty message
keeps the connection alive and is swallowed on arrival. Every error is final: the stream refuses
further use and the connection under it must be closed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from holdfast.crypto import (
    STREAM_HEADER_BYTES,
    STREAM_OVERHEAD,
    Buffer,
    KeyPair,
    Pull,
    PullStream,
    Push,
    PushStream,
    blake2b,
    equal,
    key_pair,
    namespace,
)
from holdfast.errors import ClosedError, DecodeError, HandshakeError, PeerUnreachable
from holdfast.wire.framing import LENGTH_BYTES, MAX_FRAME, FrameReader, frame
from holdfast.wire.noise import HandshakeResult, HandshakeState

MAX_MESSAGE = MAX_FRAME - STREAM_OVERHEAD
"""The longest message that fits into one frame."""

MAX_HANDSHAKE_FRAME = 4096
"""Strangers may make us hold this much: the handshake messages of the peers have 32 to 96 bytes."""

HANDSHAKE_TIMEOUT = 15.0
"""Seconds until both sides must know each other; three round trips on the slowest link we serve."""

KEEP_ALIVE = 5.0
"""Seconds of silence after which the peers send an empty message; ours is the same."""

_ID_BYTES = 32
_NS_INITIATOR, _NS_RESPONDER = namespace("hyperswarm/secret-stream", [0, 1])
_BEFORE = bytes(LENGTH_BYTES + 1)
_BEHIND = bytes(STREAM_OVERHEAD - 1)
_SMALL = 4096
"""Frames below this are joined before they are handed to the socket."""


class SecretStream:
    """One side of an encrypted connection; see the module for the verbs."""

    def __init__(
        self,
        initiator: bool,
        static: KeyPair,
        *,
        pattern: str = "XX",
        expected_remote_key: bytes | None = None,
        prologue: bytes = b"",
        keep_alive: float | None = KEEP_ALIVE,
        idle_timeout: float | None = None,
        generate: Callable[[], KeyPair] = key_pair,
        now: float = 0.0,
    ) -> None:
        """Begin a handshake as ``static``.

        With ``expected_remote_key`` any other peer is refused, before an initiator has told it who
        we are. ``keep_alive`` None sends and swallows no empty messages; ``idle_timeout`` ends a
        connection on which nothing arrives for so long.
        """
        self._reset(initiator, keep_alive, idle_timeout, now)
        self._expected = expected_remote_key
        self._handshake: HandshakeState | None = HandshakeState(
            pattern,
            initiator,
            static,
            remote_static=expected_remote_key if pattern == "IK" and initiator else None,
            prologue=prologue,
            generate=generate,
        )
        if initiator:
            self._out.append(frame(self._handshake.write()))

    @classmethod
    def after_handshake(
        cls,
        initiator: bool,
        result: HandshakeResult,
        *,
        keep_alive: float | None = KEEP_ALIVE,
        idle_timeout: float | None = None,
        now: float = 0.0,
    ) -> SecretStream:
        """A stream whose handshake was done elsewhere (in DHT packets): it starts at the header."""
        stream = cls.__new__(cls)
        stream._reset(initiator, keep_alive, idle_timeout, now)
        stream._expected = None
        stream._handshake = None
        stream._start(result)
        return stream

    def _reset(
        self, initiator: bool, keep_alive: float | None, idle_timeout: float | None, now: float
    ) -> None:
        self.initiator = initiator
        self.result: HandshakeResult | None = None
        self.bytes_received = 0
        self.bytes_sent = 0
        self._keep_alive = keep_alive
        self._idle_timeout = idle_timeout
        self._started = self._last_sent = self._last_received = now
        self._frames = FrameReader(MAX_HANDSHAKE_FRAME)
        self._push: Push | None = None
        self._pull: Pull | None = None
        self._out: list[Buffer] = []
        self._waiting: list[Sequence[Buffer]] = []
        self._closed = False

    # ------------------------------------------------------------ who is there

    @property
    def opened(self) -> bool:
        """Whether the other side has proven who it is; `result` is there from then on."""
        return self.result is not None

    @property
    def closed(self) -> bool:
        """Whether an error or `close` has ended this stream."""
        return self._closed

    @property
    def remote_public_key(self) -> bytes:
        """The other side's static key; ClosedError before `opened`."""
        return self._opened_result().remote_public_key

    @property
    def handshake_hash(self) -> bytes:
        """The 64 bytes only this connection has; ClosedError before `opened`."""
        return self._opened_result().handshake_hash

    def _opened_result(self) -> HandshakeResult:
        if self.result is None:
            raise ClosedError("The connection is not open yet.")
        return self.result

    # ------------------------------------------------------------ in

    def receive(self, data: Buffer, now: float = 0.0) -> list[bytes]:
        """Take the next bytes from the other side; returns the messages they complete, in order.

        ``data`` may be cut anywhere and reused after the call. HandshakeError before the first
        message, DecodeError afterwards: either ends the stream, and nothing of ``data`` comes back.
        """
        if self._closed:
            raise ClosedError("The connection is closed.")
        self.bytes_received += len(data)
        self._last_received = now
        messages: list[bytes] = []
        keep_empty = self._keep_alive is None
        pull = self._pull
        try:
            for body in self._frames.split(data):
                if pull is None:
                    self._handshake_frame(body)
                    pull = self._pull
                    continue
                message = pull.pull(body)
                if message or keep_empty:
                    messages.append(message)
        except HandshakeError:
            self.close()
            raise
        except DecodeError as error:
            self.close()
            if pull is None:
                raise HandshakeError(
                    "The other side does not speak this protocol.",
                    "Check that the address and port are those of a Hypercore peer.",
                ) from error
            raise
        return messages

    def _handshake_frame(self, body: memoryview) -> None:
        """One frame before the first message: a Noise message, then the header."""
        handshake = self._handshake
        if handshake is None:
            self._header_frame(body)
            return
        handshake.read(body)
        self._check_remote(handshake.remote_static)
        if handshake.result is None:
            self._out.append(frame(handshake.write()))
        if handshake.result is not None:
            self._handshake = None
            self._start(handshake.result)

    def _check_remote(self, key: bytes | None) -> None:
        expected = self._expected
        if key is not None and expected is not None and not equal(key, expected):
            raise HandshakeError(
                "The peer at this address is somebody else than the one expected.",
                "Ask for a fresh link, or check the address.",
            )

    def _start(self, result: HandshakeResult) -> None:
        """Both keys are known: send the header, then whatever has been waiting for it."""
        self.result = result
        self._push = PushStream(result.tx)
        stream_id = _stream_id(result.handshake_hash, self.initiator)
        self._out.append(frame(stream_id + self._push.header))
        waiting, self._waiting = self._waiting, []
        for parts in waiting:
            self._seal(parts)

    def _header_frame(self, body: memoryview) -> None:
        result = self._opened_result()
        expected = _stream_id(result.handshake_hash, not self.initiator)
        if len(body) != _ID_BYTES + STREAM_HEADER_BYTES or body[:_ID_BYTES] != expected:
            raise HandshakeError("The other side started the encrypted stream wrongly.")
        self._pull = PullStream(result.rx, bytes(body[_ID_BYTES:]))
        self._frames.limit = MAX_FRAME

    # ------------------------------------------------------------ out

    def write(self, message: Buffer) -> None:
        """Send one message of at most `MAX_MESSAGE` bytes; before `opened` it waits for that."""
        self.write_parts((message,))

    def write_parts(self, parts: Sequence[Buffer]) -> None:
        """Send ``parts`` end to end as one message, joined and sealed in a single copy.

        The parts must not change until `opened`. After an error this does nothing: `receive` has
        told.
        """
        if self._closed:
            return
        if sum(map(len, parts)) > MAX_MESSAGE:
            raise ValueError("a message holds at most 2**24 - 18 bytes")
        if self._push is None:
            self._waiting.append(parts)
        else:
            self._seal(parts)

    def _seal(self, parts: Sequence[Buffer]) -> None:
        assert self._push is not None
        buffer = bytearray().join((_BEFORE, *parts, _BEHIND))
        buffer[:LENGTH_BYTES] = (len(buffer) - LENGTH_BYTES).to_bytes(LENGTH_BYTES, "little")
        self._push.push_in_place(buffer, LENGTH_BYTES)
        self._out.append(buffer)

    def to_send(self, now: float = 0.0) -> list[Buffer]:
        """The bytes to put on the wire, in order; small frames joined, large ones as they are."""
        if not self._out:
            return []
        out, self._out = self._out, []
        self._last_sent = now
        self.bytes_sent += sum(map(len, out))
        return out if len(out) == 1 else _join_small(out)

    # ------------------------------------------------------------ time

    def deadline(self) -> float | None:
        """When `on_deadline` wants to be called next, on the caller's clock; None for never."""
        if self._closed:
            return None
        if self._pull is None:
            return self._started + HANDSHAKE_TIMEOUT
        times = []
        if self._keep_alive is not None:
            times.append(self._last_sent + self._keep_alive)
        if self._idle_timeout is not None:
            times.append(self._last_received + self._idle_timeout)
        return min(times, default=None)

    def on_deadline(self, now: float) -> None:
        """Keep the connection alive; HandshakeError or PeerUnreachable when it is dead."""
        if self._closed:
            return
        if self._pull is None:
            if now >= self._started + HANDSHAKE_TIMEOUT:
                self.close()
                raise HandshakeError("The other side did not finish the handshake in time.")
            return
        if self._idle_timeout is not None and now >= self._last_received + self._idle_timeout:
            self.close()
            raise PeerUnreachable("The other side has gone silent.")
        if self._keep_alive is not None and now >= self._last_sent + self._keep_alive:
            self._seal(())

    def close(self) -> None:
        """Forget the keys and whatever was not sent; there is no farewell on the wire."""
        self._closed = True
        self._push = self._pull = self._handshake = None
        self._out.clear()
        self._waiting.clear()


def _stream_id(handshake_hash: bytes, initiator: bool) -> bytes:
    """What a side proves to know in its header frame; differs by role."""
    return blake2b(_NS_INITIATOR if initiator else _NS_RESPONDER, key=handshake_hash)


def _join_small(buffers: list[Buffer]) -> list[Buffer]:
    """Join neighbours below `_SMALL` bytes, so that many small frames cost one write."""
    joined: list[Buffer] = []
    small: list[Buffer] = []
    for buffer in buffers:
        if len(buffer) < _SMALL:
            small.append(buffer)
            continue
        if small:
            joined.append(b"".join(small))
            small.clear()
        joined.append(buffer)
    if small:
        joined.append(b"".join(small))
    return joined
