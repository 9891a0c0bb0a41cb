"""Drives of a hostile writer: whatever their names are, nothing outside the target is touched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.errors import PathError
from holdfast.hyperdrive import Drive, Value
from holdfast.hyperdrive.entry import BlobId, ValueEncoding
from holdfast.hyperdrive.mirror_to import mirror_to
from holdfast.hyperdrive.paths import check_link, check_names
from holdfast.hyperdrive.target import PARTIAL, _partial_name
from holdfast.store import Store

NAMES = [
    "/..",
    "/../canary",
    "/../../../../../../../../tmp/canary",
    "/a/../../canary",
    "/a/../b",
    "/.",
    "/./x",
    "//x",
    "/x/",
    "/",
    "",
    "relative",
    "../canary",
    "/nul\0byte",
    "/new\nline",
    "/escape\x1b[2J",
    "/delete\x7f",
    "/c1\x9bcontrol",
    "/back\\slash",
    "/..\\canary",
    "C:/windows",
    "/" + "x" * 256,
    "/" + "ā" * 128,
    "/" + "/".join("d" * 50 for _ in range(90)),
    "/" + "/".join("d" for _ in range(10_000)),
    "/" + _partial_name("fine"),
    "/" + PARTIAL + "x",
]

LINKS = [
    "../canary",
    "/etc/passwd",
    "/",
    "..",
    "d/../../canary",
    "d/..",
    "x/../../../etc",
    "nul\0",
    "new\nline",
    "back\\slash",
    "../" * 50 + "etc/passwd",
    "/../../etc/passwd",
]


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """The target's parent, with a canary that must not change and no other newcomers."""
    canary = tmp_path / "canary"
    canary.write_bytes(b"sings")
    yield tmp_path / "out"
    assert canary.read_bytes() == b"sings"
    assert sorted(os.listdir(tmp_path)) in (["canary"], ["canary", "out"])


async def raw(drive: Drive, path: str, value: Value) -> None:
    """Put a name as only a hostile writer would."""
    files = drive.bee.sub("files", key_encoding="binary", value_encoding=ValueEncoding())
    await files.put(path.encode("utf-8", "surrogatepass"), value)


async def content(drive: Drive) -> BlobId:
    await drive.put("/fine", b"fine")
    entry = await drive.entry("/fine")
    assert entry is not None and entry.blob is not None
    return entry.blob


async def test_names_that_lead_elsewhere_are_refused_one_by_one(outside: Path) -> None:
    async with await Store.open(None) as store, Drive(store) as drive:
        blob = await content(drive)
        for path in NAMES:
            await raw(drive, path, Value(blob=blob))
            await raw(drive, path + "/below", Value(linkname="x"))
        done = await drive.mirror_to(outside)
        written = [str(path.relative_to(outside)) for path in outside.rglob("*")]
        assert sorted(written) == ["below", "fine"]  # "" and "/below" make a good name
        assert (done.added, len(done.refused)) == (2, done.files - 2)
        assert all(isinstance(error, PathError) for _, error in done.refused)
        listed = [entry.path async for entry in drive.list()]
        assert len(listed) == done.files
        done = await drive.mirror_to(outside, prune=True)
        assert (done.unchanged, done.removed) == (2, 0)


async def test_links_that_lead_outside_are_refused(outside: Path) -> None:
    async with await Store.open(None) as store, Drive(store) as drive:
        await content(drive)
        await drive.put("/d/e/file", b"1")
        for i, link in enumerate(LINKS):
            await raw(drive, f"/bad{i}", Value(linkname=link))
        await drive.symlink("/good", "d/e/file")
        await drive.symlink("/d/good", "../fine")
        await drive.symlink("/d/e/absolute", "/fine")
        await drive.symlink("/folder", "/d/e")
        await drive.symlink("/d/e/self", ".")
        done = await drive.mirror_to(outside)
        assert sorted(path for path, _ in done.refused) == sorted(
            f"/bad{i}" for i in range(len(LINKS))
        )
        for path in outside.rglob("*"):
            assert Path(os.path.realpath(path)).is_relative_to(outside.resolve())
        assert (outside / "d/e/absolute").read_bytes() == b"fine"
        assert (outside / "folder/file").read_bytes() == b"1"


async def test_a_chain_of_links_cannot_get_out(outside: Path) -> None:
    async with await Store.open(None) as store, Drive(store) as drive:
        await drive.put("/d/e/f", b"1")
        await drive.symlink("/d/up", "..")
        await drive.symlink("/d/e/up", "../up")
        await drive.symlink("/d/e/more", "../up/..")
        await drive.symlink("/x", "d/e/up/d/up")
        done = await drive.mirror_to(outside)
        assert [path for path, _ in done.refused] == ["/d/e/more"]
        for path in outside.rglob("*"):
            assert Path(os.path.realpath(path)).is_relative_to(outside.resolve())


async def test_a_file_cannot_go_through_a_link_of_the_drive(outside: Path) -> None:
    """The link is made, but what lies "in" it is not written: not even where it leads inside."""
    async with await Store.open(None) as store, Drive(store) as drive:
        await drive.put("/d/a", b"1")
        await drive.symlink("/l", "d")
        await drive.put("/l/b", b"2")
        done = await drive.mirror_to(outside)
        assert [path for path, _ in done.refused] in (["/l/b"], ["/l"])
        assert os.listdir(outside / "d") == ["a"]


async def test_links_already_on_disk_are_not_followed(outside: Path, tmp_path: Path) -> None:
    outside.mkdir()
    (outside / "folder").symlink_to(tmp_path)
    (outside / "file").symlink_to(tmp_path / "canary")
    (outside / "link").symlink_to(tmp_path / "canary")
    async with await Store.open(None) as store, Drive(store) as drive:
        await drive.put("/folder/canary", b"silent")
        await drive.put("/folder/new", b"silent")
        await drive.put("/file", b"silent")
        await drive.symlink("/link", "file")
        done = await drive.mirror_to(outside, prune=True)
        assert [path for path, _ in done.refused] == []
        assert (outside / "folder/canary").read_bytes() == b"silent"  # the link made room
        (outside / "folder/new").unlink()
        (outside / "folder/canary").unlink()
        (outside / "folder").rmdir()
        (outside / "folder").symlink_to(tmp_path)
        done = await drive.mirror_to(outside)
        assert [path for path, _ in done.refused] == ["/folder/canary", "/folder/new"]
        assert not (outside / "file").is_symlink() and os.readlink(outside / "link") == "file"


async def test_a_target_that_is_a_link_is_where_it_leads(outside: Path) -> None:
    outside.mkdir()
    real = outside / "real"
    real.mkdir()
    (outside / "way").symlink_to("real")
    async with await Store.open(None) as store, Drive(store) as drive:
        await drive.put("/a", b"1")
        await drive.mirror_to(outside / "way")
        assert os.listdir(real) == ["a"]


async def test_a_name_that_is_a_file_and_a_folder(outside: Path) -> None:
    async with await Store.open(None) as store, Drive(store) as drive:
        await drive.put("/a", b"file")
        await drive.put("/a/b", b"below")
        await drive.put("/z", b"last")
        done = await drive.mirror_to(outside)
        assert len(done.refused) == 1 and done.added == 2
        assert (outside / "z").read_bytes() == b"last"
        again = await drive.mirror_to(outside)
        assert len(again.refused) == 1


async def test_a_folder_on_disk_where_the_drive_has_a_file(outside: Path) -> None:
    (outside / "a/b").mkdir(parents=True)
    async with await Store.open(None) as store, Drive(store) as drive:
        await drive.put("/a", b"file")
        await drive.symlink("/a2", "a")
        done = await drive.mirror_to(outside)
        assert [path for path, _ in done.refused] == ["/a"]
        done = await drive.mirror_to(outside, prune=True)
        assert done.added == 1 and (outside / "a").read_bytes() == b"file"


async def test_names_that_are_one_on_a_disk_that_does_not_tell_cases_apart(outside: Path) -> None:
    async with await Store.open(None) as store, Drive(store) as drive:
        for path in ("/README", "/Readme", "/d/\u00e9", "/d/e\u0301", "/D/\u00e9", "/other"):
            await drive.put(path, path.encode())
        done = await mirror_to(drive, outside, case_sensitive=False)
        refused = sorted(path for path, _ in done.refused)
        assert refused == ["/Readme", "/d/e\u0301", "/d/\u00e9"]
        done = await drive.mirror_to(outside / "x")
        assert done.refused == [] and done.added == 6


async def test_numbers_that_lie(outside: Path) -> None:
    """Entries whose content is not what they say: the others are written."""
    async with await Store.open(None) as store, Drive(store) as drive:
        blob = await content(drive)
        await raw(drive, "/longer", Value(blob=blob._replace(byte_length=10)))
        await raw(drive, "/no map", Value(blob=blob._replace(block_map=True)))
        await raw(drive, "/big map", Value(blob=blob._replace(block_map=True, block_length=65)))
        done = await drive.mirror_to(outside)
        assert sorted(path for path, _ in done.refused) == ["/big map", "/longer", "/no map"]
        assert os.listdir(outside) == ["fine"]


steps = st.sampled_from(["..", ".", "", "a", "b", "a.txt", "\0", "c\\d", "..."])
wild = st.one_of(
    st.text(max_size=8), st.lists(steps, max_size=6).map("/".join), st.sampled_from(NAMES[:20])
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(wild, st.one_of(st.none(), wild)), max_size=8))
async def test_any_names_stay_inside(outside: Path, made: list[tuple[str, str | None]]) -> None:
    async with await Store.open(None) as store, Drive(store) as drive:
        blob = await content(drive)
        for path, link in made:
            if link is not None and any("\ud800" <= c <= "\udfff" for c in link):
                continue
            await raw(drive, path, Value(linkname=link or None, blob=None if link else blob))
        await drive.mirror_to(outside, prune=True, durable=False)
        for path in outside.rglob("*"):
            assert Path(os.path.realpath(path)).is_relative_to(outside.resolve())


@given(st.text())
def test_names_are_checked_whole(path: str) -> None:
    try:
        names = check_names(path)
    except PathError:
        return
    assert "/" + "/".join(names) == path and not {"", ".", ".."} & set(names)


@given(st.integers(0, 4), st.lists(steps, max_size=8).map("/".join))
def test_links_are_checked_whole(depth: int, link: str) -> None:
    top = "/t/o/p"
    place = top + "/x" * depth
    try:
        check_link("/l", depth, link)
    except PathError:
        return
    where = os.path.normpath(os.path.join(place, link))
    assert where == top or where.startswith(top + "/")
