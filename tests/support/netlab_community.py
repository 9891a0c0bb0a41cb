"""A community in the laboratory: its bootstrap nodes, and people who share and get."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.support.netlab import Host, Lab, Site
from tests.support.netlab_run import Event, Program, holdfast

PORT = 49737
BOOTSTRAPS = 3
"""Public nodes of the community: a node learns of its NAT from what several of them see."""


@dataclass
class Community:
    """Running bootstrap nodes, which can also be relays."""

    nodes: list[Program]
    addresses: list[str]

    @property
    def options(self) -> list[str]:
        """What a verb has to be told."""
        return [word for address in self.addresses for word in ("--bootstrap", address)]


@contextlib.contextmanager
def community(lab: Lab, size: int = BOOTSTRAPS) -> Iterator[Community]:
    """Bootstrap nodes on public hosts, the first of them from an empty list."""
    with contextlib.ExitStack() as stack:
        nodes: list[Program] = []
        addresses: list[str] = []
        for number in range(size):
            host = lab.host(f"community{number}")
            listen = f"{host.address}:{PORT}"
            known = [word for address in addresses for word in ("--bootstrap", address)]
            nodes.append(stack.enter_context(bootstrap_node(host, listen, *known)))
            addresses.append(listen)
        yield Community(nodes, addresses)


def bootstrap_node(host: Host, listen: str, *known: str) -> Program:
    """``holdfast up`` as a community's bootstrap node, once it answers."""
    program = holdfast(host, "up", "--bootstrap", *known, "--listen", listen)
    program.event("up")
    return program


class Shared(NamedTuple):
    """Somebody who shares a file, and what it says."""

    program: Program
    link: str
    content: bytes


@contextlib.contextmanager
def sharing(host: Host, size: int, *options: str) -> Iterator[Shared]:
    """``holdfast share`` of one file of random bytes."""
    content, path = os.urandom(size), host.home / "film.bin"
    path.write_bytes(content)
    with holdfast(host, "share", path, *options) as program:
        yield Shared(program, program.event("sharing")["link"], content)


class Got(NamedTuple):
    """How ``holdfast get`` ended."""

    status: int
    seen: list[Event]
    story: str
    peak: int
    content: bytes | None

    @property
    def routes(self) -> list[str]:
        """How each of its connections came about, in their order."""
        return [each.get("route", "") for each in self.seen if each["event"] == "connected"]


def get(host: Host, link: str, *options: str, name: str = "got", within: float = 90.0) -> Got:
    """``holdfast get`` into a fresh store and folder."""
    dest = host.home / name
    store = ("--store", host.home / f"store-{name}")
    with holdfast(host, *store, "get", link, dest, *options) as program:
        status = program.wait(within)
        return Got(status, program.seen, program.story(), program.peak, _read(dest / "film.bin"))


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def directly(lab: Lab, one: Site | Host, two: Site | Host) -> int:
    """Bytes that went straight from one to the other so far, as the public segment counted them."""
    return sum(
        size
        for (source, target, _), size in lab.carried().items()
        if (source, target) == (one.address, two.address)
    )
