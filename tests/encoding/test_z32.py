"""z-base-32 as the peers write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.encoding.z32 import ALPHABET, z32_decode, z32_encode
from holdfast.errors import LinkError


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("", ""),
        ("00", "yy"),
        ("f0bfc7", "6n9hq"),
        ("d47a04", "4t7ye"),
        ("00" * 32, "y" * 52),
        ("ff" * 32, "9" * 51 + "o"),
        ("10110040", "nyeoyoy"),
    ],
)
def test_known_texts(data: str, text: str) -> None:
    """Written by the peers' own code."""
    assert z32_encode(bytes.fromhex(data)) == text
    assert z32_decode(text) == bytes.fromhex(data)


@given(st.binary(max_size=80))
def test_round_trip_in_either_case(data: bytes) -> None:
    text = z32_encode(data)
    assert len(text) == (len(data) * 8 + 4) // 5
    assert z32_decode(text) == z32_decode(text.upper()) == data


@given(st.text(alphabet=ALPHABET, max_size=30) | st.text(max_size=30))
def test_a_text_is_one_spelling_or_refused(text: str) -> None:
    try:
        data = z32_decode(text)
    except LinkError:
        return
    assert z32_encode(data) == text.lower()


@pytest.mark.parametrize(("text", "position"), [("l", 1), ("yyv", 3), ("y0", 2), ("yÿ", 2)])
def test_the_error_tells_where(text: str, position: int) -> None:
    with pytest.raises(LinkError, match=f"Character {position} "):
        z32_decode(text)


@pytest.mark.parametrize("text", ["y", "yyy", "yyyyyy", "yb", "9" * 52])
def test_spare_bits_are_zero(text: str) -> None:
    with pytest.raises(LinkError, match="last character"):
        z32_decode(text)
