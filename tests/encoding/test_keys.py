"""Keys as people paste them, and what they are told when it went wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.encoding import key_text, parse_key
from holdfast.encoding.keys import decode_key
from holdfast.errors import LinkError
from tests.vectors.load import unhex

KEY = unhex("manifest", "v1single", "key")
TEXT = key_text(KEY)


@given(st.binary(min_size=32, max_size=32))
def test_every_form_of_a_key(key: bytes) -> None:
    for text in (key_text(key), key_text(key).upper(), key.hex(), key.hex().upper()):
        assert parse_key(f"  {text}\n") == key


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_key_has_one_length(length: int) -> None:
    with pytest.raises(ValueError, match="32"):
        key_text(bytes(length))


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("", "is missing", "Copy"),
        (TEXT[:-1], "cut: it has 51 of 52", "Copy"),
        (TEXT[:3], "cut: it has 3 of 52", "Copy"),
        (KEY.hex()[:-1], "cut: it has 63 of 64", "Copy"),
        (TEXT + "y", "too long: it has 53 characters, not 52", "Copy"),
        (KEY.hex() + "0", "too long: it has 65 characters, not 64", "Copy"),
        (TEXT[:9] + "l" + TEXT[10:], r"mistyped: character 10 \('l'\)", "no 0, 2, l or v"),
        (TEXT[:9] + "-" + TEXT[10:], r"mistyped: character 10 \('-'\)", "Copy"),
        (TEXT[:51] + "b", "mistyped: it cannot end like this", "Copy"),
        ("\N{KELVIN SIGN}" + TEXT[1:], "mistyped: character 1 ", "Copy"),
        ("g" * 64, "too long", "Copy"),
    ],
)
def test_the_words_say_what_is_wrong(text: str, words: str, hint: str) -> None:
    with pytest.raises(LinkError, match=words) as caught:
        parse_key(text)
    assert hint in caught.value.hint


@given(st.text(max_size=70))
def test_any_text_is_a_key_or_a_link_error(text: str) -> None:
    try:
        assert len(parse_key(text)) == 32
    except LinkError as error:
        assert error.message.endswith(".")


@given(st.integers(0, 51), st.sampled_from("lv02-"))
def test_a_secret_is_never_repeated(position: int, wrong: str) -> None:
    text = TEXT[:position] + wrong + TEXT[position + 1 :]
    for mistaken in (text, text[:-1], TEXT[:-1], TEXT + "y"):
        with pytest.raises(LinkError) as caught:
            decode_key(mistaken, "It", secret=True)
        said = caught.value.message + caught.value.hint.replace("0, 2, l or v", "")
        assert repr(wrong) not in said
        assert not any(mistaken[i : i + 6] in said for i in range(len(mistaken) - 6))
