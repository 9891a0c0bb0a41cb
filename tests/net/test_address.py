from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import AddressError
from holdfast.net.address import (
    Address,
    is_unspecified,
    parse_address,
    reachable_hosts,
)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:4977", "127.0.0.1", 4977),
        (" example.org:1 ", "example.org", 1),
        ("[::1]:65535", "::1", 65535),
        ("[fe80::1%eth0]:7", "fe80::1%eth0", 7),
    ],
)
def test_reads_host_and_port(text: str, host: str, port: int) -> None:
    assert parse_address(text) == Address(host, port)


def test_fills_in_what_is_missing() -> None:
    assert parse_address(":80", default_host="0.0.0.0") == Address("0.0.0.0", 80)
    assert parse_address("box", default_port=4977) == Address("box", 4977)
    assert parse_address("::1", default_port=4977) == Address("::1", 4977)
    assert parse_address("[::1]", default_port=4977) == Address("::1", 4977)


@pytest.mark.parametrize(
    "text",
    ["", ":", "host", "host:", "host:x", "host:65536", "host:-1", "host:٣", "[::1:7", "[x]:7",
     "[::1]7", "a b:1", "a\x1b[2J:1", "::1", "h" * 254 + ":1"],
)  # fmt: skip
def test_refuses_anything_else_with_a_hint(text: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse_address(text)
    assert caught.value.hint and caught.value.exit_code == 9


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_an_address_error(text: str) -> None:
    try:
        address = parse_address(text, default_host="h", default_port=1)
    except AddressError:
        return
    assert parse_address(str(address)) == address


def test_a_bound_address_is_given_as_it_is_and_loopback_comes_last() -> None:
    assert reachable_hosts("10.0.0.1") == ["10.0.0.1"]
    assert reachable_hosts("0.0.0.0")[-1] == "127.0.0.1"
    assert reachable_hosts("::")[-1] == "::1"
    assert is_unspecified("::") and is_unspecified("") and not is_unspecified("localhost")
