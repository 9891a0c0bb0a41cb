"""The command: write the pages, or check them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from docs.generate.pages import PAGES, REFERENCE
from docs.generate.performance import fill


def main(arguments: list[str] | None = None) -> int:
    """Write or check every generated page; 1 when ``--check`` finds one out of date."""
    parser = argparse.ArgumentParser(prog="make docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    parser.add_argument("--bench", type=Path, metavar="FILE", help="fill the performance table")
    options = parser.parse_args(arguments)

    stale = 0
    for name, make in PAGES.items():
        page, text = REFERENCE / name, make()
        if page.exists() and page.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        if options.check:
            print(f"docs/reference/{name} is out of date: run make docs")
        else:
            page.write_text(text, encoding="utf-8")
            print(f"docs/reference/{name} written")
    if options.bench:
        fill(REFERENCE / "performance.md", options.bench)
    return int(options.check and stale > 0)


if __name__ == "__main__":
    sys.exit(main())
