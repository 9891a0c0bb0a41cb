"""``holdfast cat``."""

from __future__ import annotations

import click

from holdfast.cli.network import network_options
from holdfast.cli.options import Settings, common_options, pass_settings, peer_option
from holdfast.errors import PathError


class _Range(click.ParamType):  # type: ignore[type-arg]
    """``START-END`` as in HTTP: both included, either may be missing."""

    name = "START-END"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int | None, int | None]:
        first, dash, last = value.partition("-")
        parts = [part for part in (first, last) if part]
        if not dash or not parts or not all(part.isascii() and part.isdigit() for part in parts):
            self.fail(f"{value!r} is not START-END in bytes, such as 0-99, 100- or -50", param, ctx)
        start, end = int(first) if first else None, int(last) if last else None
        if start is not None and end is not None and end < start:
            self.fail(f"{value!r} ends before it starts", param, ctx)
        return start, end


@click.command()
@click.argument("target", metavar="LINK[@VERSION]/PATH")
@click.option(
    "--range",
    "bounds",
    type=_Range(),
    default=None,
    help="Only these bytes (the first is 0, the last is included).",
)
@peer_option
@network_options
@common_options
@pass_settings
def command(
    settings: Settings,
    target: str,
    bounds: tuple[int | None, int | None] | None,
    peer: tuple[str, ...],
) -> None:
    """Write a file of a drive to standard output, while it arrives.

    Only what is written is fetched: --range reads the middle of a large file at once.
    """
    from holdfast.cli.runtime import run_async

    run_async(_cat(settings, target, bounds or (None, None), peer))


async def _cat(
    settings: Settings, text: str, bounds: tuple[int | None, int | None], peers: tuple[str, ...]
) -> None:
    import sys

    from holdfast.cli.session import open_node, open_reader
    from holdfast.cli.targets import open_target, parse_target

    target = parse_target(text)
    opened = open_reader(settings) if target.link is not None else open_node(settings)
    async with opened as node:
        view, path = await open_target(settings.ui, node, target, peers)
        stat = await view.stat(path)
        if stat.kind == "folder":
            raise PathError(f"{path} is a folder.", "Name a file in it; `holdfast ls` lists them.")
        entry = await view.entry(path, follow=True)
        size = await view.size(entry) if entry is not None else 0
        start, stop = _inside(bounds, size)
        write = sys.stdout.buffer.write
        async for piece in view.read_stream(path, start, end=stop):
            write(piece)
        sys.stdout.buffer.flush()


def _inside(bounds: tuple[int | None, int | None], size: int) -> tuple[int, int]:
    """First byte and the one after the last; a missing start counts from the end."""
    start, end = bounds
    if start is None:
        return (0, size) if end is None else (max(0, size - end), size)
    return min(start, size), size if end is None else min(size, end + 1)
