"""How a source is opened: the module of its kind does it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from overnight_workers.catalogs.declaration import Catalog, DeclaredSource, Kind
from overnight_workers.catalogs.scratch import scratch
from overnight_workers.catalogs.sources.source import Source, check_names


def open_source(catalog: Catalog, *, max_rows: int | None = None) -> AbstractContextManager[Source]:
    """Open a catalog's source; what it needs on disk is gone when it is closed. Raises BadSource.

    max_rows: rows that are wanted, for a preview; there may be more.
    """
    return opened(catalog.source, catalog.directory, max_rows=max_rows)


@contextmanager
def opened(declared: DeclaredSource, directory: Path, *, max_rows: int | None = None) -> Iterator[Source]:
    """Open a declared source. directory: where its path begins from."""
    with scratch() as room:
        yield _opened(declared, directory, room, max_rows).declared(declared.types)


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
