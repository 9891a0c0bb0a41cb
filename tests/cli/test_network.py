"""Options, environment and file: which one counts, and what a wrong file is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.cli.network import network_of, read_file
from holdfast.cli.options import Settings
from holdfast.errors import LocalError


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("HOLDFAST_BOOTSTRAP", "HOLDFAST_RELAY", "HOLDFAST_CONFIG", "HOLDFAST_LAN"):
        monkeypatch.delenv(name, raising=False)
    return Settings(store=str(tmp_path))


def test_without_anything_only_who_is_near_is_found(settings: Settings) -> None:
    network = network_of(settings)
    assert (network.bootstrap, network.relays) == ((), ())
    assert network.lan and network.machine


def test_the_command_line_counts_before_the_environment_and_the_file(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "holdfast.toml").write_text('[network]\nbootstrap = ["a:1"]\nlan = false\n')
    assert network_of(settings).bootstrap == ("a:1",)
    assert not network_of(settings).lan
    monkeypatch.setenv("HOLDFAST_BOOTSTRAP", "b:2, c:3")
    assert network_of(settings).bootstrap == ("b:2", "c:3")
    settings.bootstrap, settings.relays = ("d:4",), ("e:5",)
    assert network_of(settings).bootstrap == ("d:4",)
    assert network_of(settings).relays == ("e:5",)


def test_nearness_can_be_switched_off(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_LAN", "off")
    assert not network_of(settings).lan and network_of(settings).machine
    monkeypatch.setenv("HOLDFAST_LAN", "perhaps")
    with pytest.raises(LocalError, match="on or off"):
        network_of(settings)
    monkeypatch.setenv("HOLDFAST_LAN", "on")
    settings.no_lan = True
    assert not network_of(settings).lan and not network_of(settings).machine


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[network\n", "not valid"),
        ("network = 3\n", "must be a table"),
        ("[network]\nboots = []\n", "no setting 'boots'"),
        ('[network]\nbootstrap = "a:1"\n', "must be a list"),
        ("[network]\nbootstrap = [1]\n", "must be a list"),
        ('[network]\nlan = "no"\n', "true or false"),
    ],
)
def test_a_wrong_file_is_told_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "holdfast.toml"
    path.write_text(text)
    with pytest.raises(LocalError, match=words):
        read_file(path)


def test_a_file_that_was_named_must_be_there(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_file(tmp_path / "none.toml") == {}
    monkeypatch.setenv("HOLDFAST_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(LocalError, match="is not there"):
        network_of(settings)
