"""Names inside a drive, and which of them may become names on a disk."""

from __future__ import annotations

from holdfast.errors import PathError

MAX_NAME = 255
"""Bytes of one name: the limit of the common filesystems."""
MAX_PATH = 4096
"""Bytes of a path written to a disk."""
MAX_FOLDERS = 128
"""Folders above a file written to a disk."""

_RENAME = "Rename it in the drive or the folder and try again."


def normalise(path: str) -> str:
    """The path as a drive keeps it: absolute, without empty names, ``.`` and ``..``.

    Raises `PathError` when it leads above the root or is the root itself.
    """
    found = folder(path)
    if not found:
        raise PathError("The root of a drive is a folder, not a file.", "Name a file in it.")
    return found


def folder(path: str) -> str:
    """A folder in the same form, without a slash at the end: ``""`` is the root."""
    names: list[str] = []
    for name in path.split("/"):
        if name == "..":
            if not names:
                raise PathError(f"{path!r} leads out of the drive.")
            names.pop()
        elif name not in ("", "."):
            names.append(name)
    return "/" + "/".join(names) if names else ""


def storable(path: str) -> str:
    """The normalised path of a file to be written; `PathError` when no disk could take its name."""
    path = normalise(path)
    check_names(path)
    return path


def check_names(path: str) -> list[str]:
    """The names of an absolute path, each fit for any filesystem; raises `PathError`."""
    names = path[1:].split("/")
    for name in names:
        check_name(name)
    if not path.startswith("/"):
        raise PathError(f"{path!r} is not a path in a drive.")
    if len(names) > MAX_FOLDERS or len(path.encode()) > MAX_PATH:
        raise PathError("The path of a file is too long or too deep.", _RENAME)
    return names


def check_name(name: str) -> None:
    """Raise `PathError` unless ``name`` is a plain name that cannot lead elsewhere."""
    if name in ("", ".", ".."):
        raise PathError(f"{name!r} is not a name.", _RENAME)
    for character in name:
        if character < " " or "\x7f" <= character <= "\x9f" or character in "/\\":
            raise PathError(f"{name!r} holds a character that names may not have.", _RENAME)
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise PathError(f"{name!r} is not text.", _RENAME) from None
    if size > MAX_NAME:
        raise PathError(f"The name {name[:40]!r}... is longer than {MAX_NAME} bytes.", _RENAME)


def link_target(path: str, linkname: str) -> str:
    """The path in the drive that a symbolic link at ``path`` names; `PathError` when outside.

    As on a disk, a relative name starts at the folder of the link.
    """
    if linkname.startswith("/"):
        return normalise(linkname)
    return normalise(path.rpartition("/")[0] + "/" + linkname)


def check_link(path: str, depth: int, link: str) -> None:
    """Raise `PathError` unless a link ``depth`` folders deep stays inside, however it is followed.

    Steps up come first and stay below the top; then plain names. So each link leads to a real
    place inside, and links that lead through other links cannot get out either.
    """
    steps = [step for step in link.split("/") if step not in ("", ".")]
    ups = 0
    while ups < len(steps) and steps[ups] == "..":
        ups += 1
    if link.startswith("/") or ups > depth or ".." in steps[ups:]:
        raise PathError(f"The link {path!r} leads out of the folder, to {link!r}.")
    for step in steps[ups:]:
        check_name(step)


def under(path: str, top: str) -> bool:
    """Whether a path lies in a folder (normalised, ``""`` for the root) or is it."""
    return path == top or path.startswith(top + "/")
