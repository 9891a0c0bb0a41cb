"""Asking: requests to a service over one connection, and subscriptions to its topics."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import NamedTuple

from holdfast.encoding import decode_uint
from holdfast.errors import ClosedError, HoldfastError, RemoteError
from holdfast.net.connection import Connection
from holdfast.net.rpc.messages import (
    CANCEL,
    GRANT,
    REQUEST,
    SUBSCRIBE,
    Opening,
    decode_event,
    decode_failure,
    decode_numbers,
    decode_opening,
    encode_numbered,
    encode_numbers,
    encode_opening,
    encode_subscribe,
)
from holdfast.net.rpc.names import check_name
from holdfast.net.rpc.room import Room
from holdfast.net.rpc.shared import (
    OVERHEAD,
    RPC,
    NotOffered,
    RequestTimeout,
    RpcLimits,
    Valve,
    channel_id,
    failure_of,
    too_large,
)

REQUEST_TIMEOUT = 30.0
"""Seconds for one request, waiting for room included: as long as a person would wait for a page."""


class Heard(NamedTuple):
    """Something published on a topic."""

    payload: bytes
    missed: int
    """How many were left out just before it because this side was slow."""


class ServiceClient:
    """One service of the other side of a connection; `close` it when it is not needed any more."""

    def __init__(
        self, connection: Connection, name: str, *, limits: RpcLimits | None = None
    ) -> None:
        """``limits`` say what responses and events may weigh. Raises `ServiceNameError`."""
        self.name = name
        self.connection = connection
        self.limits = limits or RpcLimits()
        self._loop = asyncio.get_running_loop()
        self._numbers = 0
        self._costs: dict[int, int] = {}
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._subscriptions: dict[int, Subscription] = {}
        self._room = Room()
        self._theirs: asyncio.Future[Opening] = self._loop.create_future()
        self._channel = connection.mux.channel(
            RPC,
            channel_id(connection, name, asking=True),
            handlers=[self._response, self._failure, self._event, self._subscribed],
            on_open=self._opened,
            on_close=self._closed,
        )
        self._valve = Valve(connection, self._channel)
        self._channel.open(encode_opening(Opening(self.limits.payload, 0, 0)))

    @property
    def in_flight(self) -> int:
        """Requests that the other side has not answered yet, cancelled ones included."""
        return self._room.requests

    async def ready(self) -> None:
        """Return once the other side has opened the service. Raises `NotOffered`, `ClosedError`."""
        await asyncio.shield(self._theirs)

    async def request(
        self, method: str, payload: bytes = b"", *, timeout: float = REQUEST_TIMEOUT
    ) -> bytes:
        """The response of a method; cancelling or running out of time tells the worker to stop.

        Raises `PayloadTooLarge`, `NotOffered`, `ServiceBusy`, `RequestTimeout`, or `RequestFailed`
        as the method says, and `ClosedError` when the connection ends.
        """
        check_name(method, "method")
        try:
            async with asyncio.timeout(timeout):
                return await self._ask(method, payload)
        except TimeoutError:
            raise RequestTimeout(
                f"The service {self.name!r} did not answer in {timeout:g} seconds."
            ) from None

    async def subscribe(self, topic: str, *, timeout: float = REQUEST_TIMEOUT) -> Subscription:
        """Hear what is published on a topic from now on, until `Subscription.close`.

        Raises as `request`.
        """
        check_name(topic, "topic")
        try:
            async with asyncio.timeout(timeout):
                await asyncio.shield(self._theirs)
                number = self._number()
                heard = Subscription(self, number)
                self._subscriptions[number] = heard
                accepted = self._waiting[number] = self._loop.create_future()
                window = self.limits.payload + OVERHEAD
                self._channel.send(SUBSCRIBE, encode_subscribe(number, window, topic))
                try:
                    await accepted
                except BaseException:
                    heard.close()
                    raise
                return heard
        except TimeoutError:
            raise RequestTimeout(f"The topic {topic!r} was not opened in time.") from None

    def close(self) -> None:
        """Ask nothing more; requests under way fail."""
        self._channel.close()

    # -- out ------------------------------------------------------------------------------------

    async def _ask(self, method: str, payload: bytes) -> bytes:
        theirs = await asyncio.shield(self._theirs)
        if len(payload) > theirs.payload:
            raise too_large(len(payload), theirs.payload, "the other side")
        cost = len(payload) + OVERHEAD
        await self._room.enter(cost)
        try:
            await self._valve.ready()
        except BaseException:
            self._room.leave(cost)
            raise
        number = self._number()
        # From here on the place is free when the other side has answered, not when we give up.
        self._costs[number] = cost
        answer: asyncio.Future[bytes] = self._loop.create_future()
        self._waiting[number] = answer
        if not self._channel.send(REQUEST, encode_numbered(number, method, payload)):
            answer.set_exception(self._why(remote=False))
        try:
            return await answer
        except asyncio.CancelledError:
            self._channel.send(CANCEL, encode_numbers(number))
            raise
        finally:
            self._waiting.pop(number, None)

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _grant(self, number: int, size: int) -> None:
        self._channel.send(GRANT, encode_numbers(number, size))

    def _unsubscribe(self, number: int) -> None:
        if self._subscriptions.pop(number, None) is not None:
            self._waiting.pop(number, None)
            self._channel.send(CANCEL, encode_numbers(number))

    # -- in -------------------------------------------------------------------------------------

    def _opened(self, handshake: memoryview) -> None:
        opening = decode_opening(handshake)
        if not self._theirs.done():
            self._theirs.set_result(opening)
        self._room.open(opening.requests, opening.bytes)

    def _response(self, body: memoryview) -> None:
        number, position = decode_uint(body, 0)
        payload = body[position:]
        if len(payload) > self.limits.payload:
            raise RemoteError("The other side sent a larger payload than it may.")
        answer = self._answered(number)
        if answer is not None:
            answer.set_result(bytes(payload))

    def _failure(self, body: memoryview) -> None:
        number, kind, sentence = decode_failure(body)
        answer = self._answered(number)
        if answer is not None:
            answer.set_exception(failure_of(kind, sentence))

    def _subscribed(self, body: memoryview) -> None:
        (number,) = decode_numbers(body, 1)
        answer = self._waiting.pop(number, None)
        if answer is not None and not answer.done():
            answer.set_result(b"")

    def _answered(self, number: int) -> asyncio.Future[bytes] | None:
        """Give the place free; what waits for the answer, if anybody still does."""
        cost = self._costs.pop(number, None)
        if cost is not None:
            self._room.leave(cost)
        answer = self._waiting.pop(number, None)
        return None if answer is None or answer.done() else answer

    def _event(self, body: memoryview) -> None:
        event = decode_event(body)
        if len(event.payload) > self.limits.payload:
            raise RemoteError("The other side published a larger payload than it may.")
        heard = self._subscriptions.get(event.number)
        if heard is not None:
            heard._take(Heard(bytes(event.payload), event.missed))

    # -- the end --------------------------------------------------------------------------------

    def _closed(self, remote: bool) -> None:
        self._valve.release()
        reason = self._why(remote)
        self._room.close(reason)
        waits: list[asyncio.Future[Opening] | asyncio.Future[bytes]]
        waits = [self._theirs, *self._waiting.values()]
        for waiting in waits:
            if not waiting.done():
                waiting.set_exception(reason)
                waiting.exception()  # whoever does not wait need not be told
        for heard in self._subscriptions.values():
            heard._end(reason)

    def _why(self, remote: bool) -> HoldfastError:
        if self.connection.reason is not None:
            return ClosedError(self.connection.reason.message)
        if not remote:
            return ClosedError("The service was closed here.")
        if self._theirs.done():
            return ClosedError("The other side has stopped offering the service.")
        return NotOffered(f"The other side does not offer the service {self.name!r}.")


class Subscription:
    """What is published on a topic, in order: ``async for heard in subscription``.

    At most one window of it waits here; `Heard.missed` counts what did not fit and was left out.
    """

    def __init__(self, client: ServiceClient, number: int) -> None:
        self._client, self._number = client, number
        self._queue: deque[Heard] = deque()
        self._held = 0
        self._taken = 0
        self._moved = asyncio.Event()
        self._reason: HoldfastError | None = None

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Heard:
        """The next one. Raises `ClosedError` when the connection or the service ends."""
        while not self._queue:
            if self._reason is not None:
                raise self._reason
            self._moved.clear()
            await self._moved.wait()
        heard = self._queue.popleft()
        cost = len(heard.payload) + OVERHEAD
        self._held -= cost
        self._taken += cost
        window = self._client.limits.payload + OVERHEAD
        if not self._queue or 4 * self._taken >= window:  # few grants, and never a dry channel
            self._client._grant(self._number, self._taken)
            self._taken = 0
        return heard

    def close(self) -> None:
        """Hear nothing more."""
        self._client._unsubscribe(self._number)
        self._end(ClosedError("The subscription was closed here."))

    def _take(self, heard: Heard) -> None:
        self._held += len(heard.payload) + OVERHEAD
        if self._held > self._client.limits.payload + OVERHEAD:
            raise RemoteError("The other side published more than it was granted.")
        self._queue.append(heard)
        self._moved.set()

    def _end(self, reason: HoldfastError) -> None:
        if self._reason is None:
            self._reason = reason
        self._moved.set()
