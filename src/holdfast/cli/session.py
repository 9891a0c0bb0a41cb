"""From the options of a run to an open node."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from holdfast.cli.network import network_of, show_steps
from holdfast.cli.options import Settings
from holdfast.errors import PassphraseError, StoreBusyError

if TYPE_CHECKING:
    from holdfast.node import Node


@asynccontextmanager
async def open_node(
    settings: Settings, *, online: bool = False, **options: Any
) -> AsyncIterator[Node]:
    """The node over the store of this run, closed at the end; asks for a passphrase if need be.

    ``online``: with the ways to others that the options and the configuration allow.
    """
    if online:
        options["network"] = network_of(settings)
    node = await _opened(settings, options)
    try:
        if online:
            show_steps(settings, node)
        yield node
    finally:
        await node.close()


async def _opened(settings: Settings, options: dict[str, Any]) -> Node:
    import holdfast
    from holdfast.cli import passphrase

    directory, given = settings.directory, passphrase.given(settings.passphrase_file)
    try:
        return await holdfast.open(directory, passphrase=given, **options)
    except PassphraseError:
        typed = passphrase.asked() if given is None else None
        if typed is None:
            raise
        return await holdfast.open(directory, passphrase=typed, **options)


@asynccontextmanager
async def open_reader(settings: Settings) -> AsyncIterator[Node]:
    """Like `open_node`, for looking at drives of others: a busy store does not stand in the way.

    While another process has the store, a temporary one takes its place.
    """
    import tempfile

    import holdfast

    network = network_of(settings)
    try:
        node = await _opened(settings, {"network": network})
    except StoreBusyError:
        settings.ui.note("the store is in use by another process; reading without it")
        with tempfile.TemporaryDirectory(prefix="holdfast-") as temporary:
            async with holdfast.open(temporary, durability="process", network=network) as node:
                show_steps(settings, node)
                yield node
        return
    try:
        show_steps(settings, node)
        yield node
    finally:
        await node.close()
