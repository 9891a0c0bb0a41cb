"""Plays the ``console first`` and ``console second`` blocks of a page: two people at two machines.

Lines beginning with ``$`` are typed, ``^C`` stops what goes on, all others must be printed in that
order; ``…`` stands for anything. The words LINK and KEY in a command are what ``holdfast share``
printed last, PEER is where a program of the page says that it serves.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.docs.pages import REPO, Block

PATIENCE = 60.0
"""Seconds until a command that has not printed what the page shows is a failed test."""
SERVING = re.compile(r"holdfast (share|listen)\b(?!.*--once)|^node keep")
PEERS = REPO / "tests" / "interop" / "node_modules"
"""Where the JavaScript of a page finds its packages."""
_PEER = re.compile(r"^serving on (\S+:\d+)$")
_LINK = re.compile(r"^hyper://(\w{52})\S*$")


class Terminal:
    """A person's shell: a folder and a store of their own."""

    def __init__(self, home: Path, words: dict[str, str]) -> None:
        home.mkdir()
        self.home, self.words = home, words
        self.process: subprocess.Popen[str] | None = None
        self.said = ""
        self._more = threading.Condition()
        scripts = Path(sys.executable).parent
        self._env = os.environ | {
            "HOLDFAST_STORE": str(home / ".store"),
            "HOLDFAST_STATE": str(home / ".state"),
            "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
            "NODE_PATH": str(PEERS),
            "COLUMNS": "80",
        }

    def play(self, block: Block) -> None:
        """Type what the block types and wait for what it shows."""
        for line in block.body.splitlines():
            if line.startswith("$ "):
                self._finish()
                self._start(line[2:])
            elif line == "^C":
                self._interrupt()
            elif line.strip():
                self._expect(line)
        if self.process is not None and not SERVING.search(self.process.args[-1]):
            self._finish()

    def _start(self, command: str) -> None:
        for word, value in self.words.items():
            command = re.sub(rf"\b{word}\b", lambda _, value=value: value, command)
        self.said = ""
        self.process = subprocess.Popen(
            ["bash", "-c", command],
            cwd=self.home,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._listen, args=[self.process], daemon=True).start()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            with self._more:
                self.said += line
                if found := _LINK.search(line):
                    self.words |= {"LINK": shlex.quote(found[0]), "KEY": found[1]}
                if found := _PEER.search(line.rstrip()):
                    self.words["PEER"] = found[1]
                self._more.notify_all()
        process.stdout.close()
        with self._more:
            self._more.notify_all()

    def _expect(self, shown: str) -> None:
        pattern = ".*".join(re.escape(part) for part in shown.strip().split("…"))
        wanted = re.compile(rf"^[ \t]*{pattern}[ \t]*(?:\n|\Z)", re.MULTILINE)
        until = time.monotonic() + PATIENCE
        with self._more:
            while not (found := wanted.search(self.said)):
                left = until - time.monotonic()
                assert left > 0, f"never said {shown!r}, but:\n{self.said}"
                self._more.wait(min(left, 0.2))
            self.said = self.said[found.end() :]

    def _finish(self) -> None:
        if self.process is not None:
            status = self.process.wait(PATIENCE)
            assert status == 0, f"{self.process.args}: status {status}, and said:\n{self.said}"
            self.process = None

    def _interrupt(self) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGINT)
        assert self.process.wait(PATIENCE) == 0, f"stopped badly, and said:\n{self.said}"
        self.process = None

    def close(self) -> None:
        """Leave nothing running."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
