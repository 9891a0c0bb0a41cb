"""Answering: a service with methods and topics, and the host that offers it to connections."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from holdfast.encoding import Buffer, encode_uint
from holdfast.errors import HoldfastError
from holdfast.net.connection import Connection
from holdfast.net.rpc.messages import (
    FAILURE,
    RESPONSE,
    SUBSCRIBED,
    Opening,
    decode_numbered,
    decode_numbers,
    decode_opening,
    decode_subscribe,
    encode_failure,
    encode_numbers,
    encode_opening,
)
from holdfast.net.rpc.names import MAX_NAME, check_name
from holdfast.net.rpc.shared import (
    OVERHEAD,
    RPC,
    NotOffered,
    RequestFailed,
    RpcLimits,
    ServiceBusy,
    Valve,
    channel_id,
    too_large,
)
from holdfast.net.rpc.topics import Listener, Topic

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """What a method is called with."""

    method: str
    payload: bytes
    remote_public_key: bytes
    """The key that the asking side has proven: what permissions bind to."""


Method = Callable[[Request], Awaitable[Buffer]]
"""Gives the response. A `RequestFailed` it raises reaches the asking side word by word, anything
else only as the fact that it failed. It is cancelled when nobody waits for it any more."""

Admits = Callable[[bytes], bool]


class Service:
    """A named service: what others may ask and hear. Offer it with `ServiceHost.offer`."""

    def __init__(self, name: str, *, limits: RpcLimits | None = None, admits: Admits | None = None):
        """``admits(public key)`` says who may use it; to all others it does not exist."""
        self.name = check_name(name)
        self.limits = limits or RpcLimits()
        self.admits: Admits = admits or (lambda key: True)
        self.methods: dict[str, Method] = {}
        self.topics: dict[str, Topic] = {}
        self.working = 0
        """Requests that are worked on now, of all connections."""
        self.held = 0
        """Bytes of them, and of responses that wait to be taken."""

    def method(self, name: str, call: Method) -> None:
        """Answer requests for a method. Raises `ServiceNameError`."""
        self.methods[check_name(name, "method")] = call

    def topic(self, name: str) -> Topic:
        """A topic to publish on, made on first use. Raises `ServiceNameError`."""
        check_name(name, "topic")
        return self.topics.setdefault(name, Topic(name, self.limits.payload))


class ServiceHost:
    """The services of a node, offered over each connection that is attached."""

    def __init__(self) -> None:
        self._services: dict[str, Service] = {}
        self._sessions: dict[_Session, None] = {}

    def offer(self, service: Service) -> None:
        """Let connections use a service from now on."""
        self._services[service.name] = service

    def withdraw(self, name: str) -> None:
        """Offer a service no more; whoever uses it now is hung up on."""
        self._services.pop(name, None)
        for session in [each for each in self._sessions if each.service.name == name]:
            session.close()

    def attach(self, connection: Connection) -> None:
        """Answer the other side of a connection; before it handles any message."""
        connection.mux.on_request(RPC, partial(self._requested, connection))

    def _requested(self, connection: Connection, id: bytes, handshake: memoryview) -> bool:
        for name, service in self._services.items():
            if id == channel_id(connection, name, asking=False):
                if service.admits(connection.remote_public_key):
                    self._sessions[_Session(connection, service, id, self._ended)] = None
                break
        return False

    def _ended(self, session: _Session) -> None:
        self._sessions.pop(session, None)


class _Session:
    """The answering end of one service over one connection."""

    def __init__(
        self,
        connection: Connection,
        service: Service,
        id: bytes,
        ended: Callable[[_Session], None],
    ) -> None:
        self.service = service
        self._key = connection.remote_public_key
        self._ended = ended
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._sizes = 0
        self._listeners: dict[int, Listener] = {}
        self._theirs = Opening(0, 0, 0)
        handlers = [self._request, self._cancel, self._subscribe, self._grant]
        self._channel = connection.mux.channel(
            RPC, id, handlers=handlers, on_open=self._opened, on_close=self._closed
        )
        self._valve = Valve(connection, self._channel)
        limits = service.limits
        self._channel.open(encode_opening(Opening(limits.payload, limits.requests, limits.bytes)))

    def close(self) -> None:
        """Hang up."""
        self._channel.close()

    def _opened(self, handshake: memoryview) -> None:
        self._theirs = decode_opening(handshake)

    def _closed(self, remote: bool) -> None:
        self._valve.release()
        for task in self._tasks.values():
            task.cancel()
        for listener in self._listeners.values():
            listener.end()
        self._listeners.clear()
        self._ended(self)

    # -- requests -------------------------------------------------------------------------------

    def _request(self, body: memoryview) -> None:
        number, name, payload = decode_numbered(body, MAX_NAME)
        method = self.service.methods.get(name)
        size = len(payload) + OVERHEAD
        try:
            if method is None:
                raise NotOffered(f"This service has no method {name!r}.")
            self._check_room(number, len(payload))
        except RequestFailed as failure:
            self._fail(number, failure)
            self._valve.hold()
            return
        request = Request(name, bytes(payload), self._key)
        task = asyncio.get_running_loop().create_task(self._work(number, method, request))
        self._tasks[number] = task
        self._sizes += size
        self.service.held += size
        self.service.working += 1
        task.add_done_callback(partial(self._done, number, size))

    def _check_room(self, number: int, size: int) -> None:
        limits = self.service.limits
        if size > limits.payload:
            raise too_large(size, limits.payload, "this service")
        if number in self._tasks:
            raise RequestFailed("A request has the number of another one.", "bad-number")
        cost, service = size + OVERHEAD, self.service
        full = len(self._tasks) >= limits.requests or self._sizes + cost > limits.bytes
        busy = (
            service.working >= limits.requests_in_all or service.held + cost > limits.bytes_in_all
        )
        if full or busy:
            raise ServiceBusy("This worker has as much to do as it takes on.")

    async def _work(self, number: int, method: Method, request: Request) -> None:
        try:
            async with asyncio.timeout(self.service.limits.seconds):
                response = await method(request)
            if len(response) > self._theirs.payload:
                raise too_large(len(response), self._theirs.payload, "whoever asked")
            await self._respond(number, response)
        except RequestFailed as failure:
            self._fail(number, failure)
        except TimeoutError:
            self._fail(number, RequestFailed("The worker took too long.", "timeout"))
        except asyncio.CancelledError:
            self._fail(number, RequestFailed("It was cancelled.", "cancelled"))
        except HoldfastError as error:
            self._fail(number, RequestFailed(f"The worker failed ({error.code}).", error.code))
        except Exception:
            log.exception("method %s of service %s failed", request.method, self.service.name)
            self._fail(number, RequestFailed("The worker failed."))

    async def _respond(self, number: int, response: Buffer) -> None:
        """Send it once the other side takes it; hang up when it does not."""
        self.service.held += len(response)
        try:
            async with asyncio.timeout(self.service.limits.take_seconds):
                await self._valve.ready()
            self._channel.send(RESPONSE, (encode_uint(number), response))
        except TimeoutError:
            self._channel.close()
        finally:
            self.service.held -= len(response)

    def _done(self, number: int, size: int, task: asyncio.Task[None]) -> None:
        if task.cancelled():  # before it began
            self._fail(number, RequestFailed("It was cancelled.", "cancelled"))
        del self._tasks[number]
        self._sizes -= size
        self.service.held -= size
        self.service.working -= 1

    def _fail(self, number: int, failure: RequestFailed) -> None:
        self._channel.send(FAILURE, encode_failure(number, failure.kind, failure.message))

    def _cancel(self, body: memoryview) -> None:
        (number,) = decode_numbers(body, 1)
        listener = self._listeners.pop(number, None)
        if listener is not None:
            listener.end()
        task = self._tasks.get(number)
        if task is not None:
            task.cancel()

    # -- subscriptions --------------------------------------------------------------------------

    def _subscribe(self, body: memoryview) -> None:
        number, window, name = decode_subscribe(body, MAX_NAME)
        topic, limits = self.service.topics.get(name), self.service.limits
        if topic is None:
            self._fail(number, NotOffered(f"This service has no topic {name!r}."))
        elif number in self._listeners or len(self._listeners) >= limits.subscriptions:
            self._fail(number, ServiceBusy("There are too many subscriptions."))
        else:
            self._listeners[number] = Listener(self._channel, number, window, topic, limits.bytes)
            self._channel.send(SUBSCRIBED, encode_numbers(number))
        self._valve.hold()

    def _grant(self, body: memoryview) -> None:
        number, size = decode_numbers(body, 2)
        listener = self._listeners.get(number)
        if listener is not None:
            listener.grant(size)
