"""Builds the wheel, installs it as a stranger would, and holds it to its size and its speed.

Run as ``python -m tests.house.wheel``. Nothing of the clone is on the path of what is checked.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
WORK = REPO / "build" / "wheel"

HELP_LIMIT = 0.150
"""Seconds for ``holdfast --help``, best of `HELP_RUNS`: a tool that hesitates is not used."""
HELP_RUNS = 15
SIZE_LIMIT = 60_000_000
"""Bytes in site-packages without pip: a small box on a slow line must be able to install it."""


def build(into: Path) -> Path:
    """Build the wheel from the clone and return its path."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(into)]
    subprocess.run(command, cwd=REPO, check=True, capture_output=True)
    (wheel,) = into.glob("*.whl")
    return wheel


def contents(wheel: Path) -> list[str]:
    """The names inside a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def install(wheel: Path, home: Path) -> Path:
    """Make a new environment from the lock, put the wheel into it, and return its bin folder."""
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    pip = [str(home / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-q"]
    lock = str(REPO / "requirements" / "run.txt")
    subprocess.run([*pip, "install", "--require-hashes", "-r", lock], check=True)
    subprocess.run([*pip, "install", "--no-deps", str(wheel)], check=True)
    subprocess.run([*pip, "check"], check=True)
    return home / "bin"


def installed_bytes(home: Path) -> int:
    """What the packages take, without the installer that came with the environment."""
    (site,) = (home / "lib").glob("python3*/site-packages")
    installer = ("pip", "setuptools", "_distutils_hack", "pkg_resources", "distutils")
    return sum(
        file.stat().st_size
        for top in site.iterdir()
        if not top.name.startswith(installer)
        for file in ([top] if top.is_file() else top.rglob("*"))
        if file.is_file()
    )


def help_seconds(holdfast: Path) -> float:
    """The best of several runs, since a busy machine can only make it look slower."""
    times = []
    for _ in range(HELP_RUNS):
        start = time.perf_counter()
        subprocess.run([str(holdfast), "--help"], check=True, capture_output=True, cwd="/")
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> int:
    """Do it all and say what was found; 1 when a limit is broken."""
    shutil.rmtree(WORK, ignore_errors=True)
    wheel = build(WORK)
    where = install(wheel, WORK / "venv")
    size, seconds = installed_bytes(WORK / "venv"), help_seconds(where / "holdfast")
    print(f"{wheel.name}: {len(contents(wheel))} files, {wheel.stat().st_size / 1e3:.0f} kB")
    print(f"installed: {size / 1e6:.1f} MB of {SIZE_LIMIT / 1e6:.0f}")
    print(f"holdfast --help: {seconds * 1e3:.0f} ms of {HELP_LIMIT * 1e3:.0f}")
    return int(size > SIZE_LIMIT or seconds > HELP_LIMIT)


if __name__ == "__main__":
    sys.exit(main())
