"""Opening after a crash: bring memory to where the journal ends.

The journal's records since the last checkpoint are applied in order; nothing in place is relied on
before it is known to be right. What was never known durable may end anywhere (a write that was cut
off); what was durable must be there, or the store says so. Crashing again meanwhile is harmless:
only the next checkpoint frees the journal.
"""

from __future__ import annotations

from typing import NamedTuple

from holdfast.errors import DamagedError
from holdfast.hypercore.tree import leaf_hash
from holdfast.storage.core_backend import CoreBackend
from holdfast.storage.core_files import DATA
from holdfast.storage.disk import data_sync, write_all
from holdfast.storage.engine import Engine
from holdfast.storage.entries import (
    ChangeEntry,
    CoreEntry,
    Entry,
    Run,
    SettingEntry,
    decode_entry,
)
from holdfast.storage.journal import START, Header, JournalFile
from holdfast.storage.journal_scan import Record, scan
from holdfast.storage.truncation import cut_files, forget_beyond

_HINT = "Restore the store from a copy, or fetch its logs into a new store."


class _Position(NamedTuple):
    """Where the journal goes on."""

    file: JournalFile
    tail: int


class _Blocks(NamedTuple):
    """Block bytes that travelled in the journal, to be put in place at the end."""

    core: CoreBackend
    run: Run


def recover(engine: Engine) -> dict[str, bytes | None]:
    """Apply the journal; returns the settings it has. Raises `DamagedError`, `DiskFullError`."""
    journal, meta = engine.journal, engine.index.meta
    journal.seq = meta.seq
    journal.live = sorted(
        (f for f in journal.files if f.header.epoch > meta.epoch), key=lambda f: f.header.epoch
    )
    replay = _Replay(engine, max(engine.mark.value, meta.seq))
    try:
        position = replay.run()
        if journal.seq < replay.floor:
            raise DamagedError("The end of the store's journal is damaged or missing.", _HINT)
        journal.synced = replay.floor
        if position is not None:
            journal.resume(*position)
            journal.unsynced.update(journal.live)
        # What follows overwrites: no crash may take back a record that it was done for.
        engine.sync_now()
        replay.finish()
    except OSError as error:
        raise engine.failed(error) from error
    return replay.settings


class _Replay:
    """One pass over the journal."""

    def __init__(self, engine: Engine, floor: int) -> None:
        self.engine = engine
        self.floor = floor
        """Highest record known to have been durable."""
        self.settings: dict[str, bytes | None] = {}
        self._blocks: list[_Blocks] = []
        self._cuts: dict[CoreBackend, int] = {}

    def run(self) -> _Position | None:
        """Apply every record that counts; returns where to go on, None with nothing live."""
        journal = self.engine.journal
        scans = [(file, scan(file)) for file in journal.live]
        self.floor = max([self.floor, *(found.synced for _, found in scans)])
        position: _Position | None = None
        for file, found in scans:
            if file.header.first != journal.seq + 1:
                self._drop(file)
                break
            tail, whole = self._apply_all(file, found.records)
            position = _Position(file, tail)
            if not whole or not found.rest_is_blank:
                _blank_rest(file, tail)
        return position

    def _drop(self, file: JournalFile) -> None:
        """An epoch whose beginning is missing: what came before it was cut off."""
        journal = self.engine.journal
        if self.engine.journal.seq < self.floor:
            raise DamagedError("A part of the store's journal is damaged or missing.", _HINT)
        file.begin(Header(0, bytes(16), 0))
        data_sync(file.fd)
        journal.live.remove(file)

    def _apply_all(self, file: JournalFile, records: list[Record]) -> tuple[int, bool]:
        """Apply records in order; returns where they end and whether none was left out."""
        tail = START
        for record in records:
            seq = record.seq
            try:
                entry = decode_entry(record.body(file))
            except ValueError as error:
                raise DamagedError(
                    f"The store's journal makes no sense: {error}.", _HINT
                ) from error
            if seq > self.floor and not self._is_complete(entry):
                return tail, False
            self._apply(entry)
            if seq > self.floor:
                self._note_unsynced(entry)
            self.engine.journal.seq = seq
            tail = record.end
        return tail, True

    def _is_complete(self, entry: Entry) -> bool:
        """Whether the blocks that a change left in place really got there."""
        if not isinstance(entry, ChangeEntry):
            return True
        for run in entry.runs:
            if run.data is not None:
                continue
            core = self._core(entry.core)
            position = run.offset
            for index, size in enumerate(run.sizes, run.start):
                record = entry.leaves.get(index)
                leaf = core.leaf_of(index, record) if record is not None else core.known_leaf(index)
                if leaf is None or leaf_hash(core.read(position, size)) != leaf.hash:
                    return False
                position += size
        return True

    def _note_unsynced(self, entry: Entry) -> None:
        """The process that wrote this may have died before it synced what the record relies on."""
        if isinstance(entry, ChangeEntry) and any(run.data is None for run in entry.runs):
            self.engine.note_unsynced(self._core(entry.core))

    def _core(self, number: int) -> CoreBackend:
        core = self.engine.core_by_id(number)
        if core is None:
            raise DamagedError("The store's journal names a log that nobody knows.", _HINT)
        return core

    def _apply(self, entry: Entry) -> None:
        if isinstance(entry, ChangeEntry):
            self._apply_change(self._core(entry.core), entry)
        elif isinstance(entry, CoreEntry):
            self._apply_core(entry)
        elif isinstance(entry, SettingEntry):
            self.settings[entry.name] = entry.value
            self.engine.changed_settings[entry.name] = entry.value

    def _apply_core(self, entry: CoreEntry) -> None:
        engine = self.engine
        core = engine.core_by_id(entry.core)
        if core is None:
            core = engine.recovered_core(entry.key)
            engine.adopt(core, entry.core)
        core.own = core.own or entry.own
        engine.changed_cores[core.id] = core

    def _apply_change(self, core: CoreBackend, entry: ChangeEntry) -> None:
        engine = self.engine
        if entry.truncate is not None:
            forget_beyond(core, entry.truncate)
            self._cuts[core] = min(entry.truncate, self._cuts.get(core, entry.truncate))
            self._forget_blocks(core, entry.truncate)
        if entry.head is not None:
            core.head = entry.head
        if entry.manifest is not None:
            core.manifest = entry.manifest
        core.leaves.update(entry.leaves)
        core.nodes.update(entry.nodes)
        for start, count in entry.present:
            core.bits.set_range(start, count)
        for start, count in entry.absent:
            core.bits.set_range(start, count, False)
        self._blocks += [_Blocks(core, run) for run in entry.runs if run.data is not None]
        core.data_unsynced = core.data_unsynced or bool(entry.runs)
        engine.changed_cores[core.id] = core
        engine.pending_records += len(entry.leaves) + len(entry.nodes)

    def _forget_blocks(self, core: CoreBackend, length: int) -> None:
        """Blocks at ``length`` or later must not be put where others may lie by now."""
        kept = []
        for core_of_run, run in self._blocks:
            if core_of_run is core and run.start + len(run.sizes) > length:
                run = run._replace(sizes=run.sizes[: max(0, length - run.start)])
            kept.append(_Blocks(core_of_run, run))
        self._blocks = kept

    def finish(self) -> None:
        """Cut the files of logs that were cut, and bring block bytes to their place."""
        engine = self.engine
        for core, length in self._cuts.items():
            # The data file may already hold what was written after the cut.
            cut_files(engine, core, length, core.head.byte_length if core.head else None)
        for core, run in self._blocks:
            assert run.data is not None
            position = 0
            for index, size in enumerate(run.sizes, run.start):
                if core.bits.get(index):  # and was not cleared since
                    fd = engine.fd(core, DATA, create=True)
                    write_all(fd, run.data[position : position + size], run.offset + position)
                position += size


def _blank_rest(file: JournalFile, tail: int) -> None:
    """What follows the last record that counts must not be read again after the next one."""
    step = 1 << 20
    for position in range(tail, file.size, step):
        write_all(file.fd, bytes(min(step, file.size - position)), position)
    data_sync(file.fd)
