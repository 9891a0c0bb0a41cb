from __future__ import annotations

import os
import signal
import subprocess

import pytest

from tests.cli.running import COMMAND, holdfast, running


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_listen_dial_ping_echo(number: signal.Signals) -> None:
    with running("listen") as node:
        started = node.event("listening")
        address = started["listen"][0]
        dialled = holdfast("dial", address, "--key", started["key"], "--json")
        assert dialled.status == 0
        assert dialled.events[0]["key"] == started["key"]
        assert node.event("connected")["address"]
        assert node.event("disconnected")["received"] > 0
        pinged = holdfast("ping", address, "--count", "3", "--interval", "0", "--json")
        assert [event["event"] for event in pinged.events] == ["ping"] * 3 + ["done"]
        assert 0 < pinged.events[-1]["min"] <= pinged.events[-1]["max"]
        assert holdfast("echo", address, "kia ora").out == "kia ora\n"
        assert node.stop(number) == 0


def test_a_megabyte_from_standard_input_comes_back() -> None:
    data = os.urandom(1 << 20)
    with running("listen") as node:
        address = node.event("listening")["listen"][0]
        back = subprocess.run(
            [*COMMAND, "echo", address], input=data, capture_output=True, check=True, timeout=60
        )
        assert back.stdout == data


def test_the_wrong_key_is_refused() -> None:
    with running("listen") as node:
        address = node.event("listening")["listen"][0]
        other = "y" * 52
        ran = holdfast("dial", address, "--key", other, "--json")
        assert ran.status == 20 and ran.error["code"] == "handshake-failed"


def test_a_taken_port_is_said() -> None:
    with running("listen") as node:
        address = node.event("listening")["listen"][0]
        ran = holdfast("listen", address, "--json")
        assert ran.error["code"] == "cannot-listen" and ran.status
