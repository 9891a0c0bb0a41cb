"""Every error and exit status."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast import errors
from holdfast.cli import app

INTRODUCTION = """\
# Errors and exit statuses

Generated from `holdfast.errors` by `make docs`.

Every failure is one object with a **code** that never changes its meaning, a sentence, and mostly a hint what to do.
The command line prints the sentence and the hint on standard error and ends with the **exit status**; with `--json`
it prints `{"event": "error", "code": …, "message": …, "hint": …}` there instead; the Python API raises the **class**.
A script should branch on the code or the status, never on the words. A status not listed here must be taken as
failure. Each class also catches the indented ones under it.
"""

OTHERS = [
    (0, "", "Done."),
    (app.EXIT_BUG, "`bug`", "Something nobody foresaw: a fault of ours. `--debug` shows where."),
    (app.EXIT_INTERRUPTED, "", "Stopped by Ctrl-C or SIGTERM before it was done."),
    (app.EXIT_PIPE, "", "Whoever read the output went away."),
]


def _rows(error: type[errors.HoldfastError], depth: int) -> Iterator[str]:
    meaning = (error.__doc__ or "").split("\n\n")[0].replace("\n", " ")
    if error is errors.HoldfastError:
        meaning = "Root of the tree; never raised by itself."
    indent = "&emsp;" * depth
    yield (
        f"| {error.exit_code} | `{error.code}` | {indent}`{error.__name__}` | {meaning} "
        f"| {error.default_hint} |"
    )
    for leaf in error.__subclasses__():
        if leaf.__module__ == errors.__name__:
            yield from _rows(leaf, depth + 1)


def errors_page() -> str:
    """The whole page."""
    table = [
        "| status | code | class | meaning | usual hint |",
        "|---|---|---|---|---|",
        *_rows(errors.HoldfastError, 0),
    ]
    others = ["| status | code | meaning |", "|---|---|---|"]
    others += [f"| {status} | {code} | {meaning} |" for status, code, meaning in OTHERS]
    return "\n".join([INTRODUCTION, *table, "", "## Other exit statuses", "", *others, ""])
