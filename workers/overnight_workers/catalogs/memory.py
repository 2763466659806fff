"""What was sent of each row: 39 bytes, as Postgres keeps them and as DuckDB joins them.

An entry is of one row and one variant: the MD5 of its key (16 bytes), the first half of the MD5 of the cells that the
prompt uses (8), the first half of the hash of what was sent (8), the recipe's number (2), the run's (4), and what came
of it (1). MD5 and not a function of the engine, which may change with its version and would make every row new.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from itertools import chain, islice
from os import SEEK_END
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Final
from weakref import finalize

import numpy as np

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    Entries = NDArray[np.void]

ENTRY: Final = np.dtype(
    [
        ("low", "<u8"),
        ("high", "<u8"),
        ("input", "<u8"),
        ("sent", "<u8"),
        ("recipe", "<u2"),
        ("run", "<u4"),
        ("state", "u1"),
    ]
)
"""The key's MD5 is `high * 2**64 + low`, as DuckDB's md5_number has it."""
assert ENTRY.itemsize == 39
_HASH_TYPE: Final = np.dtype([("low", "<u8"), ("high", "<u8")])
_HASH_BYTES: Final = _HASH_TYPE.itemsize
_CAME: Final = np.dtype([("low", "<u8"), ("high", "<u8"), ("sent", "<u8"), ("state", "u1")])

FULL: Final = 18446744073709551615
"""Of 8 bytes, every bit."""
HASH: Final = "(high::UHUGEINT << 64) | low"
"""The key's MD5 of a registered entry, in SQL."""
HALVES: Final = f"(n & {FULL}::UHUGEINT)::UBIGINT AS low, (n >> 64)::UBIGINT AS high"
"""Of `n`, in SQL, for numpy, which has no integers of 16 bytes."""


_PARTS: Final = 256
_AT_ONCE: Final = 64_000
"""Entries of a group, about."""
ONE_PIECE: Final = 25_000_000
"""Bytes of entries, of 640,000 rows, that are read at once: so many need no groups."""
_COPIED_AT_ONCE: Final = 2_000
_NOT_SENT: Final = bytes(8)


class Came(IntEnum):
    """What came of a row when it was sent last."""

    OK = 1
    FAILED = 2
    """Another try of the same may do better."""
    USELESS = 3
    """It was answered, and the answer is of no use: paid for again only on a person's word."""
    REFUSED = 4
    """The model refused: the same isn't asked again."""
    UNSENT = 5
    """It can't become a request as it is."""
    VALID = 6
    """Its answer was of no use, and is by now: it is taken, and costs nothing."""


def groups(size: int) -> list[range]:
    """The memory's parts, as they are in this process's memory: so many at a time as have about 2.5 MB of entries.

    size: of all entries, in bytes.
    """
    some = min(max(_PARTS * _AT_ONCE * ENTRY.itemsize // max(size, 1), 1), _PARTS)
    return [range(first, min(first + some, _PARTS)) for first in range(0, _PARTS, some)]


def is_in(parts: range) -> str:
    """Whether a row's hash `n` is in some parts, one after the other, in SQL."""
    return f"(n & {_PARTS - 1}::UHUGEINT)::UTINYINT BETWEEN {parts[0]} AND {parts[-1]}"


def first_half(text: str) -> str:
    """The first 8 bytes of a text's MD5 as an integer, in SQL. text: an expression."""
    return f"(md5_number({text}) & {FULL}::UHUGEINT)::UBIGINT"


def entries(raw: bytes) -> Entries:
    """Entries from their bytes."""
    return np.frombuffer(raw, dtype=ENTRY)


def made(columns: dict[str, NDArray[np.generic]]) -> Entries:
    """Entries from columns, as DuckDB's `fetchnumpy` has them; zero where there is none."""
    filled = np.zeros(len(columns["low"]), dtype=ENTRY)
    for name in ENTRY.names or ():
        if name in columns:
            filled[name] = columns[name]
    return filled


def with_valid(known: bytes, valid: Collection[tuple[bytes, bytes]]) -> Entries:
    """The same entries, with what is known of answers that are valid by now.

    valid: of each, the row's hash and half the hash of what was sent.
    """
    if not valid:
        return entries(known)
    now = entries(known).copy()
    for place in np.flatnonzero(now["state"] == Came.USELESS):
        raw = now[place].tobytes()
        if (raw[:16], raw[24:32]) in valid:
            now["state"][place] = Came.VALID
    return now


class Newest:
    """How many rows have their answers of which run, counted while the memory is read: those are in the sink."""

    def __init__(self) -> None:
        """None so far."""
        self._rows: Counter[int] = Counter()

    def noted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The same pieces."""
        for piece in pieces:
            known = entries(piece)
            runs, rows = np.unique(known["run"][known["state"] == Came.OK], return_counts=True)
            self._rows.update(dict(zip(runs.tolist(), rows.tolist(), strict=True)))
            yield piece

    def after(self, run: int) -> int:
        """The rows whose answers are of later runs."""
        return sum(rows for number, rows in self._rows.items() if number > run)


class Learned:
    """What came of rows, gathered one by one: 25 bytes of each, on disk where there are many."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(_AT_ONCE * _CAME.itemsize)  # noqa: SIM115  # closed with this object
        finalize(self, self._file.close)

    def add(self, entry: bytes, sent: bytes, state: Came) -> None:
        """One row. entry: its hash, of 16 bytes. sent: half the hash of what was sent; empty when nothing was."""
        self._file.write(entry + (sent or _NOT_SENT) + bytes((state,)))

    def __len__(self) -> int:
        """How many rows."""
        return self._file.tell() // _CAME.itemsize

    def pieces(self) -> Iterator[Entries]:
        """All of them, some at a time."""
        self._file.seek(0)
        while raw := self._file.read(_AT_ONCE * _CAME.itemsize):
            came = np.frombuffer(raw, dtype=_CAME)
            yield made({name: came[name] for name in _CAME.names or ()})
        self._file.seek(0, SEEK_END)


class Hashes:
    """Hashes of rows, of 16 bytes each, on disk where there are many."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(_AT_ONCE * _HASH_BYTES)  # noqa: SIM115  # closed with this object
        finalize(self, self._file.close)

    def add(self, hashes: bytes) -> None:
        """Some of them, one after the other."""
        self._file.write(hashes)

    def __len__(self) -> int:
        """How many."""
        return self._file.tell() // _HASH_BYTES

    def pieces(self) -> Iterator[bytes]:
        """All of them, some at a time."""
        self._file.seek(0)
        while some := self._file.read(_AT_ONCE * _HASH_BYTES):
            yield some
        self._file.seek(0, SEEK_END)


def hashes_of(given: Entries) -> bytes:
    """The hashes of entries, one after the other."""
    return np.ascontiguousarray(given[["low", "high"]]).astype(_HASH_TYPE).tobytes()


def of_halves(given: Iterable[tuple[int, int, int]]) -> Iterator[Entries]:
    """Entries from `low`, `high` and `input` of each, some at a time."""
    given = iter(given)
    while some := list(islice(given, _COPIED_AT_ONCE)):
        columns = np.array(some, dtype=np.uint64)
        yield made({"low": columns[:, 0], "high": columns[:, 1], "input": columns[:, 2]})


def load(connection: DuckDBPyConnection, name: str, pieces: Iterable[Entries]) -> None:
    """Make entries a table of DuckDB, which keeps what is too much on disk. One piece is in memory at a time.

    What is one piece alone is looked at where it lies, which is sooner.
    """
    pieces = iter(pieces)
    first, second = next(pieces, entries(b"")), next(pieces, None)
    if second is None:
        register(connection, name, first)
        return
    columns = ", ".join(f"{column} {kind}" for column, kind in _KINDS.items())
    connection.execute(f"CREATE OR REPLACE TABLE {name} ({columns})")
    for piece in chain((first, second), pieces):
        if len(piece):
            register(connection, "piece", piece)
            connection.execute(f"INSERT INTO {name} SELECT * FROM piece")
            connection.unregister("piece")


_KINDS: Final = {
    **dict.fromkeys(("low", "high", "input", "sent"), "UBIGINT"),
    "recipe": "USMALLINT",
    "run": "UINTEGER",
    "state": "UTINYINT",
}


def register(connection: DuckDBPyConnection, name: str, given: Entries) -> None:
    """Make entries a view of DuckDB."""
    connection.register(name, _columns_of(given))


def _columns_of(given: Entries) -> dict[str, NDArray[np.generic]]:
    """Each column by itself. As many entries at once as a processor's cache holds, which is twice as fast."""
    columns = {name: np.empty(len(given), dtype=ENTRY[name]) for name in ENTRY.names or ()}
    for first in range(0, len(given), _COPIED_AT_ONCE):
        some = slice(first, first + _COPIED_AT_ONCE)
        for name, column in columns.items():
            column[some] = given[name][some]
    return columns


def insert(connection: DuckDBPyConnection, table: str, hashes: bytes) -> None:
    """Add hashes of rows, of 16 bytes each, to a table of one column UHUGEINT.

    Not by a parameter: DuckDB takes a list of such integers for a list of doubles, and loses half of their digits.
    """
    if hashes:
        with _registered(connection, hashes):
            connection.execute(f"INSERT INTO {table} SELECT {HASH} FROM some_hashes")


def places_in(connection: DuckDBPyConnection, table: str, hashes: bytes) -> list[int]:
    """Which of the hashes are in a table of one column `n`: their places, from 0, in order."""
    if not hashes:
        return []
    with _registered(connection, hashes):
        rows = connection.execute(f"SELECT place FROM some_hashes WHERE {HASH} IN (SELECT n FROM {table}) ORDER BY 1")
        return [place for (place,) in rows.fetchall()]


@contextmanager
def _registered(connection: DuckDBPyConnection, hashes: bytes) -> Iterator[None]:
    given = np.frombuffer(hashes, dtype=_HASH_TYPE)
    halves_ = {name: np.ascontiguousarray(given[name]) for name in ("low", "high")}
    connection.register("some_hashes", halves_ | {"place": np.arange(len(given))})
    yield
    connection.unregister("some_hashes")


def parts(given: Entries) -> dict[int, bytes]:
    """Entries by the first byte of their hash, sorted; as they are kept."""
    ordered = given[np.lexsort((given["high"], given["low"], given["low"] & np.uint64(0xFF)))]
    firsts = (ordered["low"] & np.uint64(0xFF)).astype(np.int64)
    bounds = np.searchsorted(firsts, np.arange(257))
    pieces = ((part, ordered[bounds[part] : bounds[part + 1]]) for part in range(256))
    return {part: piece.tobytes() for part, piece in pieces if len(piece)}


def halves(digest: bytes) -> tuple[int, int]:
    """An MD5 as `low` and `high`."""
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def merged(known: bytes, changed: Entries, gone: Entries | None = None) -> dict[int, bytes]:
    """The parts of the memory that change when these entries take their places in it, and others leave it.

    A part that is empty afterwards is there, without bytes.
    """
    old = entries(known)
    leaving = changed if gone is None else np.concatenate([changed, gone])
    touched = {int(part) for part in np.unique(leaving["low"] & np.uint64(0xFF))}
    old = old[np.isin(old["low"] & np.uint64(0xFF), np.array(sorted(touched), dtype=np.uint64))]
    all_ = np.concatenate([old, leaving])
    age = np.concatenate([np.zeros(len(old), dtype=np.uint8), np.ones(len(leaving), dtype=np.uint8)])
    order = np.lexsort((age, all_["high"], all_["low"]))
    all_, age = all_[order], age[order]
    is_last = np.ones(len(all_), dtype=bool)
    is_last[:-1] = (all_["low"][1:] != all_["low"][:-1]) | (all_["high"][1:] != all_["high"][:-1])
    stays = all_[is_last]
    stays = stays[stays["state"] <= max(Came)]
    return dict.fromkeys(sorted(touched), b"") | parts(stays)
