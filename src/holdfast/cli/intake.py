"""From paths on the command line into a drive."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.cli.progress import Progress
from holdfast.cli.ui import UI, printable
from holdfast.errors import NotFoundError, PathError

if TYPE_CHECKING:
    from holdfast import hyperdrive
    from holdfast.hyperdrive import Drive


def sources(paths: Sequence[Path]) -> dict[str, Path]:
    """Each path under the name that it gets in the drive: its last part.

    Raises `NotFoundError`, and `PathError` for two of the same name.
    """
    found: dict[str, Path] = {}
    for path in paths:
        real = path.expanduser().absolute()
        if real.name in ("", ".", ".."):
            real = real.resolve()
        if not real.exists():
            raise NotFoundError(f"There is no file or folder {str(path)!r}.")
        if not real.name:
            raise PathError("The whole disk cannot be shared.", "Name a folder.")
        if found.setdefault(real.name, real) != real:
            raise PathError(
                f"Two of the paths are called {real.name!r}.", "Share them under different names."
            )
    return found


async def take_in(ui: UI, drive: Drive, taken: dict[str, Path]) -> int:
    """Bring the drive up to date with the paths; returns how many files were refused."""
    refused = 0
    # With --json the first line is the one that says what is shared: no progress before it.
    with Progress(UI(quiet=True) if ui.json else ui, "storing") as bar:
        before = 0
        for name, path in taken.items():

            def report(at: hyperdrive.Progress, before: int = before) -> None:
                bar.update(before + at.bytes, before + at.total_bytes)

            if path.is_dir():
                result = await drive.mirror_from(path, folder="/" + name, progress=report)
            else:
                only = _Only(name)
                result = await drive.mirror_from(
                    path.parent, prune=False, ignore=only, progress=report
                )
            before = bar.done
            refused += len(result.refused)
            for refusal in result.refused:
                ui.note(f"left out: {printable(refusal.error.message)}")
    return refused


class _Only:
    """Leaves out everything in a folder but one name."""

    def __init__(self, name: str) -> None:
        self._path = "/" + name

    def __call__(self, path: str) -> bool:
        return path != self._path
