"""Orders to turn the switches of a store: who may find a drive, who gets it, who gets nothing.

An order is remembered in the store, and carried out at once in the node that has the store open. It
can be written as JSON, for `holdfast.node.control`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from holdfast.crypto import discovery_key
from holdfast.encoding import key_text
from holdfast.encoding.keys import parse_key
from holdfast.errors import BlockNotAvailable, LocalError, NotFoundError
from holdfast.node import sharing
from holdfast.node.records import Record, Records

if TYPE_CHECKING:
    from holdfast.node.node import Node

MAX_KEYS = 256
"""Public keys in one list of an order, or remembered in one list of a store."""
MAX_NAME = 1024
"""Characters of a drive's name in an order."""

_LISTS = ("allow", "disallow", "stop", "resume")
_FLAGS = ("announce", "upload")
_CONTRADICTION = "The same key cannot be named for both of two opposite switches."

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Order:
    """Which switches to turn; None and () leave one as it is. An empty order only asks."""

    name: str | None = None
    """Which drive of our own it is about, by its name there."""
    key: bytes | None = None
    """Which drive it is about, by its key; for drives of others, too."""
    announce: bool | None = None
    """Whether it may be found."""
    upload: bool | None = None
    """Give it to everybody who has its link, or to nobody."""
    allow: tuple[bytes, ...] = ()
    """Public keys that get it, too."""
    disallow: tuple[bytes, ...] = ()
    """Public keys that do not get it, even if everybody does."""
    stop: tuple[bytes, ...] = ()
    """Public keys that are given nothing, whatever the drive."""
    resume: tuple[bytes, ...] = ()
    """Public keys for which that is taken back."""

    def check(self) -> Order:
        """The order itself, if it makes sense; else raises `LocalError`."""
        if set(self.allow) & set(self.disallow) or set(self.stop) & set(self.resume):
            raise LocalError(_CONTRADICTION)
        if self.turns_drive and not self.names_drive:
            raise LocalError(
                "These switches belong to a drive, and none is named.",
                "`holdfast ls` lists your drives.",
            )
        return self

    @property
    def names_drive(self) -> bool:
        """Whether it is about one drive."""
        return self.name is not None or self.key is not None

    @property
    def turns_drive(self) -> bool:
        """Whether a switch of a drive is to be turned."""
        given = self.announce is not None or self.upload is not None
        return given or bool(self.allow or self.disallow)

    @property
    def turns_peers(self) -> bool:
        """Whether a switch of a peer is to be turned."""
        return bool(self.stop or self.resume)

    @property
    def turns_on(self) -> bool:
        """Whether more may be found or given after it than before."""
        return bool(self.announce or self.upload or self.allow)

    def changed(self, record: Record) -> Record:
        """What is remembered of a drive once the order is carried out. Raises `LocalError`."""
        given, withheld = record.given_to, record.withheld_from
        if self.upload is not None:
            given = None if self.upload else ()
        if given is not None:
            given = _merged(given, self.allow, self.disallow)
        withheld = _merged(withheld, self.disallow, self.allow)
        announced = record.announced if self.announce is None else self.announce
        return replace(record, announced=announced, given_to=given, withheld_from=withheld)

    def encode(self) -> dict[str, Any]:
        """As JSON can say it."""
        found: dict[str, Any] = {"name": self.name, "announce": self.announce}
        found |= {"upload": self.upload, "key": None if self.key is None else key_text(self.key)}
        return found | {each: [key_text(key) for key in getattr(self, each)] for each in _LISTS}

    @classmethod
    def decode(cls, content: dict[str, Any]) -> Order:
        """What `encode` made; `LinkError` for a bad key, `LocalError` for anything else."""
        known = {field.name for field in fields(cls)}
        if not known.issuperset(content):
            raise LocalError("The order names a switch that is not known here.")
        name, key = content.get("name"), content.get("key")
        if name is not None and not (isinstance(name, str) and len(name) <= MAX_NAME):
            raise LocalError("The drive's name in the order is not a short text.")
        flags: dict[str, Any] = {each: content.get(each) for each in _FLAGS}
        if not all(value is None or isinstance(value, bool) for value in flags.values()):
            raise LocalError("A switch in the order is neither on nor off.")
        lists: dict[str, Any] = {each: _keys(content.get(each, [])) for each in _LISTS}
        (one,) = (None,) if key is None else _keys([key])
        return cls(name, one, **flags, **lists).check()


def _keys(texts: object) -> tuple[bytes, ...]:
    if not isinstance(texts, list) or len(texts) > MAX_KEYS:
        raise LocalError(f"Keys in the order must be a list of {MAX_KEYS} at most.")
    if not all(isinstance(text, str) for text in texts):
        raise LocalError("A key in the order is not a text.")
    return tuple(dict.fromkeys(map(parse_key, texts)))


def _merged(
    keys: tuple[bytes, ...], more: tuple[bytes, ...], less: tuple[bytes, ...]
) -> tuple[bytes, ...]:
    merged = tuple(key for key in dict.fromkeys([*keys, *more]) if key not in less)
    if len(merged) > max(MAX_KEYS, len(keys)):
        raise LocalError(f"No more than {MAX_KEYS} keys are remembered for one switch.")
    return merged


async def carry_out(node: Node, order: Order) -> Answer:
    """Turn switches in the store and in the node; returns how they stand then, as `standing` does.

    A drive that the node does not serve is only served from now on if the order turns something
    on. Raises `NotFoundError`, `LocalError`.
    """
    new = remember(node.records, order)
    for key in order.stop:
        node.policy.stop_uploads(key)
    for key in order.resume:
        node.policy.resume_uploads(key)
    if new is not None and order.turns_drive and (serves(node, new) or order.turns_on):
        drive = await sharing.opened(node, new)
        with contextlib.suppress(BlockNotAvailable):  # nothing of it has arrived yet
            await sharing.turn(node, drive, new.announced, new.given_to, new.withheld_from)
    return standing(node, order)


def remember(records: Records, order: Order) -> Record | None:
    """Turn switches in the store only; returns the new record of the drive that is named.

    Raises as `carry_out`, and then nothing has changed.
    """
    order.check()
    record = _find(records, order) if order.names_drive else None
    new = order.changed(record) if record is not None else None
    stopped = _merged(records.stopped, order.stop, order.resume)
    if new is not None:
        records.keep(new)
    records.keep_stopped(stopped)
    return new


def standing(node: Node, order: Order) -> Answer:
    """How the switches stand that an order is about: all of them, if it is empty.

    ``drives`` are those of drives, ``stopped`` the keys of peers that are given nothing. Raises
    `NotFoundError`.
    """
    records = [_find(node.records, order)] if order.names_drive else node.records.all()
    if order.turns_peers and not order.names_drive:
        records = []
    return {
        "drives": [_shown(node, each) for each in records],
        "stopped": [key_text(key) for key in node.records.stopped],
    }


def status(node: Node) -> Answer:
    """What `standing` says, who this node is, and who is connected with it."""
    listening = [each for listener in node.peers.listeners for each in listener.reachable]
    connections = [
        {
            "key": key_text(each.remote_public_key),
            "address": str(each.remote_address or "?"),
            "route": each.route,
            "sent": each.bytes_sent,
            "received": each.bytes_received,
        }
        for each in node.peers
    ]
    key = key_text(node.key_pair.public_key)
    facts = {"key": key, "listen": [str(each) for each in listening], "connections": connections}
    return facts | standing(node, Order())


def serves(node: Node, record: Record) -> bool:
    """Whether this node gives a drive to anybody, or lets it be found."""
    topic = discovery_key(record.key)
    return node.policy.announces(topic) or topic in node.policy.offered


def orders_to(
    node: Node, turned: Callable[[Answer], None]
) -> Callable[[Answer], Awaitable[Answer]]:
    """Answers requests of the control channel with this node, one after the other.

    A request has ``do``: "switch", with an `Order` as ``order``, or "status". ``turned`` is told
    what was answered to each order that turned a switch.
    """
    lock = asyncio.Lock()

    async def answer(request: Answer) -> Answer:
        async with lock:
            if request.get("do") == "status":
                return status(node)
            content = request.get("order")
            if request.get("do") != "switch" or not isinstance(content, dict):
                raise LocalError("The order is not one that is known here.")
            order = Order.decode(content)
            found = await carry_out(node, order)
            if order.turns_drive or order.turns_peers:
                turned(found)
            return found

    return answer


def _find(records: Records, order: Order) -> Record:
    if order.name is not None:
        record, shown = records.named(order.name), f"called {order.name!r}"
    else:
        assert order.key is not None
        record, shown = records.get(order.key), f"with the key {key_text(order.key)}"
    if record is None:
        raise NotFoundError(
            f"There is no drive {shown} here.", "`holdfast ls` lists the drives that are known."
        )
    return record


def _shown(node: Node, record: Record) -> Answer:
    given, keys = record.given_to, record.given_to or ()
    return {
        "drive": record.name,
        "key": key_text(record.key),
        "announced": record.announced,
        "given": "everybody" if given is None else "some" if keys else "nobody",
        "to": [key_text(key) for key in keys],
        "withheld": [key_text(key) for key in record.withheld_from],
        "live": serves(node, record),
    }
