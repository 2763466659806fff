"""Rows that are gone from the source: which of a sink's keys are theirs. As many as there may be, in flat memory."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterable, Iterator, Sequence
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from overnight_workers.catalogs import memory
from overnight_workers.catalogs.memory import Hashes
from overnight_workers.catalogs.opened import duck

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    Key = Sequence[object]


def note_gone(connection: DuckDBPyConnection, gone: Hashes) -> None:
    """Make the table `gone` of their hashes, `n`."""
    connection.execute("CREATE TABLE gone (n UHUGEINT)")
    for some in gone.pieces():
        memory.insert(connection, "gone", some)


def keys_of_gone(groups: Iterable[Sequence[Key]], gone: Hashes) -> Iterator[list[Key]]:
    """Those of the keys that are gone, as they were given, when all of the groups are read: they lie on disk meanwhile.

    So whoever reads keys from a table has read all of them before it changes.
    """
    with TemporaryFile() as file, duck() as connection:
        note_gone(connection, gone)
        number = 0
        for keys in groups:
            if here := _of(connection, keys):
                pickle.dump(here, file)
                number += 1
        file.seek(0)
        for _ in range(number):
            yield pickle.load(file)  # written here, into a file that has no name


def _of(connection: DuckDBPyConnection, keys: Sequence[Key]) -> list[Key]:
    """Those of some keys, each as the source's rows are hashed."""
    hashes = b"".join(hashlib.md5("\x1f".join(map(str, key)).encode(), usedforsecurity=False).digest() for key in keys)
    return [tuple(keys[place]) for place in memory.places_in(connection, "gone", hashes)]
