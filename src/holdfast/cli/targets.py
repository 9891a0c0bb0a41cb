"""What LINK or NAME on the command line stands for.

``hyper://KEY…`` (or a bare key) is anybody's drive; everything else is ``NAME[@VERSION][/PATH]`` of
a drive of our own. Whoever pastes a whole link writes ``@VERSION`` and ``/PATH`` behind its end,
not before its ``?`` and ``#`` where they belong: both places are understood.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from holdfast.errors import LinkError, LocalError, NotFoundError, NotWritableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.cli.ui import UI
    from holdfast.encoding import Link
    from holdfast.hyperdrive import Drive, DriveView
    from holdfast.node import Node

_KEY = r"[A-Za-z0-9]{50,66}"
_LINK = re.compile(rf"^[<\"'\s]*(?:(?:hyper|pear)://|{_KEY}(?:[+@/?#]|$))", re.IGNORECASE)
_WHOLE = re.compile(
    rf"^(?P<key>(?:\w+://)?{_KEY})(?:[@+](?P<version>\d{{1,16}}))?(?P<path>/[^?#]*)?"
    r"(?P<query>\?[^#/@]*)?(?P<secret>#[A-Za-z0-9]*)?(?:@(?P<at>\d{1,16}))?(?P<below>/.*)?$",
    re.DOTALL,
)
_NAMED = re.compile(r"^(?P<name>[^/@]+)(?:@(?P<version>\d{1,16}))?(?P<path>/.*)?$", re.DOTALL)


class Target(NamedTuple):
    """A drive, a version of it, and a path in it."""

    text: str
    link: Link | None
    name: str | None
    path: str
    version: int | None

    @property
    def shown(self) -> str:
        """What to call it in messages; without the secret."""
        if self.link is None:
            return self.name or ""
        return str(replace(self.link.without_secret(), peers=(), path="/"))


def parse_target(text: str) -> Target:
    """Take a target apart. Raises `LinkError`."""
    if _LINK.match(text):
        from holdfast.encoding import parse_link

        link = parse_link(_in_order(text.strip().strip("<>\"'`")))
        return Target(text, link, None, link.path, link.version)
    found = _NAMED.match(text)
    if found is None or "://" in text:
        shown = text.partition("#")[0]  # what stands behind it may be a secret
        raise LinkError(
            f"{shown!r} is neither a link nor the name of a drive.",
            "Links begin with hyper:// ; `holdfast ls` lists your own drives.",
        )
    at = found["version"]
    return Target(text, None, found["name"], found["path"] or "/", int(at) if at else None)


def _in_order(text: str) -> str:
    """A link with what was written behind its end moved to where links have it."""
    found = _WHOLE.match(text)
    if found is None:
        return text
    version = found["at"] or found["version"]
    # What stands behind the end was typed, not copied: it is not percent-encoded.
    path = (found["path"] or "") + quote(found["below"] or "", safe="/")
    query, secret = found["query"] or "", found["secret"] or ""
    return f"{found['key']}{'+' + version if version else ''}{path}{query}{secret}"


async def open_target(
    ui: UI, node: Node, target: Target, peers: Sequence[str] = ()
) -> tuple[DriveView, str]:
    """The version of a drive that a target names, and the path in it."""
    from holdfast.cli.runtime import patiently

    if target.link is not None:
        where = ", ".join([*peers, *(f"{host}:{port}" for host, port in target.link.peers)])
        async with patiently(ui, f"the drive from {where}" if where else "the drive"):
            return await node.view(target.link, peers=peers)
    drive = await open_own(node, target)
    if target.version is None:
        return drive, target.path
    if target.version > drive.version:
        raise NotFoundError(f"{target.name} has no version {target.version}, only {drive.version}.")
    return drive.checkout(target.version), target.path


async def open_own(node: Node, target: Target) -> Drive:
    """A drive of our own. Raises `NotFoundError`, `NotWritableError`."""
    record = None
    if target.link is not None:
        record = node.records.get(target.link.key)
        if record is None or record.name is None:
            raise NotWritableError("This drive belongs to somebody else.")
    elif target.name is not None:
        record = node.records.named(target.name)
    if record is None or record.name is None:
        raise NotFoundError(
            f"There is no drive called {target.name!r} here.",
            "`holdfast ls` lists your drives; a link begins with hyper:// .",
        )
    return await node.drive(name=record.name)


def newest(target: Target) -> Target:
    """The target, which must not name an old version. Raises `LocalError`."""
    if target.version is not None:
        raise LocalError("An old version cannot be changed.", "Leave the @VERSION out.")
    return target
