"""A laboratory of networks on one machine: a public segment, sites behind NATs, LANs without exit.

    with Lab(tmp_path) as lab:
        bootstrap = lab.host("boot")                      # 198.51.100.x, reachable by all
        home = lab.site("home", Tier.MODERATE)            # a host behind a router
        cafe = lab.site("cafe", Tier.STRICT, bad=True)    # its way out can be made bad
        flat = lab.site("flat", Tier.MODERATE, Tier.MODERATE)   # two NATs, the inner one first
        one, two = lab.lan("boat", 2)                     # hear each other and nobody else

Everything lives in namespaces without a way to the outside, named after this process; the block's
end removes them, and the next laboratory removes those of a process that was killed.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from tests.support.netlab_link import BadLink, plain_link
from tests.support.netlab_nat import TIERS, Tier, rules
from tests.support.netlab_space import PREFIX, Namespace, missing_tools, remove_leftovers, run

__all__ = ["TIERS", "BadLink", "Host", "Lab", "Site", "Tier", "missing_tools"]

_GATEWAY = "198.51.100.1"
_ACCOUNT = """
table ip account {
  set carried {
    type ipv4_addr . ipv4_addr . inet_proto
    flags dynamic
    size 65536
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    update @carried { ip saddr . ip daddr . ip protocol counter }
  }
}
"""
_laboratories = itertools.count(1)


class Host(Namespace):
    """A machine: one address, and folders of its own for what programs keep."""

    def __init__(self, name: str, home: Path) -> None:
        home.mkdir(parents=True)
        super().__init__(name)
        self.address = ""
        self.home = home
        self.bad: BadLink | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Variables for programs here, so that they share no file with those of other hosts."""
        for folder in ("config", "runtime"):
            (self.home / folder).mkdir(mode=0o700, exist_ok=True)
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")
        }
        return inherited | {
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "HOLDFAST_RUNTIME": str(self.home / "runtime"),
            "HOLDFAST_STORE": str(self.home / "store"),
            "HOLDFAST_STATE": str(self.home / "state"),
        }


@dataclass
class Site:
    """A host behind its routers, the one next to it first."""

    host: Host
    routers: list[Namespace] = field(default_factory=list)
    address: str = ""
    "As the public segment sees it."
    bad: BadLink | None = None
    "The way out, where it was asked for."


class Lab:
    """Makes hosts, sites and LANs; see the module's head."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._label = f"{PREFIX}{os.getpid()}x{next(_laboratories)}"
        self._closing = ExitStack()
        self._links = itertools.count()
        self._publics = itertools.count(10)
        self._privates = itertools.count(1)
        self._core: Namespace
        self._ports: dict[str, str] = {}

    def __enter__(self) -> Lab:
        remove_leftovers()
        self._core = self._space("core")
        self._core.sysctl("net.ipv4.ip_forward", 1)
        self._core.nft(_ACCOUNT)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.close()

    def host(self, name: str, *, bad: bool = False) -> Host:
        """A host on the public segment, behind no NAT."""
        host = self._host(name)
        host.address, host.bad = self._go_public(host, bad)
        return host

    def site(self, name: str, *tiers: Tier, bad: bool = False) -> Site:
        """A host behind one router for each tier, the innermost first."""
        site = Site(self._host(name))
        below: Namespace = site.host
        for depth, tier in enumerate(tiers):
            router = self._space(f"{name}-r{depth}")
            router.sysctl("net.ipv4.ip_forward", 1)
            net = f"10.{next(self._privates)}.0"
            device = "eth" if below is site.host else "wan"
            plain_link((router, "lan"), (below, device))
            router.ip(f"addr add {net}.1/24 dev lan")
            below.ip(f"addr add {net}.2/24 dev {device}", f"route add default via {net}.1")
            site.host.address = site.host.address or f"{net}.2"
            router.nft(rules(tier, f"{net}.2"))
            site.routers.append(router)
            below = router
        site.address, site.bad = self._go_public(below, bad)
        return site

    def lan(self, name: str, hosts: int) -> Sequence[Host]:
        """Hosts on one switch, with no router."""
        switch = self._space(f"{name}-switch")
        switch.ip("link add bridge type bridge mcast_snooping 0", "link set bridge up")
        net = f"10.{next(self._privates)}.0"
        made = []
        for number in range(hosts):
            host = self._host(f"{name}{number}")
            plain_link((host, "eth"), (switch, f"port{number}"))
            switch.ip(f"link set port{number} master bridge")
            host.address = f"{net}.{number + 2}"
            host.ip(f"addr add {host.address}/24 broadcast + dev eth")
            made.append(host)
        return made

    def more_addresses(self, host: Host, count: int) -> list[str]:
        """So many addresses for a public host, beside its own."""
        net = f"10.{next(self._privates)}"
        made = [f"{net}.{number // 250}.{number % 250 + 1}" for number in range(count)]
        host.ip(*(f"addr add {address}/32 dev wan" for address in made))
        self._core.ip(f"route add {net}.0.0/16 dev {self._ports[host.name]}")
        return made

    def carried(self) -> dict[tuple[str, str, str], int]:
        """Bytes that crossed the public segment: (from, to, "udp" or "tcp") -> how many."""
        listed = json.loads(run(*self._core.command("nft", "-j", "list set ip account carried")))
        elements = listed["nftables"][1]["set"].get("elem", [])
        return {
            tuple(each["elem"]["val"]["concat"]): each["elem"]["counter"]["bytes"]
            for each in elements
        }

    def readdress(self, what: Host | Site) -> str:
        """Give a public host, or the outermost router of a site, another address; returns it."""
        outside = what if isinstance(what, Host) else what.routers[-1]
        new, device = self._public(), self._ports[outside.name]
        self._core.ip(f"route del {what.address} dev {device}", f"route add {new} dev {device}")
        outside.ip(
            f"addr del {what.address}/32 dev wan",
            f"addr add {new}/32 dev wan",
            f"route replace {_GATEWAY} dev wan scope link",
            f"route replace default via {_GATEWAY} dev wan",
        )
        what.address = new
        return new

    def _public(self) -> str:
        return f"198.51.100.{next(self._publics)}"

    def _go_public(self, space: Namespace, bad: bool) -> tuple[str, BadLink | None]:
        address, device = self._public(), f"port{next(self._links)}"
        link = None
        if bad:
            link = BadLink((space, "wan"), (self._core, device))
            self._closing.callback(link.close)
        else:
            plain_link((space, "wan"), (self._core, device))
        self._core.ip(f"addr add {_GATEWAY}/32 dev {device}", f"route add {address} dev {device}")
        space.ip(
            f"addr add {address}/32 dev wan",
            f"route add {_GATEWAY} dev wan scope link",
            f"route add default via {_GATEWAY} dev wan",
        )
        self._ports[space.name] = device
        return address, link

    def _space(self, name: str) -> Namespace:
        space = Namespace(f"{self._label}-{name}")
        self._closing.callback(space.close)
        return space

    def _host(self, name: str) -> Host:
        host = Host(f"{self._label}-{name}", self._home / name)
        self._closing.callback(host.close)
        return host
