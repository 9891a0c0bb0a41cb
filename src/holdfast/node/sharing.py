"""Who may find and who gets which drive of a node, remembered in the store."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from holdfast.errors import BlockNotAvailable
from holdfast.hyperdrive import Drive
from holdfast.node.records import Record
from holdfast.store import Core

if TYPE_CHECKING:
    from holdfast.node.node import Node

HEADER_TIMEOUT = 10.0
"""Seconds for the block of somebody else's drive that says where its contents are."""


async def share(node: Node, drive: Drive, to: Iterable[bytes] | None, announce: bool) -> None:
    """See `Node.share`."""
    keys = None if to is None else tuple(dict.fromkeys(to))
    withheld = tuple(key for key in _of(node, drive).withheld_from if key not in (keys or ()))
    await turn(node, drive, announce, keys, withheld)
    record = replace(_of(node, drive), announced=announce, given_to=keys, withheld_from=withheld)
    node.records.keep(record)


async def unshare(node: Node, drive: Drive) -> None:
    """See `Node.unshare`."""
    node.policy.hush(drive.discovery_key)
    for core in await _logs(drive):
        node.policy.withdraw(core.discovery_key)
    node.records.keep(replace(_of(node, drive), announced=False, given_to=()))


async def share_again(node: Node) -> int:
    """See `Node.share_again`."""
    count = 0
    for record in node.records.all():
        if record.given_to == () and not record.announced:
            continue
        drive = await opened(node, record)
        with contextlib.suppress(BlockNotAvailable):  # nothing of it has arrived yet
            await share(node, drive, record.given_to, record.announced)
            count += 1
    return count


async def opened(node: Node, record: Record) -> Drive:
    """A drive that the node remembers, without looking for those who have it."""
    if record.name is not None:
        return await node.drive(name=record.name)
    return node.hold(record.key, record.secret).drive


async def turn(
    node: Node,
    drive: Drive,
    announce: bool,
    to: tuple[bytes, ...] | None,
    withheld: tuple[bytes, ...],
) -> None:
    """Turn the switches of a drive in the node's policy; raises `BlockNotAvailable`.

    What is turned off is off before anything is waited for.
    """
    policy = node.policy
    for key in node.records.stopped:
        policy.stop_uploads(key)
    if not announce:
        policy.hush(drive.discovery_key)
    policy.offer(drive.discovery_key, to, but=withheld)
    for core in await _logs(drive):
        policy.offer(core.discovery_key, to, but=withheld)
    if announce:
        policy.announce(drive.discovery_key)


async def _logs(drive: Drive) -> tuple[Core, Core]:
    blobs = await drive.blobs(timeout=HEADER_TIMEOUT)
    return drive.core, cast(Core, blobs.core)


def _of(node: Node, drive: Drive) -> Record:
    return node.records.get(drive.key) or Record(drive.key)
