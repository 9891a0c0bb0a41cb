from __future__ import annotations

import socket
from pathlib import Path

from tests.cli.running import holdfast

CODES = [
    "bind-tcp", "bind-udp", "lan", "dht", "udp", "nat", "relay",
    "clock", "disk-space", "disk-sync", "open-files", "store",
]  # fmt: skip


def test_every_check_has_a_code_a_severity_a_sentence_and_a_remedy(tmp_path: Path) -> None:
    ran = holdfast("doctor", "--json", "--no-lan", "--store", tmp_path / "store")
    assert ran.status == 0, ran.err
    *checks, done = ran.events
    assert [check["code"] for check in checks] == CODES
    for check in checks:
        assert check["severity"] in ("ok", "note", "warning", "error")
        assert check["message"].endswith(".")
        assert check["remedy"] or check["severity"] in ("ok", "note")
    assert done["event"] == "done" and done["checks"] == len(CODES) and done["errors"] == 0
    assert not (tmp_path / "store").exists()


def test_a_bootstrap_node_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        ran = holdfast("doctor", "--no-lan", "--bootstrap", address, "--store", tmp_path)
    assert ran.status == 1
    assert "error    dht         No bootstrap node answers" in ran.out
    assert "1 error" in ran.out.splitlines()[-1]


def test_udp_that_does_not_get_through_is_told_apart(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        ran = holdfast("doctor", "--json", "--no-lan", "--bootstrap", address, "--store", tmp_path)
    checks = {event["code"]: event for event in ran.events if event["event"] == "check"}
    assert checks["nat"]["facts"]["class"] == "blocked"
    assert "answers on TCP, but not on UDP" in checks["udp"]["message"]
    assert "--relay" in checks["udp"]["remedy"]
