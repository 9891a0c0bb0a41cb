"""Which pairs of networks connect directly: nodes of the original, of ours, or one of each.

    python -m tests.nat.pairs --servers js --clients js --rounds 3     # as root

Five public DHT nodes (one the bootstrap), one server for each kind of site, and one client at a
time at each kind of site, without any relay: what connects, is direct. A pair whose hole could not
be punched is tried three times, 21 s apart, as a node rests after many probes. The table is printed
and kept in ``pairs.json``, under what was measured; `tests.nat.test_matrix` compares with it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.support.netlab import Host, Lab, Tier
from tests.support.netlab_run import Program

HERE = Path(__file__).parent
RECORD = HERE / "pairs.json"
PORT = 49737
PUBLIC_NODES = 4
"""Beside the bootstrap: a node learns of its NAT from what several hosts see of it."""

COMMANDS: dict[str, list[str | Path]] = {
    "js": ["node", HERE / "js" / "hyperdht_node.js"],
    "py": [sys.executable, "-m", "tests.nat.dht_peer"],
}

SITES = {
    "open": [Tier.OPEN],
    "moderate": [Tier.MODERATE],
    "strict": [Tier.STRICT],
    "blocked": [Tier.BLOCKED],
    "double": [Tier.MODERATE, Tier.MODERATE],
}

Found = dict[str, dict[str, list[dict[str, Any]]]]
"""Kind of the server's site -> kind of the client's -> what each attempt said."""


class Measurement:
    """One laboratory with a public network and a server at every kind of site."""

    def __init__(self, lab: Lab, stack: contextlib.ExitStack, kinds: argparse.Namespace) -> None:
        self._lab, self._stack, self._kinds = lab, stack, kinds
        self.sites = list(SITES) if kinds.sites is None else kinds.sites.split(",")
        self.found: Found = {one: {two: [] for two in self.sites} for one in self.sites}
        self.bootstrap = ""

    def start_network(self) -> None:
        """Start the public nodes."""
        for number in range(1 + PUBLIC_NODES):
            host = self._lab.host(f"public{number}")
            more = [self.bootstrap] if number else []
            role = "node" if number else "boot"
            node = self._start(self._kinds.public, host, role, host.address, str(PORT), *more)
            node.event("ready")
            self.bootstrap = self.bootstrap or f"{host.address}:{PORT}"

    def measure(self, rounds: int) -> None:
        """Every client calls every server."""
        servers = {}
        for name in self.sites:
            host = self._lab.site(f"s-{name}", *SITES[name]).host
            server = self._start(self._kinds.servers, host, "serve", self.bootstrap)
            servers[name] = server.event("serving")["key"]
        clients = {name: self._lab.site(f"c-{name}", *SITES[name]).host for name in self.sites}
        for _ in range(rounds):
            for name, host in clients.items():
                client = self._start(
                    self._kinds.clients, host, "call", self.bootstrap, *servers.values()
                )
                for server_name in servers:
                    said = client.event("reached", "missed", within=240)
                    self.found[server_name][name].append(said)
                    print(f"{server_name:9} <- {name:9} {said}", flush=True)

    def _start(self, kind: str, host: Host, *arguments: str) -> Program:
        return self._stack.enter_context(Program(host, *COMMANDS[kind], *arguments))


def summary(found: Found) -> dict[str, dict[str, str]]:
    """What there is to remember of each pair: how many of how many, and the seconds or the reason.

    The seconds are those of the attempts that succeeded, best and worst.
    """
    return {
        server: {client: _cell(attempts) for client, attempts in row.items()}
        for server, row in found.items()
    }


def _cell(attempts: list[dict[str, Any]]) -> str:
    good = [said for said in attempts if said["event"] == "reached"]
    text = f"{len(good)}/{len(attempts)}"
    if good:
        seconds = [said["seconds"] for said in good]
        tries = max(len(said["errors"]) + 1 for said in good)
        text += f" in {min(seconds):.2f} to {max(seconds):.2f} s" + f", {tries} tries" * (tries > 1)
    errors = {error.partition(":")[0] for said in attempts for error in said["errors"]}
    return " ".join([text, *sorted(errors)]) if len(good) < len(attempts) else text


def table(found: dict[str, dict[str, str]]) -> str:
    """As Markdown: a row for each server's site, a column for each client's."""
    clients = list(next(iter(found.values())))
    rows = [["server \\ client", *clients], ["---"] * (1 + len(clients))]
    rows += [[server, *row.values()] for server, row in found.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    for side in ("servers", "clients", "public"):
        parser.add_argument(f"--{side}", choices=sorted(COMMANDS), default="js")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--sites", help="a,b,c: only these kinds")
    parser.add_argument("--keep", action="store_true", help="write the table into pairs.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, contextlib.ExitStack() as stack:
        lab = stack.enter_context(Lab(Path(home) / "lab"))
        measurement = Measurement(lab, stack, options)
        measurement.start_network()
        measurement.measure(options.rounds)
    found = summary(measurement.found)
    print(table(found))
    if options.keep:
        record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
        label = f"servers {options.servers}, clients {options.clients}, public {options.public}"
        record[label] = found
        RECORD.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
