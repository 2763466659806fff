"""JSON Lines: an object a line. Numbers keep the text that they are written with: 1.10 stays 1.10."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from overnight_workers.catalogs import cells
from overnight_workers.catalogs.declaration import DeclaredSource
from overnight_workers.catalogs.faults import BadSource
from overnight_workers.catalogs.sources import written
from overnight_workers.catalogs.sources.files import as_utf8, place_of
from overnight_workers.catalogs.sources.source import MOST_NAMED, Source

_LOOKED_AT: Final = 1_000
"""Lines that are looked at in any case for the names of columns."""


def columns_of(declared: DeclaredSource, directory: Path, room: Path, wanted: Collection[str]) -> tuple[str, ...]:
    """The columns of the first lines; of as many more as it takes to see those that are wanted."""
    known: dict[str, None] = {}
    missing = set(wanted)
    for number, line in enumerate(_objects(_file(declared, directory, room), place_of(declared, directory))):
        known.update(dict.fromkeys(line))
        missing.difference_update(line)
        if number >= _LOOKED_AT and not missing:
            break
    return tuple(known)


def open_rows(declared: DeclaredSource, directory: Path, room: Path, max_rows: int | None) -> Source:
    """A file of JSON Lines. max_rows: rows that are read of it. Raises BadSource."""
    place, file = place_of(declared, directory), _file(declared, directory, room)
    columns: dict[str, None] = {}
    faults: list[str] = []
    for line in _first(_objects(file, place, faults), max_rows):
        columns.update(dict.fromkeys(line))
        if len(columns) > _MOST_COLUMNS:
            raise BadSource([f"{place}: it has more than {_MOST_COLUMNS:,} columns: are its keys data?"])
    _stop(faults, place)
    names = list(columns)
    rows = _rows(_first(_objects(file, place), max_rows), names)
    return written.source_of(written.write(rows, names, room), names, place)


_MOST_COLUMNS: Final = 10_000


def _stop(faults: Sequence[str], place: str) -> None:
    if faults:
        more = [f"{place}: and {len(faults) - MOST_NAMED:,} more lines"] if len(faults) > MOST_NAMED else []
        raise BadSource([*faults[:MOST_NAMED], *more])


def _rows(lines: Iterator[Mapping[str, object]], names: Sequence[str]) -> Iterator[list[str]]:
    for line in lines:
        yield [cells.text_of(line.get(name)) for name in names]


def _first(lines: Iterator[Mapping[str, object]], max_rows: int | None) -> Iterator[Mapping[str, object]]:
    return (line for _, line in zip(range(max_rows), lines, strict=False)) if max_rows is not None else lines


def _file(declared: DeclaredSource, directory: Path, room: Path) -> Path:
    return as_utf8(place_of(declared, directory), declared.encoding or "utf-8", room, end=".jsonl")


def _objects(file: Path, named: str, faults: list[str] | None = None) -> Iterator[Mapping[str, object]]:
    """The lines that aren't blank, read. faults: where a line that can't be is noted; None: BadSource is raised."""
    noted: list[str] = [] if faults is None else faults
    with file.open("rb") as lines:
        for number, text in enumerate(lines, start=1):
            if not text.strip():
                continue
            try:
                line = cells.loads(text.rstrip())
                if not isinstance(line, dict):
                    raise ValueError("it is no JSON object")
            except (ValueError, RecursionError) as error:
                noted.append(f"{named}:{number}: {_why(error)}")
                if faults is None:
                    raise BadSource(noted) from error
                continue
            yield line


def _why(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it isn't UTF-8: declare its encoding"
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg.removesuffix(' at')} at column {error.colno}"
    return str(error)
