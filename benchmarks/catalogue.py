"""What is measured: runs (processes to start) and rows (one figure of a run, with its target)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.limits import Limits

MIB = 1024 * 1024


@dataclass(frozen=True)
class Size:
    """A number that depends on how much of a machine's time the caller wants to spend."""

    full: int
    smoke: int

    def at(self, size: str, tenths: int) -> int:
        """The number at a named size; `tenths` of 10 is the size itself, 1 a tenth of it."""
        whole = self.full if size == "full" else self.smoke
        return max(1, whole * tenths // 10)


@dataclass(frozen=True)
class Run:
    """One measurement: a script in both languages, in one process or in several, one after another.

    A role ``js:NAME`` is JavaScript's on both sides: the same surroundings for both.
    """

    name: str
    script: str
    roles: tuple[str, ...]
    params: Mapping[str, object]
    sizes: Mapping[str, Size] = field(default_factory=dict)
    grows: bool = True
    """Whether a tenth of the size says how cost grows."""

    def arguments(self, size: str, tenths: int = 10) -> dict[str, object]:
        """The job's arguments at a size."""
        scaled = {name: value.at(size, tenths) for name, value in self.sizes.items()}
        return {**self.params, **scaled}


@dataclass(frozen=True)
class Row:
    """One line of the table: a metric of a run, the ratio to reach, the limit of the machine."""

    job: str
    run: Run
    metric: str
    unit: str
    target: float
    limit: Callable[[Limits], float]
    less_is_better: bool = False


def _append(name: str, size: int, count: Size, batch: int, **more: object) -> Run:
    params = {"size": size, "batch": batch, **more}
    return Run(name, "append", ("solo",), params, {"count": count})


def _replicate(name: str, size: int, count: Size) -> Run:
    return Run(name, "replicate", ("source", "reader"), {"size": size}, {"count": count})


def _drive(
    name: str, roles: tuple[str, ...], big: Size | None, count: Size | None, **more: object
) -> Run:
    params: dict[str, object] = {"smallBytes": 4096, "bigBytes": 0, "count": 0, **more}
    sizes = {"bigBytes": big, "count": count}
    return Run(name, "drive", roles, params, {k: v for k, v in sizes.items() if v is not None})


def _dht(name: str, nodes: Size, network: str = "") -> Run:
    roles = (f"{network}testnet", "server", "client")
    return Run(name, "dht", roles, {}, {"nodes": nodes, "rounds": Size(20, 3)}, grows=False)


BIG = Size(256 * MIB, 16 * MIB)
FILES = Size(2000, 200)
KEYS = Size(100_000, 5_000)

APPEND_64K = _append("append-64k-b16", 65536, Size(4096, 256), 16)
# The peer has no durable append: its figure is the one-at-a-time append it has.
APPEND_DURABLE = _append("append-100-durable", 100, Size(20_000, 1_000), 1, writers=64)
APPEND_SINGLE = _append("append-100-single", 100, Size(20_000, 1_000), 1)
APPEND_1000 = _append("append-100-b1000", 100, Size(100_000, 10_000), 1000)
REPLICATE_64K = _replicate("replicate-64k-tcp", 65536, Size(4096, 256))
REPLICATE_100 = _replicate("replicate-100b-tcp", 100, Size(100_000, 5_000))
REPLICATE_UDX = Run(
    "replicate-64k-udx",
    "replicate_udx",
    ("testnet", "source", "reader"),
    {"size": 65536, "nodes": 4},
    {"count": Size(4096, 128)},
)
UDX_RAW = Run(
    "udx-raw", "udx_raw", ("source", "reader"), {"size": 65536}, {"count": Size(4096, 512)}
)
DHT_20 = _dht("dht-20", Size(20, 8))
DHT_100 = _dht("dht-100", Size(100, 20))
# Both clients in the same network of JavaScript nodes: what asking costs, whoever answers.
DHT_20_JS = _dht("dht-20-js", Size(20, 8), "js:")
DHT_100_JS = _dht("dht-100-js", Size(100, 20), "js:")
BEE = Run("bee", "bee", ("solo",), {}, {"count": KEYS, "gets": Size(10_000, 500)})
BEE_REMOTE = Run("bee-remote", "bee", ("source", "reader"), {"gets": 500}, {"count": KEYS})
PUT_BIG = _drive("drive-put-256m", ("put",), BIG, None, what="big")
PUT_SMALL = _drive("drive-put-2000", ("put",), None, FILES, what="small")
PUT_BATCH = _drive("drive-put-2000-batch", ("put",), None, FILES, what="batch")
DOWNLOAD = _drive("drive-download", ("source", "download"), BIG, FILES)
RANGE = _drive("drive-range", ("source", "range"), BIG, None)

MB, PER_S, MS = "MB/s", "/s", "ms"


ROWS: tuple[Row, ...] = (
    Row("append-64k-b16", APPEND_64K, "mbPerSecond", MB, 2, Limits.write),
    Row("append-100-durable", APPEND_DURABLE, "blocksPerSecond", PER_S, 1, Limits.durable_64),
    Row("append-100-single", APPEND_SINGLE, "blocksPerSecond", PER_S, 2, Limits.small_blocks),
    Row("append-100-b1000", APPEND_1000, "blocksPerSecond", PER_S, 1, Limits.small_blocks),
    Row("replicate-64k-tcp", REPLICATE_64K, "mbPerSecond", MB, 3, Limits.transfer),
    Row("replicate-100b-tcp", REPLICATE_100, "blocksPerSecond", PER_S, 2, Limits.small_blocks),
    Row("bee-put", BEE, "putsPerSecond", PER_S, 4, Limits.small_blocks),
    Row("bee-get", BEE, "getsPerSecond", PER_S, 4, Limits.reads),
    Row("bee-scan", BEE, "scannedPerSecond", PER_S, 4, Limits.reads),
    Row("bee-remote-get-cold", BEE_REMOTE, "getMs", MS, 2, Limits.round_trip, True),
    Row("drive-put-256m", PUT_BIG, "mbPerSecond", MB, 2, Limits.write),
    Row("drive-put-2000", PUT_SMALL, "filesPerSecond", PER_S, 3, Limits.small_files),
    Row("drive-put-2000-batch", PUT_BATCH, "filesPerSecond", PER_S, 3, Limits.small_files),
    Row("drive-download", DOWNLOAD, "mbPerSecond", MB, 4, Limits.transfer),
    Row("drive-range-cold", RANGE, "coldMs", MS, 2, Limits.round_trip, True),
    Row("drive-range-warm", RANGE, "warmMs", MS, 2, Limits.round_trip, True),
    Row("udx-raw", UDX_RAW, "mbPerSecond", MB, 0.7, Limits.raw_stream),
    Row("replicate-64k-udx", REPLICATE_UDX, "mbPerSecond", MB, 1.5, Limits.transfer),
    Row("dht-lookup-20", DHT_20, "lookupMs", MS, 1, Limits.round_trip, True),
    Row("dht-connect", DHT_20, "connectMs", MS, 1, Limits.round_trip, True),
    Row("dht-lookup-100", DHT_100, "lookupMs", MS, 1, Limits.round_trip, True),
    Row("dht-lookup-20-js", DHT_20_JS, "lookupMs", MS, 1, Limits.round_trip, True),
    Row("dht-connect-js", DHT_20_JS, "connectMs", MS, 1, Limits.round_trip, True),
    Row("dht-lookup-100-js", DHT_100_JS, "lookupMs", MS, 1, Limits.round_trip, True),
)

PEAK_MEMORY = "peak-memory"  # derived from every other row: the worst of them
JOBS: tuple[str, ...] = (*(row.job for row in ROWS), PEAK_MEMORY)


def chosen(names: list[str] | None) -> list[Row]:
    """The rows to measure; all of them when none is named or when peak-memory is wanted alone."""
    if names is None or names == [PEAK_MEMORY]:
        return list(ROWS)
    unknown = sorted(set(names) - set(JOBS))
    if unknown:
        raise ValueError(f"no such job: {', '.join(unknown)}; there are {', '.join(JOBS)}")
    return [row for row in ROWS if row.job in names]
