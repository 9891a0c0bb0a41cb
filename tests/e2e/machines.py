"""A person at a machine: runs verbs on one store, and compares folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cli.running import Ran, Running, holdfast, running


class Machine:
    """One store and the command line over it; others find it only where it says it is."""

    def __init__(self, home: Path) -> None:
        home.mkdir()
        self.home = home
        self.store = home / "store"

    @property
    def environment(self) -> dict[str, str]:
        """Its own folder for what nodes of one machine tell each other."""
        return os.environ | {"HOLDFAST_RUNTIME": str(self.home / "runtime")}

    def run(self, *arguments: str | Path, **options: Any) -> Ran:
        """A verb with ``--json``, to its end."""
        options.setdefault("env", self.environment)
        return holdfast("--store", self.store, "--json", *arguments, **options)

    def say(self, *arguments: str | Path, **options: Any) -> Ran:
        """A verb as people type it."""
        options.setdefault("env", self.environment)
        return holdfast("--store", self.store, *arguments, **options)

    @contextmanager
    def start(self, *arguments: str | Path) -> Iterator[Running]:
        """A verb that goes on, ended by the block."""
        with running("--store", self.store, *arguments, env=self.environment) as process:
            yield process

    @contextmanager
    def sharing(self, *arguments: str | Path) -> Iterator[Shared]:
        """``share`` on a free port of the loopback, once it is being served."""
        with self.start("share", "--listen", "127.0.0.1:0", *arguments) as process:
            yield Shared(process)


class Shared:
    """A drive being shared by a process."""

    def __init__(self, process: Running) -> None:
        self.process = process
        self.event = process.event("sharing")
        self.link: str = self.event["link"]

    def sent(self) -> int:
        """Bytes sent over all connections so far, once the last one has been closed."""
        return sum(each["sent"] for each in self.process.seen if each["event"] == "disconnected")


def tree(folder: Path) -> dict[str, object]:
    """What is in a folder, to be compared: bytes, executable bits, links."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = "-> " + str(path.readlink())
        elif path.is_file():
            found[name] = (path.read_bytes(), bool(path.stat().st_mode & 0o100))
    return found
