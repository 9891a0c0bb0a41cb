"""What is committed holds for everybody: no machine's path, no registry's address."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

HERE_ONLY = re.compile(rb"(?<![\w.])/(work|root)/[\w.]")
"""Paths that exist on one machine only."""
REGISTRY = re.compile(rb"https?://[\w.-]*(registry|pypi|npmjs|pythonhosted|crates)[\w.-]*")
"""Where packages come from is the business of the machine that installs them."""
HALF_MERGED = re.compile(rb"^(<{7}|>{7}) ", re.MULTILINE)


def _committed(repo: Path) -> list[Path]:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=repo, capture_output=True, check=True)
    paths = [repo / name for name in names.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


@pytest.mark.parametrize(
    "pattern", [HERE_ONLY, REGISTRY, HALF_MERGED], ids=["paths", "registries", "merges"]
)
def test_nothing_committed_matches(repo: Path, pattern: re.Pattern[bytes]) -> None:
    if not (repo / ".git").exists():
        pytest.skip("not a clone")
    found = [
        f"{path.relative_to(repo)}: {match.group().decode(errors='replace')}"
        for path in _committed(repo)
        if (match := pattern.search(path.read_bytes()))
    ]
    assert found == []


def test_locks_carry_a_hash_for_every_package(repo: Path) -> None:
    for lock in sorted((repo / "requirements").glob("*.txt")):
        text = lock.read_text()
        packages = re.findall(r"^[\w.-]+==\S+", text, re.MULTILINE)
        assert packages, lock.name
        for block in re.split(r"\n(?=\S)", text.strip()):
            assert "--hash=sha256:" in block, f"{lock.name}: {block.splitlines()[0]}"


def test_locks_agree_with_each_other(repo: Path) -> None:
    def pins(name: str) -> dict[str, str]:
        text = (repo / "requirements" / name).read_text()
        return dict(re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE))

    tools = pins("dev.txt")
    for name in ("run.txt", "build.txt"):
        assert pins(name).items() <= tools.items(), name


def test_the_makefile_has_at_most_ten_verbs(repo: Path) -> None:
    makefile = (repo / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    verbs = phony.split()
    assert len(verbs) <= 10
    for verb in verbs:
        assert re.search(rf"^{verb}:.*## \S", makefile, re.MULTILINE), f"{verb} is not explained"
