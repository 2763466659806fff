"""How a source is opened: the module of its kind does it."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

from overnight_models.errors import TransientError
from overnight_workers.catalogs.declaration import Catalog, DeclaredSource, Kind
from overnight_workers.catalogs.faults import BadSource
from overnight_workers.catalogs.scratch import scratch
from overnight_workers.catalogs.sources import files
from overnight_workers.catalogs.sources.source import Source, check_names


def open_source(catalog: Catalog, *, max_rows: int | None = None) -> AbstractContextManager[Source]:
    """Open a catalog's source; what it needs on disk is gone when it is closed. Raises BadSource.

    max_rows: rows that are wanted, for a preview; there may be more.
    """
    return opened(catalog.source, catalog.directory, max_rows=max_rows)


@contextmanager
def opened(declared: DeclaredSource, directory: Path, *, max_rows: int | None = None) -> Iterator[Source]:
    """Open a declared source. directory: where its path begins from.

    Raises TransientError for what can't be read of a file that somebody was writing meanwhile.
    """
    import duckdb

    unchanged = _Unchanged(declared, directory)
    with scratch() as room:
        try:
            source = _opened(declared, directory, room, max_rows).declared(declared.types)
            source.check_unchanged = unchanged.check
            yield source
        except (BadSource, duckdb.Error):
            unchanged.wait_for_a_writer()
            unchanged.check()
            raise


_QUIET_S: Final = 1.0
"""A file that can't be read and was written so short a time ago is looked at once more."""


class _Unchanged:
    """Whether a local file is still the one that was opened; of what lies elsewhere a whole copy is read."""

    def __init__(self, declared: DeclaredSource, directory: Path) -> None:
        place = None if declared.path is None else files.place_of(declared, directory)
        self._file = None if place is None or files.is_url(place) else Path(place)
        self._opened = self._state()

    def check(self) -> None:
        """Raise TransientError when it was written, or another file was put in its place."""
        if self._state() != self._opened:
            raise TransientError(
                f"the source {self._file} was changed while it was read, so it may not be whole:"
                " it is read again (whoever writes it may write aside and rename)"
            )

    def wait_for_a_writer(self) -> None:
        """Of a file that was written a moment ago, wait for the next word: it may be empty only between two of them."""
        if self._file is None:
            return
        with suppress(OSError):  # there is none now
            quiet_s = abs(time.time() - self._file.stat().st_mtime)
            time.sleep(max(0.0, _QUIET_S - quiet_s))  # nothing tells when a writer goes on

    def _state(self) -> tuple[int, ...] | None:
        if self._file is None:
            return None
        with suppress(OSError):  # there is none now, which differs from any
            stat = self._file.stat()
            return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns
        return ()


def columns_of(declared: DeclaredSource, directory: Path, wanted: Collection[str]) -> tuple[str, ...]:
    """The names of a source's columns, without reading all of it where that can be spared. Raises BadSource.

    wanted: names that should be among them, where they aren't in every row (JSON Lines).
    """
    with scratch() as room:
        columns = _module(declared.read_as).columns_of(declared, directory, room, wanted)
        check_names(columns)
        return columns


def _module(kind: Kind) -> _Kind:
    from overnight_workers.catalogs.sources import csv_files, excel, jsonl, parquet, sql

    modules: Mapping[Kind, _Kind] = {"csv": csv_files, "jsonl": jsonl, "parquet": parquet, "excel": excel, "sql": sql}
    return modules[kind]


class _Kind(Protocol):
    """What each kind of source has."""

    def columns_of(
        self, declared: DeclaredSource, directory: Path, room: Path, wanted: Collection[str]
    ) -> tuple[str, ...]:
        """The names of its columns."""

    def open_rows(self, declared: DeclaredSource, directory: Path, room: Path, max_rows: int | None) -> Source:
        """Its rows. max_rows: as many are enough."""


def _opened(declared: DeclaredSource, directory: Path, room: Path, max_rows: int | None) -> Source:
    return _module(declared.read_as).open_rows(declared, directory, room, max_rows)
