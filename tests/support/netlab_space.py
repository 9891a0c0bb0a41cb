"""One network namespace: its addresses, rules, sockets and processes, and its end."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

Result = TypeVar("Result")

FOLDER = Path("/run/netns")
PREFIX = "hflab"
TOOLS = {"ip": "iproute2", "nft": "nftables", "nsenter": "util-linux"}
"""Program -> the Debian package that has it."""

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def missing_tools() -> str | None:
    """Why no laboratory can be built here, or None when it can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    absent = sorted(package for tool, package in TOOLS.items() if shutil.which(tool) is None)
    if absent:
        return f"the laboratory of networks needs: apt-get install {' '.join(absent)}"
    if not Path("/dev/net/tun").exists():
        return "this kernel has no /dev/net/tun"
    return None


def require_tools() -> None:
    """Skip the test where no laboratory can be built; fail it where CI says that one has to be."""
    reason = missing_tools()
    if reason is None:
        return
    if os.geteuid() == 0 and os.environ.get("HOLDFAST_REQUIRE_PEERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def run(*command: str, given: str | None = None) -> str:
    """Output of a command that has to succeed."""
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}\n{given or ''}")
    return done.stdout


class Namespace:
    """A network stack of its own; made at once, gone after `close`."""

    def __init__(self, name: str) -> None:
        self.name = name
        run("ip", "netns", "add", name)
        self.ip("link set lo up")

    def ip(self, *lines: str) -> None:
        """Commands of iproute2 in here, each without the leading ``ip``."""
        run("ip", "-n", self.name, "-batch", "-", given="\n".join(lines) + "\n")

    def nft(self, rules: str) -> None:
        """Load nftables rules in here."""
        run(*self.command("nft", "-f", "-"), given=rules)

    def sysctl(self, key: str, value: int | str) -> None:
        """Set one ``net.*`` setting of this namespace."""
        path = Path("/proc/sys") / key.replace(".", "/")
        self.call(lambda: path.write_text(f"{value}\n"))

    def command(self, *command: str | Path) -> list[str]:
        """The same command, to be run in here; the process keeps its id."""
        return ["nsenter", f"--net={FOLDER / self.name}", *map(str, command)]

    def popen(self, command: Sequence[str | Path], **options: Any) -> subprocess.Popen[Any]:
        """Start a process in here."""
        return subprocess.Popen(self.command(*command), start_new_session=True, **options)

    def call(self, function: Callable[[], Result]) -> Result:
        """What `function` gives when a thread in here runs it: sockets that it makes stay in here.

        The thread ends with the call, so no other code ever runs in the wrong namespace.
        """
        results: list[Result] = []
        failures: list[BaseException] = []

        def inside() -> None:
            try:
                with (FOLDER / self.name).open() as handle:
                    if _libc.setns(handle.fileno(), _CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), f"setns {self.name}")
                results.append(function())
            except BaseException as failure:
                failures.append(failure)

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        if failures:
            raise failures[0]
        return results[0]

    def udp(self, port: int = 0, *, patience: float = 0.5) -> socket.socket:
        """A UDP socket in here, whose `recvfrom` waits for `patience` seconds at most."""

        def make() -> socket.socket:
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.bind(("0.0.0.0", port))
            made.settimeout(patience)
            return made

        return self.call(make)

    def close(self) -> None:
        """End what still runs in here, and remove it."""
        remove(self.name)


def remove(name: str) -> None:
    """Remove a namespace of a laboratory, with the processes in it; none of that name is fine."""
    assert name.startswith(PREFIX)
    with contextlib.suppress(RuntimeError):
        for pid in run("ip", "netns", "pids", name).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        run("ip", "netns", "delete", name)


def remove_leftovers() -> None:
    """Remove what laboratories left whose process died without cleaning up."""
    for path in FOLDER.glob(f"{PREFIX}*-*"):
        owner = path.name.removeprefix(PREFIX).partition("x")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            remove(path.name)
