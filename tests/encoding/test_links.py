"""Links survive being written, pasted and mangled."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.encoding import MAX_UINT, Link, key_text, parse_link
from holdfast.errors import LinkError

KEY, SECRET = bytes(range(32)), bytes(range(100, 132))
K, S = key_text(KEY), key_text(SECRET)

KEYS = st.binary(min_size=32, max_size=32)
PATHS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40).map(lambda text: "/" + text)
HOSTS = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,30}[a-z0-9])?", fullmatch=True) | st.sampled_from(
    ["::1", "fe80::1%eth0", "192.168.1.7"]
)
PEERS = st.lists(st.tuples(HOSTS, st.integers(1, 65535)), max_size=4).map(tuple)
LINKS = st.builds(Link, KEYS, PATHS, st.none() | KEYS, PEERS, st.none() | st.integers(0, MAX_UINT))


@given(LINKS)
@example(Link(KEY, "/it's"))
@example(Link(KEY, "/ends with a space "))
@example(Link(KEY, "//"))
@example(Link(KEY, "/100%/%2F"))
@example(Link(KEY, "/a?b#c+d&e"))
@example(Link(KEY, "/nul\x00 line\n"))
def test_round_trip(link: Link) -> None:
    text = str(link)
    assert text.isascii()
    assert " " not in text
    for pasted in (text, f"  {text}\n", f"<{text}>", f"'{text}'", f'"{text}"'):
        assert parse_link(pasted) == link


@pytest.mark.parametrize(
    ("text", "link"),
    [
        (K, Link(KEY)),
        (f"hyper://{K}", Link(KEY)),
        (f"HYPER://{K.upper()}/", Link(KEY)),
        (f"pear://{K}/films/", Link(KEY, "/films/")),
        (f"hyper://{KEY.hex()}/a", Link(KEY, "/a")),
        (f"{K}+7/my film.mp4", Link(KEY, "/my film.mp4", version=7)),
        (f"hyper://{K}/m%C4%81ori", Link(KEY, "/māori")),
        (f"hyper://{K}/māori", Link(KEY, "/māori")),
        (f"hyper://{K}#{S}", Link(KEY, secret=SECRET)),
        (f"hyper://{K}?peer=h:1&peer=[::1]:2", Link(KEY, peers=(("h", 1), ("::1", 2)))),
        (f"hyper://{K}/p?peer=h%3A1#{S}", Link(KEY, "/p", SECRET, (("h", 1),))),
    ],
)
def test_forms_that_are_understood(text: str, link: Link) -> None:
    assert parse_link(text) == link


def test_the_written_form() -> None:
    link = Link(KEY, "/a b/ü", SECRET, (("10.0.0.1", 80), ("::1", 9)), 3)
    assert str(link) == f"hyper://{K}+3/a%20b/%C3%BC?peer=10.0.0.1:80&peer=[::1]:9#{S}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("  <> ", "empty"),
        ("hyper://", "key in the link is missing"),
        (f"hyper://{K[:30]}", "key in the link is cut: it has 30 of 52"),
        (f"hyper://{K}#{S[:-2]}", "secret in the link .* is cut: it has 50 of 52"),
        (f"hyper://{K}#", "secret in the link .* is missing"),
        (f"hyper://{K}#{S}{S}", "too long"),
        (f"https://{K}", "does not begin with hyper://"),
        (f"hyper://{K[:20]}\n{K[20:]}", "line break"),
        (f"hyper://{K}/\x1b[31m", "invisible"),
        (f"hyper://{K}+", "version"),
        (f"hyper://{K}+-1", "version"),
        (f"hyper://{K}+x/", "version"),
        (f"hyper://{K}+\u0663", "version"),
        (f"hyper://{K}+{MAX_UINT + 1}", "version"),
        (f"hyper://{K}+{'9' * 5000}", "version"),
        (f"hyper://{K}/%ff", "UTF-8"),
        (f"hyper://{K}?who=me", r"after the \? that is not peer"),
        (f"hyper://{K}?peer=", "HOST:PORT"),
        (f"hyper://{K}?peer=host", "HOST:PORT"),
        (f"hyper://{K}?peer=::1:80", "HOST:PORT"),
        (f"hyper://{K}?peer=a b:80", "HOST:PORT"),
        (f"hyper://{K}?peer=[h]:80", "HOST:PORT"),
        (f"hyper://{K}?peer=h:0", "between 1 and 65535"),
        (f"hyper://{K}?peer=h:65536", "between 1 and 65535"),
        (f"hyper://{K}?peer=h:\u0663", "between 1 and 65535"),
        (f"hyper://{K}?" + "&".join(["peer=h:1"] * 17), "more than 16"),
        (f"hyper://{K}/{'x' * 9000}", "longer than"),
    ],
)
def test_the_words_say_what_is_wrong(text: str, words: str) -> None:
    with pytest.raises(LinkError, match=words) as caught:
        parse_link(text)
    assert caught.value.hint.endswith(".")


def test_hints_for_file_names_with_signs_in_them() -> None:
    with pytest.raises(LinkError) as caught:
        parse_link(f"hyper://{K}/notes #1.txt")
    assert "%23" in caught.value.hint
    with pytest.raises(LinkError) as caught:
        parse_link(f"hyper://{K}/why?.txt")
    assert "%3F" in caught.value.hint


@given(st.text(max_size=120) | st.text(max_size=60).map(lambda text: f"hyper://{K}{text}"))
def test_any_text_is_a_link_or_a_link_error(text: str) -> None:
    try:
        link = parse_link(text)
    except LinkError:
        return
    assert parse_link(str(link)) == link


@given(st.integers(0, len(K) + len(S)), st.integers(0, 60))
def test_a_cut_or_mangled_link_never_shows_its_secret(cut: int, change: int) -> None:
    text = f"hyper://{K}#{S}"
    place = len(text) - 1 - change % len(S)
    for mangled in (text[: len(text) - cut], text[:place] + "l" + text[place + 1 :]):
        try:
            parse_link(mangled)
        except LinkError as error:
            said = error.message + error.hint
            assert not any(S[i : i + 6] in said for i in range(len(S) - 6))


def test_secrets_do_not_reach_logs() -> None:
    link = Link(KEY, "/x", SECRET)
    assert S not in repr(link)
    assert repr(SECRET) not in repr(link)
    assert str(link.without_secret()) == f"hyper://{K}/x"


@pytest.mark.parametrize(
    "parts",
    [{"key": b"short"}, {"key": KEY, "secret": b"short"}, {"key": KEY, "path": "no-slash"}],
)
def test_a_link_that_could_not_be_read_is_not_made(parts: dict[str, bytes]) -> None:
    with pytest.raises(ValueError, match="."):
        Link(**parts)  # type: ignore[arg-type]
