"""One job process of either language: started with its arguments, measured, and let go."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from types import TracebackType
from typing import Any

HERE = Path(__file__).parent
SIDES = ("holdfast", "peer")


class JobError(Exception):
    """A job process that left without a result, or took too long."""


def command(side: str, script: str) -> list[str]:
    """The command line of a job script, without its arguments."""
    if side == "holdfast":
        return [sys.executable, "-m", f"benchmarks.jobs.{script}"]
    return ["node", str(HERE / "js" / f"{script}.js")]


class Worker:
    """A job process; it stays after its result, so that its peak memory can be read."""

    def __init__(self, side: str, script: str, scratch: Path, arguments: dict[str, Any]) -> None:
        self._label = f"{side} {script} {arguments.get('role')}"
        self._command = command(side, script)
        self._arguments = arguments
        self._scratch = scratch
        self._process: Process | None = None

    async def __aenter__(self) -> Worker:
        self._directory = tempfile.mkdtemp(dir=self._scratch)
        arguments = {**self._arguments, "directory": f"{self._directory}/store"}
        # Nothing outside the scratch folder, and no network but the machine's own.
        outside = {"HOLDFAST_STATE": f"{self._directory}/state", "HOLDFAST_LAN": "off"}
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            json.dumps(arguments),
            stdin=PIPE,
            stdout=PIPE,
            cwd=HERE.parent,
            env=os.environ | outside,
        )
        return self

    async def result(self, within: float) -> dict[str, Any]:
        """What the job measured; JobError when it failed or took longer than `within` seconds."""
        assert self._process is not None and self._process.stdout is not None
        try:
            async with asyncio.timeout(within):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise JobError(f"{self._label}: no result within {within:.0f} s") from None
        if not line:
            raise JobError(f"{self._label}: left with {await self._process.wait()}")
        return dict(json.loads(line))

    def peak_mib(self) -> float:
        """The most memory that the process has held so far, in MiB."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        return int(found.group(1)) / 1024 if found else 0.0

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(10 if kind is None else 0):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)
