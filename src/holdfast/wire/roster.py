"""Who has opened which channel, under which number, and who still waits for whom (wire notes 4.5).

Channels pair by (protocol, id), first come first served: both sides open, and the channel speaks
once both have. Each side numbers its own channels from 1. A number is free again when its channel
is closed and the other side has acknowledged it, by opening its half or by rejecting.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from holdfast.encoding import (
    Buffer,
    decode_optional,
    decode_string,
    decode_uint,
    encode_optional,
    encode_string,
    encode_uint,
)
from holdfast.errors import DecodeError
from holdfast.wire.channel import Channel

ALIASES = {"hypercore": "hypercore/alpha"}
"""Old names under which a protocol may still be opened."""

OPEN, REJECT, CLOSE = 1, 2, 3
"""Types of control messages."""

MAX_CHANNELS = 1 << 16
"""Channels the other side may have open at once; each costs us an entry."""

MAX_UNANSWERED = 4096
"""Opens of the other side that may wait until somebody here has made up their mind."""

MAX_OPEN_BYTES = 4096
"""Longest open message: name, id and handshake of the known protocols take under 150 bytes."""

MAX_EARLY_BYTES = 32 * 1024
"""Messages for channels not opened here yet: beyond this no more should be read."""

MAX_EARLY_TOTAL = 1024 * 1024
"""Beyond this the connection is closed: the other side was asked to pause and did not."""

_EARLY_OVERHEAD = 512
"""What keeping an early message costs beside its bytes; the peers count the same."""

Key: TypeAlias = tuple[str, bytes]
"""What channels pair by: protocol and id."""


class Remote:
    """What the other side has opened under one of its numbers."""

    __slots__ = ("channel", "early", "early_bytes", "handshake", "key", "number")

    def __init__(self, number: int, key: Key, handshake: bytes) -> None:
        self.number = number
        self.key = key
        self.handshake = handshake
        self.channel: Channel | None = None
        self.early: list[tuple[int, bytes]] = []
        self.early_bytes = 0


class _Waiting:
    """Opens of one (protocol, id) that wait for their counterpart, oldest first."""

    __slots__ = ("incoming", "outgoing")

    def __init__(self) -> None:
        self.incoming: deque[Remote] = deque()
        self.outgoing: deque[Channel] = deque()


class Roster:
    """The channels of one connection."""

    def __init__(
        self,
        control: Callable[[int, tuple[Buffer, ...]], None],
        ask: Callable[[str, bytes, memoryview], bool],
    ) -> None:
        """``control(type, fields)`` sends a control message.

        ``ask(protocol, id, handshake)`` is told of an open nobody waits for: it may open a channel,
        or return True to keep it waiting.
        """
        self.local: list[Channel | None] = []
        self.remote: list[Remote | None] = []
        self.early_bytes = 0
        self._control = control
        self._ask = ask
        self._free: list[int] = []
        self._waiting: dict[Key, _Waiting] = {}
        self._unanswered = 0

    def incoming(self, key: Key) -> bool:
        """Whether the other side has opened this and nobody here has answered."""
        waiting = self._waiting.get(key)
        return waiting is not None and bool(waiting.incoming)

    # ------------------------------------------------------------ opening

    def open(self, channel: Channel, handshake: Buffer) -> None:
        """Give the channel a number, offer it, and pair it if the other side has opened already."""
        if self._free:
            channel.local_id = self._free.pop()
            self.local[channel.local_id - 1] = channel
        else:
            self.local.append(channel)
            channel.local_id = len(self.local)
        number, name = encode_uint(channel.local_id), encode_string(channel.protocol)
        self._control(OPEN, (number, name, encode_optional(channel.id), handshake))
        key = (channel.protocol, channel.id)
        waiting = self._waiting.setdefault(key, _Waiting())
        if not waiting.incoming:
            waiting.outgoing.append(channel)
            return
        remote = waiting.incoming.popleft()
        self._unanswered -= 1
        self._tidy(key)
        self._pair(channel, remote)

    def receive_open(self, body: memoryview) -> None:
        """The other side offers a channel: pair it, or ask whether anybody wants it."""
        if len(body) > MAX_OPEN_BYTES:
            raise DecodeError("A channel is opened with too much.")
        number, position = decode_uint(body, 0)
        protocol, position = decode_string(body, position)
        id, position = decode_optional(body, position)
        key = (ALIASES.get(protocol, protocol), b"" if id is None else bytes(id))
        self._check_free(number)
        remote = Remote(number, key, bytes(body[position:]))
        waiting = self._waiting.setdefault(key, _Waiting())
        if not waiting.outgoing:
            self.remote[number - 1] = remote
            self._offer(remote, waiting)
            return
        channel = waiting.outgoing.popleft()
        self._tidy(key)
        if channel.closed:
            self._release(channel)  # closed before this acknowledgement came
            return
        self.remote[number - 1] = remote
        self._pair(channel, remote)

    def _check_free(self, number: int) -> None:
        """The other side may reuse a free number or take the next new one."""
        table = self.remote
        if number == len(table) + 1 and number <= MAX_CHANNELS:
            table.append(None)
        if not 0 < number <= len(table) or table[number - 1] is not None:
            raise DecodeError("A channel is opened under a number that is not free.")

    def _offer(self, remote: Remote, waiting: _Waiting) -> None:
        """An open nobody waits for: let the owner decide."""
        waiting.incoming.append(remote)
        self._unanswered += 1
        if self._unanswered > MAX_UNANSWERED:
            raise DecodeError("The other side opens more channels than anybody can answer.")
        later = self._ask(*remote.key, memoryview(remote.handshake))
        if not later and remote in waiting.incoming:
            waiting.incoming.remove(remote)
            self._turn_down(remote)

    def _pair(self, channel: Channel, remote: Remote) -> None:
        """Both sides have opened: hand over the handshake, then what came early."""
        channel.remote_id = remote.number
        channel.opened = True
        remote.channel = channel
        early, remote.early = remote.early, []
        self.early_bytes -= remote.early_bytes
        remote.early_bytes = 0
        channel.on_open(memoryview(remote.handshake))
        for type, body in early:
            if channel.closed:
                return
            handler = channel.handlers[type] if type < len(channel.handlers) else None
            if handler is not None:
                handler(memoryview(body))

    def keep_early(self, remote: Remote, type: int, body: memoryview) -> None:
        """A message for a channel that is not opened here yet: keep it until it is."""
        remote.early.append((type, bytes(body)))
        remote.early_bytes += len(body) + _EARLY_OVERHEAD
        self.early_bytes += len(body) + _EARLY_OVERHEAD
        if self.early_bytes > MAX_EARLY_TOTAL:
            raise DecodeError("The other side talks on channels that nobody has opened.")

    # ------------------------------------------------------------ refusing

    def reject(self, key: Key) -> None:
        """Turn down every open of this that waits for an answer."""
        waiting = self._waiting.get(key)
        while waiting is not None and waiting.incoming:
            self._turn_down(waiting.incoming.popleft())

    def _turn_down(self, remote: Remote) -> None:
        """Reject an open that was taken out of its queue."""
        self._unanswered -= 1
        self.early_bytes -= remote.early_bytes
        self.remote[remote.number - 1] = None
        self._tidy(remote.key)
        self._control(REJECT, (encode_uint(remote.number),))

    def receive_reject(self, body: memoryview) -> None:
        """The other side does not want a channel of ours."""
        number, _ = decode_uint(body, 0)
        channel = self.local[number - 1] if 0 < number <= len(self.local) else None
        if channel is None or channel.remote_id:
            raise DecodeError("A channel is rejected that was not waiting.")
        key = (channel.protocol, channel.id)
        self._waiting[key].outgoing.remove(channel)
        self._tidy(key)
        self._release(channel)
        if not channel.closed:
            channel.closed = True
            channel.on_close(True)

    # ------------------------------------------------------------ closing

    def close(self, channel: Channel) -> None:
        """End a channel that was opened here, and say so."""
        self._control(CLOSE, (encode_uint(channel.local_id),))
        self._end(channel, False)

    def receive_close(self, body: memoryview) -> None:
        """The other side ends a channel; that it has ended here already is no matter."""
        number, _ = decode_uint(body, 0)
        remote = self.remote[number - 1] if 0 < number <= len(self.remote) else None
        if remote is None:
            return
        if remote.channel is not None:
            self._end(remote.channel, True)
            return
        # Closed before anybody here answered: over there the number is taken until we do.
        self._waiting[remote.key].incoming.remove(remote)
        self._turn_down(remote)

    def _end(self, channel: Channel, remote: bool) -> None:
        """The channel speaks no more. Unpaired, its number stays taken until it is acknowledged."""
        channel.closed = True
        channel.opened = False
        if channel.remote_id:
            self.remote[channel.remote_id - 1] = None
            self._release(channel)
        channel.on_close(remote)

    def _release(self, channel: Channel) -> None:
        self.local[channel.local_id - 1] = None
        self._free.append(channel.local_id)

    def _tidy(self, key: Key) -> None:
        """Forget a queue that nobody stands in."""
        waiting = self._waiting.get(key)
        if waiting is not None and not waiting.incoming and not waiting.outgoing:
            del self._waiting[key]
