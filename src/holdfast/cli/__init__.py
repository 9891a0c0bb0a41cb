"""The command line: ``holdfast VERB``. One file per verb; `app` finds and runs them.

* ``app``       the group, its global options, how errors end a run
* ``ui``        what is printed, for people and (``--json``) for scripts
* ``progress``  bars, rates, and events twice a second
* ``runtime``   from a synchronous command into asyncio and out again, signals included
* ``options``   the options every verb has
* ``targets``   what LINK or NAME on the command line stands for
"""

from __future__ import annotations


def main() -> None:
    """Run the command line and exit with its status."""
    from holdfast.cli.app import run

    run()
