"""Measures which pairs of networks the original connects directly, and writes it down.

    python -m tests.nat.original [ROUNDS]          # as root; writes tests/nat/original.json

Five hyperdht nodes with public addresses (one the bootstrap), one server for each kind of site,
and one client at a time at each kind of site, without any relay: what connects, is direct.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.support.netlab import Host, Lab, Site, Tier

HERE = Path(__file__).parent
SCRIPT = HERE / "js" / "hyperdht_node.js"
RECORD = HERE / "original.json"
PORT = 49737
PUBLIC_NODES = 4
"""Beside the bootstrap: a node learns of its NAT from what several hosts see of it."""

SITES = {
    "open": [Tier.OPEN],
    "moderate": [Tier.MODERATE],
    "strict": [Tier.STRICT],
    "blocked": [Tier.BLOCKED],
    "double": [Tier.MODERATE, Tier.MODERATE],
}


def start(host: Host, *arguments: str) -> subprocess.Popen[str]:
    """A node of the original on that host."""
    return host.popen(
        ["node", SCRIPT, *arguments],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env=host.environment,
        text=True,
    )


def line(process: subprocess.Popen[str]) -> dict[str, Any] | None:
    """What it says next."""
    assert process.stdout is not None
    said = process.stdout.readline()
    return json.loads(said) if said else None


def network(lab: Lab, stack: contextlib.ExitStack) -> str:
    """Start the public nodes; returns the bootstrap's address."""
    boot = lab.host("boot")
    address = f"{boot.address}:{PORT}"
    assert line(stack.enter_context(start(boot, "boot", boot.address, str(PORT))))
    for number in range(PUBLIC_NODES):
        host = lab.host(f"public{number}")
        node = stack.enter_context(start(host, "node", host.address, str(PORT), address))
        assert line(node)
    return address


def serve(site: Site, bootstrap: str, stack: contextlib.ExitStack) -> str | None:
    """Start a server; its key, or None when it cannot even announce itself."""
    said = line(stack.enter_context(start(site.host, "serve", bootstrap)))
    print(said, flush=True)
    return said["key"] if said and said["event"] == "serving" else None


def measure(rounds: int, home: Path) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """server kind -> client kind -> what each attempt said."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = {
        server: {client: [] for client in SITES} for server in SITES
    }
    with contextlib.ExitStack() as stack, Lab(home) as lab:
        bootstrap = network(lab, stack)
        servers = {name: lab.site(f"s-{name}", *tiers) for name, tiers in SITES.items()}
        clients = {name: lab.site(f"c-{name}", *tiers) for name, tiers in SITES.items()}
        keys = {name: serve(site, bootstrap, stack) for name, site in servers.items()}
        for _ in range(rounds):
            for client, site in clients.items():
                wanted = {name: key for name, key in keys.items() if key}
                process = stack.enter_context(start(site.host, "call", bootstrap, *wanted.values()))
                for server in wanted:
                    said = line(process)
                    assert said is not None
                    print(f"{server:9} <- {client:9} {said}", flush=True)
                    found[server][client].append(said)
    return found


def main() -> None:
    """Measure, print, write."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as home:
        found = measure(rounds, Path(home) / "lab")
    table = {
        server: {
            client: {
                "direct": sum(said["error"] is None for said in attempts),
                "of": len(attempts),
                "seconds": sorted(said["seconds"] for said in attempts),
                "errors": sorted({error for said in attempts for error in said["errors"]}),
                "tries": [len(said["errors"]) + (said["error"] is None) for said in attempts],
            }
            for client, attempts in row.items()
        }
        for server, row in found.items()
    }
    RECORD.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
