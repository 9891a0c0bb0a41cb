"""What the tree of a drive says about a file: JSON, to the byte as JavaScript writes it."""

from __future__ import annotations

from typing import Any, NamedTuple

from holdfast.errors import DecodeError
from holdfast.hyperbee.encodings import ENCODINGS

MAX_UINT = 1 << 53
"""Numbers above are not exact in JavaScript."""


class BlobId(NamedTuple):
    """Where the bytes of a file lie in the blobs log.

    With ``block_map`` the blocks named hold a list of the blocks with the content (see `blockmap`)
    and the lengths count that list.
    """

    block_offset: int
    byte_offset: int
    block_length: int
    byte_length: int
    block_map: bool = False

    @property
    def block_end(self) -> int:
        """The first block after it."""
        return self.block_offset + self.block_length


class Value(NamedTuple):
    """What the tree says about a path."""

    executable: bool = False
    linkname: str | None = None
    blob: BlobId | None = None
    metadata: Any = None


class FileEntry(NamedTuple):
    """A file or symbolic link of a drive, as of block ``seq`` of its tree."""

    path: str
    seq: int
    executable: bool
    linkname: str | None
    blob: BlobId | None
    metadata: Any

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def value(self) -> Value:
        """What the tree says, without the place."""
        return Value(self.executable, self.linkname, self.blob, self.metadata)

    @property
    def size(self) -> int | None:
        """Bytes of the content, without fetching any; None when only its block map can tell.

        0 for links.
        """
        if self.blob is None:
            return 0
        return None if self.blob.block_map and self.blob.byte_length else self.blob.byte_length


class ValueEncoding:
    """Encoding of `Value` for the bee of a drive."""

    def encode(self, value: Value) -> bytes:
        """JSON with the fields in the order of JavaScript."""
        blob = value.blob
        if blob is None:
            place = "null"
        else:
            extra = ',"blockMap":true' if blob.block_map else ""
            place = (
                f'{{"blockOffset":{blob[0]},"byteOffset":{blob[1]},'
                f'"blockLength":{blob[2]},"byteLength":{blob[3]}{extra}}}'
            )
        link = b"null" if value.linkname is None else _JSON.encode(value.linkname)
        metadata = b"null" if value.metadata is None else _JSON.encode(value.metadata)
        executable = "true" if value.executable else "false"
        head = f'{{"executable":{executable},"linkname":'.encode()
        return head + link + f',"blob":{place},"metadata":'.encode() + metadata + b"}"

    def decode(self, data: bytes) -> Value:
        """Read what any writer may have put there; `DecodeError` when it cannot be a file."""
        found = _JSON.decode(data)
        if not isinstance(found, dict):
            raise DecodeError("An entry of the drive is not an object.")
        linkname = found.get("linkname")
        if linkname is not None and not isinstance(linkname, str):
            raise DecodeError("A link of the drive does not name a path.")
        blob = found.get("blob")
        return Value(
            found.get("executable") is True,
            linkname or None,
            None if blob is None else _blob(blob),
            found.get("metadata"),
        )


def _blob(found: Any) -> BlobId:
    if not isinstance(found, dict):
        raise DecodeError("An entry of the drive does not say where its content is.")
    numbers: list[Any] = [found.get(name) for name in _PLACE]
    if not all(type(number) is int and 0 <= number < MAX_UINT for number in numbers):
        raise DecodeError("An entry of the drive does not say where its content is.")
    first, first_byte, blocks, size = numbers
    return BlobId(first, first_byte, blocks, size, found.get("blockMap") is True)


def file_entry(path: str, seq: int, value: Value) -> FileEntry:
    """An entry with its place in the tree."""
    return FileEntry(path, seq, *value)


_PLACE = ("blockOffset", "byteOffset", "blockLength", "byteLength")
_JSON = ENCODINGS["json"]
