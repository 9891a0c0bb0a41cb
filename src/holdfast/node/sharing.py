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
    for core in await _logs(drive):
        node.policy.offer(core.discovery_key, keys)
    if announce:
        node.policy.announce(drive.discovery_key)
    else:
        node.policy.hush(drive.discovery_key)
    _remember(node, drive, announced=announce, given_to=keys)


async def unshare(node: Node, drive: Drive) -> None:
    """See `Node.unshare`."""
    node.policy.hush(drive.discovery_key)
    for core in await _logs(drive):
        node.policy.withdraw(core.discovery_key)
    _remember(node, drive, announced=False, given_to=())


async def share_again(node: Node) -> int:
    """See `Node.share_again`."""
    count = 0
    for record in node.records.all():
        if record.given_to == () and not record.announced:
            continue
        if record.name is not None:
            drive = await node.drive(name=record.name)
        else:
            drive = node.hold(record.key, record.secret).drive
        with contextlib.suppress(BlockNotAvailable):  # nothing of it has arrived yet
            await share(node, drive, record.given_to, record.announced)
            count += 1
    return count


async def _logs(drive: Drive) -> tuple[Core, Core]:
    blobs = await drive.blobs(timeout=HEADER_TIMEOUT)
    return drive.core, cast(Core, blobs.core)


def _remember(
    node: Node, drive: Drive, *, announced: bool, given_to: tuple[bytes, ...] | None
) -> None:
    record = node.records.get(drive.key) or Record(drive.key)
    node.records.keep(replace(record, announced=announced, given_to=given_to))
