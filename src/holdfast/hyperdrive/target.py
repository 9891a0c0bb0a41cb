"""Writing below one folder of a disk, and never outside of it.

Every name is one step from an open folder, no step follows a symbolic link, and a file appears
under its name only when it is whole and durable. All calls block: they are made in threads.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from holdfast.crypto import blake2b
from holdfast.errors import PathError
from holdfast.hyperdrive.mirror import plain_error

PARTIAL = ".holdfast-"
"""How names of unfinished files begin; nothing from a drive may have such a name."""
_SUFFIX = ".part"
ZEROS = bytes(1 << 16)
_SMALL_HOLE = 4096
"""Runs of zeros shorter than a block of the disk are written out."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Target:
    """A folder to write into; it is made when it is not there."""

    def __init__(self, path: Path) -> None:
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (FileExistsError, NotADirectoryError):
            raise PathError(f"{str(path)!r} is not a folder.", "Name a folder.") from None
        except OSError as error:
            raise plain_error(str(path), error) from error
        self._touched: set[tuple[str, ...]] = set()
        self.empty = not os.listdir(self._root)
        """Whether nothing was in the folder when it was opened."""
        self.case_sensitive = self._tells_cases_apart()

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self._root)

    def _tells_cases_apart(self) -> bool:
        name = f"{PARTIAL}Case-{os.getpid()}"
        try:
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600, dir_fd=self._root))
        except OSError:
            return True
        try:
            os.lstat(name.swapcase(), dir_fd=self._root)
        except OSError:
            return True
        else:
            return False
        finally:
            os.unlink(name, dir_fd=self._root)

    @contextmanager
    def folder(self, names: Sequence[str], *, create: bool = False) -> Iterator[int]:
        """An open folder below the top; OSError when a step is no folder or a symbolic link."""
        current = os.dup(self._root)
        try:
            for name in names:
                below = _step(current, name, create)
                os.close(current)
                current = below
            yield current
        finally:
            os.close(current)

    def status(self, names: Sequence[str]) -> os.stat_result | None:
        """What lies under a name (a link itself, not where it leads), or None."""
        try:
            with self.folder(names[:-1]) as parent:
                return os.lstat(names[-1], dir_fd=parent)
        except FileNotFoundError:
            return None

    def open(self, names: Sequence[str]) -> int:
        """A regular file for reading."""
        with self.folder(names[:-1]) as parent:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            return os.open(names[-1], flags, dir_fd=parent)

    def create(self, names: Sequence[str], *, executable: bool) -> OutFile:
        """Begin a file that will get the last of the names."""
        with self.folder(names[:-1], create=True) as parent:
            self._refuse_folder(parent, names[-1])
            self._touched.add(tuple(names[:-1]))
            return OutFile(os.dup(parent), names[-1], executable)

    def link(self, names: Sequence[str], target: str) -> None:
        """Make a symbolic link, in place of a file or link of that name."""
        with self.folder(names[:-1], create=True) as parent:
            self._refuse_folder(parent, names[-1])
            temporary = _partial_name(names[-1])
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=parent)
            os.symlink(target, temporary, dir_fd=parent)
            os.replace(temporary, names[-1], src_dir_fd=parent, dst_dir_fd=parent)
            self._touched.add(tuple(names[:-1]))

    def sync_folders(self) -> None:
        """Make names durable: a rename can revert in a power cut until its folder is synced."""
        touched, self._touched = self._touched, set()
        above = {names[:i] for names in touched for i in range(len(names))}
        for names in sorted(touched | above):
            with contextlib.suppress(FileNotFoundError), self.folder(names) as folder:
                os.fsync(folder)

    def read_link(self, names: Sequence[str]) -> str:
        """Where a symbolic link leads."""
        with self.folder(names[:-1]) as parent:
            return os.readlink(names[-1], dir_fd=parent)

    def _refuse_folder(self, parent: int, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISDIR(os.lstat(name, dir_fd=parent).st_mode):
                raise IsADirectoryError(21, "is a folder", name)

    def set_executable(self, names: Sequence[str], executable: bool) -> None:
        """Give or take the right to run a file."""
        descriptor = self.open(names)
        try:
            mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
            readers = (mode & 0o444) >> 2
            os.fchmod(descriptor, mode | readers if executable else mode & ~0o111)
        finally:
            os.close(descriptor)

    def walk(self, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], bool]]:
        """Names of all files and links (False) and folders (True) below; links are not followed.

        A folder comes after what is in it.
        """
        with self.folder(names) as folder:
            found = sorted(os.listdir(folder))
            kinds = [stat.S_ISDIR(os.lstat(name, dir_fd=folder).st_mode) for name in found]
        for name, is_folder in zip(found, kinds, strict=True):
            if is_folder:
                yield from self.walk((*names, name))
            yield (*names, name), is_folder

    def remove(self, names: Sequence[str]) -> None:
        """Remove a file or link."""
        with self.folder(names[:-1]) as parent:
            os.unlink(names[-1], dir_fd=parent)

    def remove_folder(self, names: Sequence[str]) -> None:
        """Remove a folder if it is empty."""
        with self.folder(names[:-1]) as parent, contextlib.suppress(OSError):
            os.rmdir(names[-1], dir_fd=parent)


def _step(folder: int, name: str, create: bool) -> int:
    """Open one folder in another."""
    try:
        return os.open(name, _FOLDER, dir_fd=folder)
    except FileNotFoundError:
        if not create:
            raise
    with contextlib.suppress(FileExistsError):  # another worker may have been quicker
        os.mkdir(name, dir_fd=folder)
    return os.open(name, _FOLDER, dir_fd=folder)


class OutFile:
    """A file on its way: written beside its place under another name, renamed when it is whole."""

    def __init__(self, parent: int, name: str, executable: bool) -> None:
        self._parent = parent
        self._name = name
        self._temporary = _partial_name(name)
        self._at = 0
        mode = 0o777 if executable else 0o666
        try:
            self._descriptor = self._begin(mode)
        except BaseException:
            os.close(parent)
            raise

    def _begin(self, mode: int) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(self._temporary, flags, mode, dir_fd=self._parent)
        except FileExistsError:
            self._drop_stale()
            descriptor = os.open(self._temporary, flags, mode, dir_fd=self._parent)
        # Before it is locked another run may take it for a stale one, and remove it.
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = os.fstat(descriptor).st_nlink > 0
        except BlockingIOError:
            ours = False
        if not ours:
            os.close(descriptor)
            raise self._busy()
        return descriptor

    def _busy(self) -> PathError:
        return PathError(f"Another process is writing {self._name!r} here.")

    def _drop_stale(self) -> None:
        """Remove what an interrupted run left; `PathError` when another run still writes it."""
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(self._temporary, flags, dir_fd=self._parent)
        except OSError:
            os.unlink(self._temporary, dir_fd=self._parent)
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(self._temporary, dir_fd=self._parent)
        except BlockingIOError:
            raise self._busy() from None
        finally:
            os.close(descriptor)

    def write(self, pieces: Sequence[bytes]) -> None:
        """Write what comes next; pieces that are all zeros become holes."""
        solid: list[bytes] = []
        for piece in pieces:
            if len(piece) >= _SMALL_HOLE and piece == ZEROS[: len(piece)]:
                self._write_out(solid)
                solid = []
                self._at += len(piece)
            else:
                solid.append(piece)
        self._write_out(solid)

    def _write_out(self, pieces: list[bytes]) -> None:
        size = sum(map(len, pieces))
        if not size:
            return
        written = os.pwritev(self._descriptor, pieces, self._at)
        if written < size:  # interrupted, or the disk is full: the rest says which
            rest = memoryview(b"".join(pieces))[written:]
            while rest:
                written = os.pwrite(self._descriptor, rest, self._at + size - len(rest))
                rest = rest[written:]
        self._at += size

    def finish(self, mtime: int | None, durable: bool) -> None:
        """Make the content durable and give it its name (see `Target.sync_folders`)."""
        os.ftruncate(self._descriptor, self._at)
        if mtime is not None:
            os.utime(self._descriptor, ns=(mtime, mtime))
        if durable:
            os.fsync(self._descriptor)
        os.replace(self._temporary, self._name, src_dir_fd=self._parent, dst_dir_fd=self._parent)
        if durable:
            os.fsync(self._parent)
        self._close()

    def abandon(self) -> None:
        """Leave nothing behind."""
        with contextlib.suppress(OSError):
            os.unlink(self._temporary, dir_fd=self._parent)
        self._close()

    def _close(self) -> None:
        os.close(self._descriptor)
        os.close(self._parent)


def _partial_name(name: str) -> str:
    return f"{PARTIAL}{blake2b(name.encode())[:10].hex()}{_SUFFIX}"
