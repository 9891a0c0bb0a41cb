"""What time others have: a service that tells it, and the question.

There is no trusted time in a network of equals. A clock that differs by minutes from that of the
nodes one's community runs is wrong for every practical purpose, or all of theirs are; either way
somebody should look.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from holdfast.encoding import decode_uint64, encode_uint64
from holdfast.errors import RemoteError
from holdfast.net.checks.finding import Finding, error, good, note, warning
from holdfast.net.connection import Connection
from holdfast.wire import Channel

CLOCK = "holdfast/clock"

OFF = 60.0
"""Seconds from which a clock is called wrong: people write times to the minute."""
FAR_OFF = 3600.0
"""Seconds from which things go wrong: what expires does so at once or never."""

_REMEDY = "Set the clock, and let the system keep it (NTP); check the time zone too."


class Told(NamedTuple):
    """What time another node has."""

    offset: float
    """Seconds that its clock is ahead of ours."""
    doubt: float
    """Half of the round trip: the offset is that much too large or too small at most."""


def serve_clock(connection: Connection, clock: Callable[[], float] = time.time) -> None:
    """Tell the other side the time when it asks, once for each channel."""

    def tell(channel: Channel, body: memoryview) -> None:
        channel.send(0, encode_uint64(round(1000 * clock())))
        channel.close()

    def requested(id: bytes, handshake: memoryview) -> bool:
        channel = connection.mux.channel(CLOCK, id)
        channel.handlers = [partial(tell, channel)]
        channel.open()
        return False

    connection.mux.on_request(CLOCK, requested)


async def ask_clock(
    connection: Connection, clock: Callable[[], float] = time.time, *, timeout: float = 5.0
) -> Told:
    """How the other side's clock compares with ours. Raises `RemoteError` when it does not say."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[tuple[float, float]] = loop.create_future()
    start = loop.time()

    def opened(handshake: memoryview) -> None:
        nonlocal start
        start = loop.time()
        channel.send(0)

    def answered(body: memoryview) -> None:
        if not told.done():
            told.set_result((decode_uint64(body, 0)[0] / 1000 - clock(), loop.time()))

    def closed(remote: bool) -> None:
        if not told.done():
            told.set_exception(RemoteError("The other side does not tell the time."))

    channel = connection.mux.channel(CLOCK, handlers=[answered], on_open=opened, on_close=closed)
    channel.open()
    try:
        async with asyncio.timeout(timeout):
            behind, end = await told
    except TimeoutError:
        raise RemoteError("The other side did not tell the time in time.") from None
    finally:
        channel.on_close = lambda remote: None
        channel.close()
    half = (end - start) / 2
    return Told(behind + half, half)


def check_clock(now: float, told: Sequence[Told], not_before: float, why: str) -> Finding:
    """Compare the clock with what others say, and with ``not_before``: what must be in the past.

    ``why`` says what happened then, as in "the store was last changed".
    """
    shown = time.strftime("%F %H:%M:%S", time.gmtime(now)) + " UTC"
    facts = {"time": round(now, 3), "offsets": [round(each.offset, 3) for each in told]}
    if now < not_before:
        then = time.strftime("%F %H:%M", time.gmtime(not_before))
        sentence = f"The clock says {shown}, but {why} at {then} UTC."
        return error("clock", sentence, _REMEDY, **facts)
    if not told:
        sentence = f"The clock says {shown}; nobody else could be asked."
        return note("clock", sentence, "Compare it with a clock you trust.", **facts)
    offset = sorted(each.offset for each in told)[len(told) // 2]
    doubt = max(each.doubt for each in told)
    facts["offset"] = round(offset, 3)
    if abs(offset) <= OFF + doubt:
        sentence = f"The clock agrees with that of {_nodes(len(told))} to {abs(offset):.1f} s."
        return good("clock", sentence, **facts)
    way = "behind" if offset > 0 else "ahead"
    sentence = f"The clock is {abs(offset):,.0f} s {way} of that of {_nodes(len(told))}."
    kind = error if abs(offset) > FAR_OFF else warning
    return kind("clock", sentence, _REMEDY, **facts)


def _nodes(count: int) -> str:
    return "1 other node" if count == 1 else f"{count} other nodes"
