from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.cli.targets import Target, newest, parse_target
from holdfast.encoding import Link
from holdfast.errors import LinkError, LocalError

KEY, SECRET = bytes(range(32)), bytes(range(1, 33))
PLAIN = Link(KEY)
WHOLE = Link(KEY, secret=SECRET, peers=(("127.0.0.1", 4977), ("::1", 5)))


def parts(target: Target) -> tuple[str, int | None]:
    return target.path, target.version


@pytest.mark.parametrize("link", [PLAIN, WHOLE])
@pytest.mark.parametrize(
    ("behind", "path", "version"),
    [
        ("", "/", None),
        ("/notes/a.txt", "/notes/a.txt", None),
        ("/my file #1?.txt", "/my file #1?.txt", None),
        ("@7", "/", 7),
        ("@7/notes", "/notes", 7),
    ],
)
def test_what_is_written_behind_a_whole_link_is_understood(
    link: Link, behind: str, path: str, version: int | None
) -> None:
    if link is PLAIN and "#" in behind:
        pytest.skip("without a query or a secret this is where they would stand")
    target = parse_target(str(link) + behind)
    assert parts(target) == (path, version)
    assert target.link is not None
    assert (target.link.key, target.link.secret, target.link.peers) == (
        link.key, link.secret, link.peers,
    )  # fmt: skip


def test_what_stands_in_its_place_is_understood_too() -> None:
    link = Link(KEY, "/a/b c", SECRET, (("h", 1),), 9)
    target = parse_target(str(link))
    assert target.link == link and parts(target) == ("/a/b c", 9)
    assert parts(parse_target(str(link) + "/d")) == ("/a/b c/d", 9)
    assert parts(parse_target(str(link).replace("+9", "@9"))) == ("/a/b c", 9)


def test_a_bare_key_is_a_link() -> None:
    target = parse_target(str(PLAIN).removeprefix("hyper://") + "/x")
    assert target.link is not None and target.path == "/x"


@pytest.mark.parametrize(
    ("text", "name", "path", "version"),
    [
        ("films", "films", "/", None),
        ("films/a/b.mp4", "films", "/a/b.mp4", None),
        ("my films@12/a@b", "my films", "/a@b", 12),
    ],
)
def test_everything_else_is_a_name(text: str, name: str, path: str, version: int | None) -> None:
    target = parse_target(text)
    assert target.link is None and target.name == name
    assert parts(target) == (path, version)
    assert target.shown == name


@pytest.mark.parametrize(
    "text",
    ["", "/a", "http://example.org/", "hyper://", "hyper://abc", "@4", str(WHOLE)[:-1],
     str(PLAIN)[:40]],
)  # fmt: skip
def test_nonsense_is_a_link_error_with_a_hint(text: str) -> None:
    with pytest.raises(LinkError) as caught:
        parse_target(text)
    assert caught.value.hint


def test_messages_never_show_the_secret() -> None:
    assert "#" not in parse_target(str(WHOLE)).shown


def test_old_versions_cannot_be_changed() -> None:
    with pytest.raises(LocalError):
        newest(parse_target("films@3/a"))
    assert newest(parse_target("films/a")).name == "films"


@given(st.text(max_size=80))
def test_any_text_is_a_target_or_a_link_error(text: str) -> None:
    try:
        parse_target(text)
    except LinkError:
        pass


@given(st.text(alphabet=st.characters(exclude_categories=["C"]), min_size=1, max_size=40))
def test_any_typed_path_behind_a_whole_link_is_taken_literally(path: str) -> None:
    if path.rstrip(" <>\"'`") != path or not path.isprintable():
        return
    assert parse_target(f"{WHOLE}/{path}").path == "/" + path


@pytest.mark.parametrize("text", ["hypr://key?peer=a:1#secret", "/x#secret", "a://b#secret"])
def test_what_may_be_a_secret_is_not_repeated(text: str) -> None:
    with pytest.raises(LinkError) as raised:
        parse_target(text)
    assert "secret" not in raised.value.message + raised.value.hint
