"""``holdfast demo``: the whole story on one machine, in half a minute."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.options import Settings, common_options, pass_settings
from holdfast.cli.ui import UI, amount

if TYPE_CHECKING:
    from pathlib import Path

    from holdfast.cli.children import Child

UNITS = {"B": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}


class _Size(click.ParamType):  # type: ignore[type-arg]
    name = "SIZE"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        if isinstance(value, int):
            return value
        digits = value.rstrip("BGIKMbgikm")
        unit = value[len(digits) :].upper() or "B"
        if not digits.isdigit() or unit not in UNITS:
            self.fail(f"{value!r} is not a size such as 64MiB or 1GiB", param, ctx)
        return int(digits) * UNITS[unit]


@click.command()
@click.option("--size", type=_Size(), default="1GiB", show_default=True, help="Size of the film.")
@click.option("--no-browser", is_flag=True, help="Stay in the terminal (there is no page yet).")
@common_options
@pass_settings
def command(settings: Settings, size: int, no_browser: bool) -> None:
    """Share and get between two processes on this machine, and compare what arrived.

    Everything happens in a temporary folder that is removed at the end, also after Ctrl-C.
    """
    from holdfast.cli.runtime import run_async

    run_async(_demo(settings.ui, size))


async def _demo(ui: UI, size: int) -> None:
    import asyncio
    import tempfile
    import time
    from pathlib import Path

    from holdfast.cli.sample import make_folder

    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="holdfast-demo-") as temporary:
        home = Path(temporary)
        _tell(ui, f"Two computers, played by two folders in {home}.")
        files = await asyncio.to_thread(make_folder, home / "A-files", size)
        shown = ", ".join(f"{file.name} ({amount(file.stat().st_size)})" for file in files)
        _tell(ui, f"A has {shown}.")
        async with _sharing(ui, home, files) as link:
            await _getting(ui, home, link)
        same = await _compare(ui, files, home / "B-files")
    seconds = time.monotonic() - start
    ui.event("done", same=same, seconds=round(seconds, 1), size=size)
    _tell(ui, f"Done in {seconds:.0f} s. Everything is removed and nothing is left running.")
    if not same:
        from holdfast.errors import DamagedError

        raise DamagedError("What arrived is not what was shared.")


def _tell(ui: UI, text: str) -> None:
    ui.event("step", text=text)
    ui.say(text)


@contextlib.asynccontextmanager
async def _sharing(ui: UI, home: Path, files: list[Path]) -> AsyncIterator[str]:
    """A shares; yields the link."""
    from holdfast.cli.children import child

    arguments: list[str | Path] = ["--store", home / "A-store", "share", *files]
    arguments += ["--listen", "127.0.0.1:0"]
    ui.say(f"  A$ holdfast share {' '.join(file.name for file in files)}")
    async with child(arguments, home) as sharer:
        sharing = await _follow(ui, sharer, "sharing")
        ui.say(f"  A> {sharing['link']}")
        yield str(sharing["link"])
        if await sharer.stop() != 0:
            raise sharer.failure()


async def _getting(ui: UI, home: Path, link: str) -> None:
    """B fetches."""
    import time

    from holdfast.cli.children import child

    arguments: list[str | Path] = ["--store", home / "B-store", "get", link, home / "B-files"]
    ui.say("  B$ holdfast get LINK")
    start = time.monotonic()
    async with child(arguments, home) as getter:
        done = await _follow(ui, getter, "done")
        if await getter.wait() != 0:
            raise getter.failure()
    seconds = time.monotonic() - start
    rate = amount(done["bytes"] / max(seconds, 0.001))
    _tell(ui, f"B has {amount(done['bytes'])} after {seconds:.1f} s: {rate}/s, all checked.")


async def _follow(ui: UI, process: Child, until: str) -> dict[str, Any]:
    """Show a child's progress until it reports ``until``."""
    from holdfast.cli.progress import Progress

    with Progress(ui, until, 0) as progress:
        async for event in process.events():
            if event["event"] == "progress":
                progress.what = str(event["what"])
                progress.update(int(event["bytes"]), int(event["total"]))
            elif event["event"] == until:
                return event
    raise process.failure()


async def _compare(ui: UI, files: list[Path], folder: Path) -> bool:
    """SHA-256 of each file on both sides, computed by a program that knows nothing of Holdfast."""
    from holdfast.cli.children import sha256

    same = True
    for file in files:
        here, there = await sha256(file), await sha256(folder / file.name)
        same = same and here == there
        ui.event("compared", file=file.name, a=here, b=there)
        ui.say(f"  sha256 of {file.name}:")
        ui.say(f"    A {here}")
        ui.say(f"    B {there}  {'equal' if here == there else 'DIFFERENT'}")
    return same
