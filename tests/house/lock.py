"""Writes the locks again: exact versions, hashes for every platform, nobody's address."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
LOCKS = {
    "dev.txt": ["pyproject.toml", "--group", "dev", "--extra", "fsspec"],
    "run.txt": ["pyproject.toml", "-c", "requirements/dev.txt"],
    "build.txt": ["--group", "build", "-c", "requirements/dev.txt"],
}
"""The tools' lock is made first; the other two follow its versions."""

FLAGS = ["--universal", "--python-version=3.11", "--generate-hashes", "--no-header"]
FLAGS += ["--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "--quiet"]


def main(arguments: list[str]) -> int:
    """Run uv for each lock; further arguments (``--upgrade``) are handed on."""
    for name, sources in LOCKS.items():
        command = [sys.executable, "-m", "uv", "pip", "compile", *sources, *FLAGS, *arguments]
        command += ["-o", f"requirements/{name}"]
        done = subprocess.run(command, cwd=REPO, stdout=subprocess.DEVNULL)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
