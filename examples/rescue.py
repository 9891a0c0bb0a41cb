"""Get the files out of a copy of a Holdfast store, without Holdfast.

    python rescue.py STORE                            lists the drives in it
    python rescue.py STORE DRIVE FOLDER [VERSION]     writes the files of one into a new folder

DRIVE is a name, or a key as it is listed. The store may have been killed at work; nothing is
written to it. Made after `docs/format.md`; needs PyNaCl only. Each block is checked against its
leaf of the Merkle tree. The tree above is taken on trust, and flipped bits are not put right.
"""

from __future__ import annotations

import ctypes.util
import json
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from getpass import getpass
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from struct import calcsize, pack, unpack, unpack_from
from typing import Any
from zlib import crc32

from nacl import _sodium, pwhash, secret

SODIUM = ctypes.CDLL(ctypes.util.find_library("sodium") or _sodium.__file__)


class Lost(Exception):
    """Something is not in this store, not as it was, or not fit to be written."""


def b2(data: bytes, key: bytes = b"") -> bytes:
    return blake2b(data, digest_size=32, key=key).digest()


def namespace(name: bytes, number: int) -> bytes:
    return b2(b2(name) + bytes([number]))


def leaf_hash(block: bytes) -> bytes:
    return b2(b"\0" + pack("<Q", len(block)) + block)


def kept_twice(path: Path, magic: bytes) -> bytes:
    data = path.read_bytes()
    for at in (0, len(data) // 2):
        end = at + 12 + int.from_bytes(data[at + 8 : at + 12], "little")
        if data[at : at + 8] == magic and b2(data[at:end])[:8] == data[end : end + 8]:
            return data[at + 12 : end]
    raise Lost(f"{path} is damaged, or not of a store")


def slots(data: bytes, second: int, layout: str, magic: bytes) -> list[tuple[Any, ...]]:
    size = calcsize(layout)
    copies = [data[at : at + size + 8] for at in (0, second)]
    sound = [c[:size] for c in copies if c[:8] == magic and b2(c[:size])[:8] == c[size:]]
    return [unpack(layout, content)[1:] for content in sound]


class Log:
    """A log: what its files say, and over them what the journal says."""

    def __init__(self, root: Path, key: bytes) -> None:
        self.key, self.length, self.manifest, self.block_key = key, 0, b"", b""
        name = b2(b"hypercore", key)
        self.stem, self.seed = root / "cores" / name.hex()[:2] / name.hex(), crc32(name)
        self.leaves, self.inline = dict[int, bytes](), dict[int, bytes]()
        self.cut = 1 << 64  # leaves in the file from here on are no longer true

    def part(self, suffix: str, at: int, size: int) -> bytes:
        if not (path := self.stem.with_suffix(suffix)).exists():
            return b""
        with path.open("rb") as file:
            file.seek(at)
            return file.read(size)

    def leaf(self, index: int) -> bytes:
        record = self.leaves.get(index) or b""
        if not record and index < self.cut:
            record = self.part(".leaves", 1024 + 52 * index, 52)
        check = pack("<I", crc32(record[:48], self.seed ^ index & 0xFFFFFFFF))
        return record if record[48:] == check else b""

    def block(self, index: int) -> bytes:
        place, size = unpack("<QQ", self.leaf(index)[:16].ljust(16, b"\0"))
        data = self.inline.get(index) or self.part(".data", max(place, 1) - 1, size)
        if leaf_hash(data) != self.leaf(index)[16:48]:
            raise Lost(f"block {index} is not here, or damaged")
        if self.block_key:
            nonce, data = pack("<Q8s8x", index, data[:8]), data[8:]
            plain, count = ctypes.create_string_buffer(len(data)), ctypes.c_ulonglong(len(data))
            SODIUM.crypto_stream_xsalsa20_xor(plain, data, count, nonce, self.block_key)
            data = plain.raw
        return data

    def unlock(self, key: bytes) -> None:
        old = not self.manifest or self.manifest[-32:] == self.key
        new_key = b2(namespace(b"hypercore", 5) + self.key + key)
        self.block_key = b2(key, self.key) if old else new_key


class Store:
    """Where the index and, from there on, the journal leave the logs and settings."""

    def __init__(self, root: Path) -> None:
        self.root, self.logs, self.settings = root, dict[int, Log](), dict[str, bytes]()
        if kept_twice(root / "format", b"HOLDFAST")[:4] != b"\1\0\0\0":
            raise Lost("this store has a format that this program does not know")
        with tempfile.TemporaryDirectory() as scratch:  # SQLite may have to roll back
            for path in root.glob("index.sqlite*"):
                shutil.copy(path, scratch)
            index = sqlite3.connect(Path(scratch, "index.sqlite"))
            self.settings.update(index.execute("SELECT name, content FROM settings"))
            for number, row in index.execute("SELECT id, content FROM cores"):
                log = self.logs[number] = Log(root, row[1:33])
                log.length = int.from_bytes(row[73:81], "little")
                log.manifest = row[101 + int.from_bytes(row[93:97], "little") :]
            ((meta,),) = index.execute("SELECT content FROM meta")
            index.close()
        self.replay(*unpack_from("<QQ", meta))

    def replay(self, epoch: int, done: int) -> None:
        marks = slots((self.root / "synced").read_bytes(), 512, "<8sQ", b"HFSYNC1\n")
        durable, epochs = max(done, *(mark for (mark,) in marks), 0), []
        for name in ("journal.0", "journal.1"):
            data = (self.root / name).read_bytes()
            heads = slots(data, 2048, "<8sQ16sQ", b"HFJRNL1\n")
            number, salt, first = max(heads, default=(0, b"", 0))
            at, bodies = 4096, list[bytes]()
            while number > epoch and at + 32 <= len(data):
                size, _, found, known = unpack_from("<IIQQ", data, at)
                body = data[at + 32 : at + 32 + size]
                check = b2(data[at : at + 24] + body, salt)[:8]
                if check != data[at + 24 : at + 32] or found != first + len(bodies):
                    break
                at, durable = at + 32 + size, max(durable, known)
                bodies.append(body)
            epochs.append((number, first, bodies))
        for _, first, bodies in sorted(epochs):
            if first == done + 1:
                for body in bodies:
                    if not self.apply(body, sure=done < durable):
                        break
                    done += 1
        if done < durable:
            print("The journal is damaged: the newest changes are missing.", file=sys.stderr)

    def apply(self, record: bytes, sure: bool) -> bool:
        """Take a record in; False for one whose blocks never reached the disk."""
        kind, flags, number = unpack_from("<BBI", record)
        if kind == 3:
            end = 4 + int.from_bytes(record[2:4], "little")
            self.settings[record[4:end].decode()] = b"" if flags & 1 else record[end:]
        elif kind == 2:
            self.logs.setdefault(number, Log(self.root, record[6:38]))
        if kind != 1:
            return True
        log, body = self.logs[number], BytesIO(record[6:])

        def numbers(count: int) -> tuple[int, ...]:
            return unpack(f"<{count}Q", body.read(8 * count))

        leaves, nodes, runs, present, absent = unpack("<5I", body.read(20))
        head = numbers(4) if flags & 1 else ()
        cut = numbers(1)[0] if flags & 2 else log.length
        manifest = numbers(1)[0] if flags & 4 else 0
        indices, _ = numbers(leaves), numbers(nodes)
        numbers(2 * present + 2 * absent)  # the hashes tell what is here
        blocks = list[tuple[int, int, int]]()
        for _ in range(runs):
            start, offset, count = numbers(3)
            for index, size in enumerate(numbers(count), start):
                blocks.append((index, offset, size))
                offset += size
        body.read(head[3] if head else 0)
        log.manifest = body.read(manifest) or log.manifest
        records = {index: body.read(52) for index in indices}
        body.read(44 * nodes)
        for index, offset, size in blocks if flags & 8 and not sure else ():
            leaf = records.get(index) or log.leaf(index)
            if leaf_hash(log.part(".data", offset, size)) != leaf[16:48]:
                return False
        if flags & 2:
            for index in [index for index in {**log.leaves, **log.inline} if index >= cut]:
                log.leaves.pop(index, None), log.inline.pop(index, None)
            log.cut = min(log.cut, cut)
        log.length = head[1] if head else min(log.length, cut)
        log.leaves.update(records)
        log.inline.update({} if flags & 8 else {i: body.read(size) for i, _, size in blocks})
        return True

    def primary_key(self) -> bytes:
        key = kept_twice(self.root / "secrets", b"HFSECR1\n")
        if key[0] == 1:
            _, passes, mib, salt, nonce = unpack_from("<BBH16s24s", key, 1)
            words = getpass("passphrase of the store: ").encode()
            sealer = pwhash.argon2id.kdf(32, words, salt, passes, mib << 20)
            return secret.SecretBox(sealer).decrypt(key[45:], nonce)
        return key[1:]

    def log(self, key: bytes) -> Log:
        return next((log for log in self.logs.values() if log.key == key), Log(self.root, key))

    def open(self, key: str, name: str | None, public: bool) -> tuple[Log, Log]:
        """The tree of names of a drive and its contents, ready to be read."""
        tree = self.log(bytes.fromhex(key))
        if not public:
            primary = self.primary_key()
            space = namespace(b"corestore", 0) + b2(bytes(32) + (name or "").encode())
            opener = b2(space + b"holdfast/drive/secret", primary)
            if name is None:
                sealer = secret.SecretBox(b2(b"holdfast/storage/secret values", primary))
                opener = sealer.decrypt(self.settings[f"\0secret\0node/drive/{key}"])
            tree.unlock(opener)
        feed = fields(fields(tree.block(0)).get(2, [b""])[0]).get(1)
        old = tree.manifest
        made = old[:1] + bytes([old[1] & 1]) + old[2:5] if not feed else b""
        for at in range(5, 5 + 65 * old[4], 65) if not feed else ():
            space = b2(namespace(b"hyperdrive", 0) + tree.key + old[at + 1 : at + 33])
            made += b"\0" + space + old[at + 33 : at + 65]
        contents = self.log(feed[0][:32] if feed else b2(namespace(b"hypercore", 3) + made))
        if not public:
            contents.unlock(opener)
        return tree, contents


def varints(data: bytes) -> Iterator[int]:
    value = shift = 0
    for byte in data:
        value, shift = value | (byte & 127) << shift, shift + 7
        if byte < 128:
            yield value
            value = shift = 0


def fields(data: bytes) -> dict[int, list[bytes]]:
    """The fields of a Protocol Buffers message, all of them bytes."""
    found, at = dict[int, list[bytes]](), 0
    while at < len(data):
        stop = next(i for i in range(at + 1, len(data)) if data[i] < 128) + 1
        size, number = next(varints(data[at + 1 : stop])), data[at] >> 3
        found.setdefault(number, []).append(data[stop : stop + size])
        at = stop + size
    return found


def entries(tree: Log, version: int) -> tuple[dict[str, dict[str, Any]], int]:
    """Files by path, as the nodes below the root of that version name them; how often not."""
    found, lost = dict[str, dict[str, Any]](), 0
    waiting, done = {(version - 1, 0)} if version > 1 else set(), set[tuple[int, int]]()
    while waiting:
        seq, number = place = waiting.pop()
        done.add(place)
        try:
            node = fields(fields(fields(tree.block(seq))[1][0])[1][number])
            kids = list(varints(node.get(2, [b""])[0]))
            waiting |= set(zip(kids[::2], kids[1::2], strict=True)) - done
            for seq in varints(node.get(1, [b""])[0]):
                entry = fields(tree.block(seq))
                if entry[2][0].startswith(b"files\0"):
                    found[entry[2][0][6:].decode()] = json.loads(entry[3][0])
        except Lost as error:
            print(f"some names are lost: {error}", file=sys.stderr)
            lost += 1
    return found, lost


def write(top: Path, path: str, entry: dict[str, Any], contents: Log) -> None:
    """Write one file or link, unless it would lie or lead outside."""
    _, *names = path.split("/")
    link = entry["linkname"]
    if link and link[0] == "/":
        link = "../" * (len(names) - 1) + link[1:]
    steps = [step for step in (link or "").split("/") if step not in ("", ".")]
    ups = next((i for i, step in enumerate(steps) if step != ".."), len(steps))
    target = top.joinpath(*names)
    unfit = any(name in ("", ".", "..") or "\\" in name for name in names)
    if unfit or top not in target.parents or ".." in steps[ups:] or ups >= len(names):
        raise Lost("it would lie or lead outside the folder")
    if target.parent.resolve() != target.parent:
        raise Lost("a link is in the way")
    target.parent.mkdir(parents=True, exist_ok=True)
    if link:
        return target.symlink_to(link)
    blob = entry["blob"] or {"blockOffset": 0, "blockLength": 0, "byteLength": 0}
    if blob.get("blockMap"):
        raise Lost("it has a block map, which this program does not read")
    with target.open("xb") as file:
        try:
            for index in range(blob["blockOffset"], blob["blockOffset"] + blob["blockLength"]):
                file.write(contents.block(index))
            if file.tell() != blob["byteLength"]:
                raise Lost("it does not have the size that it should have")
        except BaseException:
            target.unlink()
            raise
    target.chmod(0o755 if entry["executable"] else 0o644)


def main(directory: str, chosen: str = "", folder: str = "", version: str = "") -> int:
    store = Store(Path(directory))
    for setting, value in sorted(store.settings.items()):
        if not setting.startswith("node/drive/") or not value:
            continue
        key, drive = setting[11:], json.loads(value)
        name, public = drive["name"], drive["public"]
        if not chosen:
            last = store.log(bytes.fromhex(key)).length
            print(key, "public" if public else "private", f"version {last}", name or "")
        elif chosen in (name, key):
            top = Path(folder).resolve()
            top.mkdir(parents=True)
            (tree, contents), count = store.open(key, name, public), 0
            found, lost = entries(tree, int(version or tree.length))
            for path in sorted(found, key=lambda path: (bool(found[path].get("linkname")), path)):
                try:
                    write(top, path, found[path], contents)
                    count += 1
                except Exception as error:
                    print(f"not written: {path!r}: {error}", file=sys.stderr)
                    lost += 1
            print(f"{count} files of version {version or tree.length}, {lost} losses")
            return 1 if lost else 0
    return 1 if chosen else 0


if __name__ == "__main__":
    if len(sys.argv) not in (2, 4, 5):
        print(__doc__)
    else:
        try:
            sys.exit(main(*sys.argv[1:]))
        except Lost as error:
            sys.exit(f"rescue: {error}.")
