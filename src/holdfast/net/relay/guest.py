"""One client of a relay, as the relay sees it: what it asks for, and what it may."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from holdfast.encoding import decode_uint, encode_uint
from holdfast.errors import PeerUnreachable, RemoteError
from holdfast.net.connection import Connection
from holdfast.net.relay.limits import Throttle
from holdfast.net.relay.pairs import End
from holdfast.net.relay.wire import (
    ANNOUNCE,
    ANSWER,
    ASK,
    CLOSE,
    DATA,
    END,
    JOIN,
    LEAVE,
    LOOKUP,
    MAX_PIECE,
    OPEN,
    PEERS,
    PIECE_COST,
    PROTOCOL,
    PUBLISH,
    WINDOW,
    Place,
    Reason,
    decode_key,
    encode_keys,
    encode_places,
    encode_welcome,
    speaks_ours,
)
from holdfast.wire import Body

if TYPE_CHECKING:
    from holdfast.net.relay.server import RelayServer

JOIN_RATE = 20.0
"""Joins per second that go on for long: each may be told to everybody on the topic."""
OPEN_RATE = 20.0
"""Streams opened per second that go on for long: each costs the other end a handshake."""
BURST = 30.0
"""Seconds of either that may come at once: after a reconnect everything is joined again."""

_PASSED_ON = {Reason.DONE, Reason.BUSY, Reason.NOT_ALLOWED}


class Guest:
    """A client; made and held by `RelayServer`."""

    def __init__(self, server: RelayServer, connection: Connection) -> None:
        self.connection = connection
        self.key = connection.remote_public_key
        self.ends: dict[int, End] = {}
        self.questions = 0
        self.unheard: dict[bytes, None] = {}
        """Topics on which it was not told of somebody, for it did not take what was sent."""
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._last_in, self._next_out = -1, 1
        self._rate = Throttle(server.limits.rate)
        self._joins, self._opens = Throttle(JOIN_RATE), Throttle(OPEN_RATE)
        self._stalled: asyncio.TimerHandle | None = None
        self.channel = connection.mux.channel(PROTOCOL, self.key)
        self.channel.handlers = self._handlers()
        self.channel.on_open = self._hello
        self.channel.on_drain = self._drained
        self.channel.on_close = lambda remote: self._gone()
        self.channel.open(encode_welcome(server.welcome))

    def _handlers(self) -> list[Callable[[memoryview], None] | None]:
        handlers: list[Callable[[memoryview], None] | None] = [None] * (PUBLISH + 1)
        handlers[JOIN] = self._join
        handlers[LEAVE] = self._leave
        handlers[OPEN] = self._open
        handlers[DATA] = self._data
        handlers[WINDOW] = self._window
        handlers[END] = self._end
        handlers[CLOSE] = self._close
        handlers[ASK] = self._ask
        handlers[PUBLISH] = lambda body: self._server.publish(self, bytes(body))
        return handlers

    def _hello(self, handshake: memoryview) -> None:
        if not speaks_ours(handshake):
            self.channel.close()

    def _gone(self) -> None:
        self._unstall()
        self._server.left(self)
        for end in list(self.ends.values()):
            self._server.pairs.part(end.pair, (end.other, Reason.GONE))

    # -- telling it -------------------------------------------------------------------------------

    @property
    def takes(self) -> bool:
        """Whether it takes what is sent to it now."""
        return self.channel.drained and not self.channel.closed

    def _reply(self, type: int, body: Body) -> None:
        """Send what it asked for; ask it no more while it does not take that."""
        self.channel.send(type, body)
        if not self.channel.drained and self._stalled is None:
            self.connection.pause_reading()
            self._stalled = self._loop.call_later(self._server.limits.stall, self._give_up)

    def _give_up(self) -> None:
        self.connection.abort(PeerUnreachable("A client took nothing for too long."))

    def _unstall(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
            self.connection.resume_reading()

    def _drained(self) -> None:
        self._unstall()
        while self.unheard and self.takes:
            topic = next(iter(self.unheard))
            del self.unheard[topic]
            self.tell(topic, self._server.found(topic, self))

    def tell(self, topic: bytes, keys: list[bytes]) -> None:
        """Name the peers of a topic, now or once it takes more."""
        if not self.takes:
            self.unheard[topic] = None
        elif keys:
            self.channel.send(PEERS, (topic, encode_keys(keys)))

    def closed(self, number: int, reason: Reason) -> None:
        """See `Side`."""
        self._reply(CLOSE, encode_uint(number) + encode_uint(reason))

    def answer(self, question: int, places: list[Place]) -> None:
        """Answer what it has asked."""
        self._reply(ANSWER, encode_uint(question) + encode_places(places))

    def called(self, key: bytes) -> int:
        """Somebody opens a stream to it; returns the stream's number here."""
        number, self._next_out = self._next_out, self._next_out + 2
        self.channel.send(OPEN, encode_uint(number) + key)
        return number

    # -- topics -----------------------------------------------------------------------------------

    def _now(self) -> float:
        return self._loop.time()

    def _join(self, body: memoryview) -> None:
        topic, position = decode_key(body, 0)
        flags, _ = decode_uint(body, position)
        if self._joins.delay(1, self._now()) > BURST:
            raise RemoteError("A client joins more topics than anybody can be told of.")
        self._server.join(self, topic, flags & (ANNOUNCE | LOOKUP))

    def _leave(self, body: memoryview) -> None:
        topic, _ = decode_key(body, 0)
        self.unheard.pop(topic, None)
        self._server.topics.leave(self, topic)

    def _ask(self, body: memoryview) -> None:
        question, position = decode_uint(body, 0)
        kind, position = decode_uint(body, position)
        key, _ = decode_key(body, position)
        self._server.ask(self, question, kind, key)

    # -- streams ----------------------------------------------------------------------------------

    def _open(self, body: memoryview) -> None:
        number, position = decode_uint(body, 0)
        key, _ = decode_key(body, position)
        if number <= self._last_in or number % 2:
            raise RemoteError("A client opens a stream under a number that is not free.")
        self._last_in = number
        if self._opens.delay(1, self._now()) > BURST:
            self.closed(number, Reason.TOO_MANY)
            return
        refused = self._server.connect(self, number, key)
        if refused is not None:
            self.closed(number, refused)

    def _find(self, body: memoryview) -> tuple[End | None, int]:
        number, position = decode_uint(body, 0)
        return self.ends.get(number), position

    def _data(self, body: memoryview) -> None:
        end, position = self._find(body)
        if end is None:
            return  # closed while it was on its way
        size = len(body) - position
        if end.finished or not 0 < size <= MAX_PIECE or not end.window.send(size + PIECE_COST):
            raise RemoteError("A client sends more over the relay than it may.")
        server, other = self._server, end.other
        server.carried += size
        end.pair.moved_at = self._now()
        other.side.carry(other.number, body[position:])

    def carry(self, number: int, data: memoryview) -> None:
        """See `Side`."""
        self.channel.send(DATA, (encode_uint(number), data))

    def _window(self, body: memoryview) -> None:
        end, position = self._find(body)
        if end is None:
            return
        taken, _ = decode_uint(body, position)
        other = end.other
        if not other.window.taken(taken):
            raise RemoteError("A client has taken more than it was sent.")
        granted = other.window.grant()
        if granted:
            other.side.grant(other, granted)

    def grant(self, end: End, count: int) -> None:
        """See `Side`."""
        delay = self._rate.delay(count, self._now())
        if delay > 0:
            self._loop.call_later(delay, self._send_grant, end, count)
        else:
            self._send_grant(end, count)

    def _send_grant(self, end: End, count: int) -> None:
        if self.ends.get(end.number) is end:
            self.channel.send(WINDOW, encode_uint(end.number) + encode_uint(count))

    def _end(self, body: memoryview) -> None:
        end, _ = self._find(body)
        if end is not None and not end.finished:
            end.finished = True
            end.other.side.finish(end.other.number)

    def finish(self, number: int) -> None:
        """See `Side`."""
        self.channel.send(END, encode_uint(number))

    def _close(self, body: memoryview) -> None:
        end, position = self._find(body)
        if end is not None:
            said, _ = decode_uint(body, position)
            reason = Reason(said) if said in _PASSED_ON else Reason.DONE
            self._server.pairs.part(end.pair, (end.other, reason))
