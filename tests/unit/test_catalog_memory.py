"""The memory of a catalog, as it is held by a process: some parts at a time, however many rows there are."""

from __future__ import annotations

import hashlib
import tracemalloc

import duckdb
import numpy as np

from overnight_workers.catalogs import memory
from overnight_workers.catalogs.diff import Diff, Reason
from overnight_workers.catalogs.memory import Came, Hashes, Learned
from overnight_workers.catalogs.sinks.gone import keys_of_gone


def test_groups_have_every_part_once_and_about_as_many_entries_however_many_there_are() -> None:
    for rows in (0, 1, 1_000, 500_000, 1_000_000, 5_000_000, 10**9):
        groups = memory.groups(rows * memory.ENTRY.itemsize)
        assert [part for parts in groups for part in parts] == list(range(256))
        if 64_000 < rows < 15_000_000:
            assert max(map(len, groups)) * rows / 256 < 65_000


def test_keeping_a_plan_of_four_times_as_many_rows_takes_as_much_memory() -> None:
    assert _peak_of_a_plan(600_000) < 1.2 * _peak_of_a_plan(150_000)


def _peak_of_a_plan(rows: int) -> int:
    """Bytes of Python and numpy, at most, while the entries of a plan are made ready to be kept."""
    with duckdb.connect() as connection:
        connection.execute(f"""
            CREATE TABLE judged AS SELECT md5_number(i::VARCHAR) AS n, i::UBIGINT AS input, NULL::UBIGINT AS sent,
                   {Reason.NEW}::UTINYINT AS reason FROM range({rows}) AS numbers (i)
        """)
        diff = Diff(rows, {Reason.NEW: rows}, connection, 0)
        kept = 0
        tracemalloc.start()
        for entries in diff.entries():
            kept += sum(map(len, memory.parts(entries).values()))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert kept == rows * memory.ENTRY.itemsize
    return peak


def test_what_was_learned_of_many_rows_is_the_same_in_pieces() -> None:
    learned = Learned()
    rows = 150_000
    for number in range(rows):
        sent = b"" if number % 3 == 0 else number.to_bytes(8, "little")
        learned.add(number.to_bytes(16, "big"), sent, Came.OK if sent else Came.UNSENT)
    assert len(learned) == rows
    for _ in range(2):  # they can be read again
        pieces = list(learned.pieces())
        assert max(map(len, pieces)) < 65_000
        entries = np.concatenate(pieces)
        hashes = [entry.tobytes()[:16] for entry in entries[[0, 77_777, rows - 1]]]
        assert hashes == [number.to_bytes(16, "big") for number in (0, 77_777, rows - 1)]
        assert entries["sent"].tolist() == [0 if number % 3 == 0 else number for number in range(rows)]
        assert (entries["state"] == Came.UNSENT).sum() == rows // 3
    learned.add(bytes(16), b"", Came.FAILED)
    assert sum(map(len, learned.pieces())) == rows + 1


def test_keys_that_are_gone_come_as_they_were_given_from_each_of_many_groups() -> None:
    keys = [(number, "é") for number in range(150_000)]
    gone = Hashes()
    gone.add(bytes(16 * 90_000))  # more than are read at a time
    for number, word in keys[::3]:
        gone.add(hashlib.md5(f"{number}\x1f{word}".encode(), usedforsecurity=False).digest())
    assert len(gone) == 140_000
    groups = [keys[first : first + 20_000] for first in range(0, len(keys), 20_000)]
    came = list(keys_of_gone([[], *groups, [(1, "é")]], gone))
    assert len(came) == len(groups), "a group of which nothing is gone leaves none"
    assert [key for some in came for key in some] == keys[::3]
    assert len(gone) == 140_000
