"""Many conversations over one connection: protomux (wire notes 4.5).

A pure state machine over whole messages: feed it what the stream decrypted with `Mux.receive`, send
what `to_send` returns at the end of each turn. `roster` says how channels find each other, `batch`
how little messages become few frames.

Each message is ``channel number, type, body``; number 0 is the connection itself: batch, open,
reject and close. A DecodeError from `receive` is final: close the connection, call `Mux.shut_down`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from holdfast.encoding import Buffer, decode_uint, encode_uint
from holdfast.errors import ClosedError, DecodeError
from holdfast.wire.batch import Outbox, Parts
from holdfast.wire.channel import Body, Channel, Handler
from holdfast.wire.roster import ALIASES, CLOSE, MAX_EARLY_BYTES, OPEN, REJECT, Roster

HIGH_WATER = 256 * 1024
"""Queued bytes in one turn from which `Mux.drained` is false."""

_BATCH = 0
_TYPES = [encode_uint(n) for n in range(64)]


class Mux:
    """One side of a multiplexed connection; see the module for the verbs."""

    def __init__(
        self,
        *,
        notify: Callable[[str, bytes], bool | None] | None = None,
        wake: Callable[[], None] | None = None,
    ) -> None:
        """``notify(protocol, id)`` is asked about opens of the other side that nobody waits for.

        It may make and open a channel at once. It returns True to keep the open waiting for a later
        `channel` or `reject`; after anything else it is rejected unless a channel was opened.
        ``wake`` is called when there is something for `to_send` and was not before.
        """
        self._wake = wake
        self._notify = notify
        self._requested: dict[str, Callable[[bytes, memoryview], bool | None]] = {}
        self._roster = Roster(self._control, self._ask)
        self._outbox = Outbox()
        self._awake = False
        self._corks = 0
        self._held = False
        self._stalled = False
        self._closed = False

    # ------------------------------------------------------------ channels

    def channel(
        self,
        protocol: str,
        id: bytes = b"",
        *,
        handlers: Sequence[Handler | None] = (),
        on_open: Callable[[memoryview], None] | None = None,
        on_close: Callable[[bool], None] | None = None,
        on_drain: Callable[[], None] | None = None,
    ) -> Channel:
        """A new channel; nothing happens until its ``open``, which may call ``on_open`` at once."""
        protocol = ALIASES.get(protocol, protocol)
        return Channel(self, protocol, id, handlers, on_open, on_close, on_drain)

    def on_request(
        self, protocol: str, requested: Callable[[bytes, memoryview], bool | None]
    ) -> None:
        """Let ``requested(id, handshake)`` answer opens of one protocol instead of ``notify``.

        It sees the other side's handshake first, so that an open which proves nothing can be turned
        down without giving anything away. What it returns means the same as for ``notify``.
        """
        self._requested[ALIASES.get(protocol, protocol)] = requested

    def _ask(self, protocol: str, id: bytes, handshake: memoryview) -> bool:
        """Whether an open of the other side shall wait, if it is not answered at once."""
        requested = self._requested.get(protocol)
        if requested is not None:
            return bool(requested(id, handshake))
        return self._notify is not None and bool(self._notify(protocol, id))

    def channels(self) -> list[Channel]:
        """The channels opened here and not closed."""
        return [c for c in self._roster.local if c is not None and not c.closed]

    def waiting(self, protocol: str, id: bytes = b"") -> bool:
        """Whether the other side has opened this and nobody here has answered."""
        return self._roster.incoming((ALIASES.get(protocol, protocol), id))

    def reject(self, protocol: str, id: bytes = b"") -> None:
        """Turn down every open of this that waits for an answer."""
        self._roster.reject((ALIASES.get(protocol, protocol), id))

    def shut_down(self) -> None:
        """The connection is gone: close every channel, as if the other side had. Idempotent."""
        if self._closed:
            return
        self._closed = True
        channels = self.channels()
        self._roster = Roster(self._control, self._ask)
        self._outbox = Outbox()
        for channel in channels:  # all of them first: a callback may look at its neighbours
            channel.closed, channel.opened = True, False
        for channel in channels:
            channel.on_close(True)

    def _open(self, channel: Channel, handshake: Buffer) -> None:
        if channel.local_id or channel.closed:
            raise ClosedError("A channel opens only once.")
        if self._closed:
            channel.closed = True
            channel.on_close(True)
            return
        self._roster.open(channel, handshake)

    def _close(self, channel: Channel) -> None:
        if channel.closed:
            return
        if channel.local_id:
            self._roster.close(channel)
        else:
            channel.closed = True

    # ------------------------------------------------------------ out

    def to_send(self) -> list[Parts]:
        """Messages for the stream, each as parts to be written end to end; empty while corked."""
        self._awake = False
        if self._corks:
            return []
        messages = self._outbox.take()
        self._drain()
        return messages

    def cork(self) -> None:
        """Hold everything back until as many `uncork`: for a turn that spans several awaits."""
        self._corks += 1

    def uncork(self) -> None:
        """Undo one `cork`."""
        self._corks -= 1
        if not self._corks and self._outbox:
            self._rouse()

    @contextmanager
    def corked(self) -> Iterator[None]:
        """`cork` and `uncork` around a block."""
        self.cork()
        try:
            yield
        finally:
            self.uncork()

    @property
    def drained(self) -> bool:
        """Whether to send more now; when it has been false, channels get ``on_drain`` later."""
        if self._held or self._outbox.queued >= HIGH_WATER:
            self._stalled = True
            return False
        return True

    def pause_writing(self) -> None:
        """The socket's buffer is full: `drained` is false until `resume_writing`."""
        self._held = True

    def resume_writing(self) -> None:
        """The socket's buffer has room again."""
        self._held = False
        self._drain()

    def _drain(self) -> None:
        """Tell the channels, if somebody was told to wait and need not any more."""
        if self._stalled and not self._held and self._outbox.queued < HIGH_WATER:
            self._stalled = False
            for channel in self.channels():
                if not channel.closed:
                    channel.on_drain()

    def _send(self, number: int, type: int, body: Body) -> None:
        head = _TYPES[type] if type < 64 else encode_uint(type)
        if isinstance(body, bytes | bytearray | memoryview):
            self._outbox.add(number, head, (body,), len(body))
        else:
            self._outbox.add(number, head, body, sum(map(len, body)))
        if not self._awake and not self._corks:
            self._rouse()

    def _control(self, type: int, fields: tuple[Buffer, ...]) -> None:
        if not self._closed:
            self._send(0, type, fields)

    def _rouse(self) -> None:
        self._awake = True
        if self._wake is not None:
            self._wake()

    # ------------------------------------------------------------ in

    @property
    def reading(self) -> bool:
        """Whether to read on; False while too much has come for channels not opened here yet.

        It turns true again with an open or a reject of ours, so after a `to_send`.
        """
        return self._roster.early_bytes <= MAX_EARLY_BYTES

    def receive(self, message: Buffer) -> None:
        """Take one message of the stream and call the handlers it is for, in order.

        DecodeError when it breaks the rules; whatever a handler raises passes through.
        """
        end = len(message)
        if end == 0 or self._closed:
            return
        view = memoryview(message)
        number, position = decode_uint(view, 0)
        if number == 0 and position < end and view[position] == _BATCH:
            self._receive_batch(view, position + 1, end)
        else:
            self._receive_one(number, view, position, end)

    def _receive_batch(self, view: memoryview, position: int, end: int) -> None:
        """``channel number``, then lengths and messages; length 0 announces another number."""
        number, position = decode_uint(view, position)
        while position < end and not self._closed:
            size, position = decode_uint(view, position)
            if size == 0:
                number, position = decode_uint(view, position)
                continue
            start, position = position, position + size
            if position > end:
                raise DecodeError("A batch holds less than it announces.")
            self._receive_one(number, view, start, position)

    def _receive_one(self, number: int, view: memoryview, start: int, end: int) -> None:
        """Type and body in ``view[start:end]`` for the channel the other side calls ``number``."""
        type, start = decode_uint(view, start)
        if start > end:
            raise DecodeError("A message ends before its type.")
        body = view[start:end]
        if number == 0:
            self._receive_control(type, body)
            return
        remotes = self._roster.remote
        remote = remotes[number - 1] if number <= len(remotes) else None
        if remote is None:
            return  # closed here while it was on its way
        channel = remote.channel
        if channel is None:
            self._roster.keep_early(remote, type, body)
        elif type < len(channel.handlers):
            handler = channel.handlers[type]
            if handler is not None:
                handler(body)

    def _receive_control(self, type: int, body: memoryview) -> None:
        if type == OPEN:
            self._roster.receive_open(body)
        elif type == REJECT:
            self._roster.receive_reject(body)
        elif type == CLOSE:
            self._roster.receive_close(body)
        elif type == _BATCH:
            raise DecodeError("A batch inside a batch.")
