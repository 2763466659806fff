"""A file of answers: written aside whole, synced, and put in the place of the old one. Readers see either."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from overnight_models.crash_points import reach
from overnight_models.errors import PermanentError, TransientError
from overnight_workers.catalogs.cells import literal, quoted
from overnight_workers.catalogs.memory import Hashes
from overnight_workers.catalogs.opened import WRITING, duck
from overnight_workers.catalogs.scratch import scratch
from overnight_workers.catalogs.sinks.answered import GONE, RUN, Columns, Publication, line
from overnight_workers.catalogs.sinks.gone import note_gone
from overnight_workers.catalogs.sinks.ranges import BETTER, Lines, OrderedRows
from overnight_workers.catalogs.sinks.stored import as_of_today, stored_answers
from overnight_workers.on_disk import sync

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_WRITTEN: Final = {
    ".parquet": "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {rows}",
    ".jsonl": "FORMAT json",
    ".csv": "FORMAT csv, HEADER true",
}
_MEMORIES: Final = (WRITING, "1GB", "4GB")
"""What DuckDB may have; the next where it can't do with that."""
_NO_ROOM: Final = tuple(os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT))
"""What a disk says that has no room now."""


@dataclass(frozen=True)
class FileSink:
    """One file with a row of each row of the source, kept from run to run."""

    path: Path
    columns: Columns
    gone: Literal["keep", "mark", "delete"]

    def check(self) -> None:
        """Raise PermanentError when the file can't be written, or is there and isn't of this catalog."""
        self.columns.check()
        with self._said(), duck() as connection:
            room = next(place for place in self.path.absolute().parents if place.exists())
            with tempfile.TemporaryFile(dir=room):
                pass
            self._there(connection)

    def publish(self, publication: Publication) -> None:
        """Write the file anew: the run's answers in the places of older ones.

        Raises PermanentError, and TransientError where the disk is full or another catalog is writing the same file.
        """
        with self._said(), scratch() as directory:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lines = self._write_lines(publication, directory / "answers.jsonl")
            if lines.rows or len(publication.gone):
                self._put(lines, publication.gone)

    def _put(self, lines: Lines, gone: Hashes) -> None:
        """What is paid isn't lost for want of memory: DuckDB sorts rows of long texts in memory only."""
        import duckdb

        *less, most = _MEMORIES
        for limit in less:
            with suppress(duckdb.OutOfMemoryException):
                self._put_within(limit, lines, gone)
                return
        self._put_within(most, lines, gone)

    def _put_within(self, limit: str, lines: Lines, gone: Hashes) -> None:
        types = self.columns.types
        with duck(in_order=True, memory=limit) as connection, self._alone():
            connection.execute("SET threads = 1")  # each of them has buffers of its own
            note_gone(connection, gone)
            rows = OrderedRows(
                connection, self._old(connection), lines, self.columns.identifying, types | {BETTER: "BOOLEAN"}
            )
            self._replace(rows.in_order(self._merged()), connection, rows.of_row_group)

    def latest_run(self) -> int | None:
        """The highest number of a run whose rows are in the file; None where there are none, or no file."""
        with self._said(), duck() as connection:
            there = self._there(connection)
            if there is None:
                return None
            ((latest,),) = connection.execute(f"SELECT max(TRY_CAST({RUN} AS BIGINT)) FROM {there[0]}").fetchall()
            return None if latest is None else int(latest)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Two catalogs that have one file don't take each other's answers out. Raises TransientError."""
        directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise TransientError(
                f"another catalog is writing into {self.path.parent}, beside this one's sink"
            ) from error
        finally:
            os.close(directory)

    @contextmanager
    def _said(self) -> Iterator[None]:
        """What the disk or DuckDB can't do with the file, as a sentence."""
        import duckdb

        try:
            yield
        except (OSError, duckdb.Error) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error).partition("\n")[0]
            if (full := next((words for words in _NO_ROOM if words in str(error)), None)) is not None:
                raise TransientError(f"the sink {self.path} can't be written: {full}") from error
            raise PermanentError(f"the sink {self.path} can't be written: {why}") from error

    def _write_lines(self, publication: Publication, file: Path) -> Lines:
        rows = longest = 0
        with file.open("wb") as lines:
            for answered in publication.rows:
                row = self.columns.row(answered, publication.number) | {BETTER: answered.may_do_better}
                longest = max(longest, lines.write(line(row)))
                rows += 1
        return Lines(file, rows, longest)

    def _there(self, connection: DuckDBPyConnection) -> tuple[str, list[str]] | None:
        """The old file as a FROM clause, and its columns; None where there is none. Raises PermanentError."""
        import duckdb

        if not self.path.exists() or self.path.stat().st_size == 0:
            return None
        try:
            source = stored_answers(connection, self.path, self.columns.types)
            there = [str(row[0]) for row in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]
        except duckdb.Error as error:
            why = str(error).partition("\n")[0]
            raise PermanentError(f"{self.path} can't be read, so it isn't replaced: move it away: {why}") from error
        missing = [name for name in (*self.columns.identifying, RUN) if name not in there]
        if missing:
            raise PermanentError(
                f"{self.path} has no column {', '.join(missing)}, so it isn't of this catalog and isn't replaced:"
                " move it away, or name another file as the sink"
            )
        return source, there

    def _old(self, connection: DuckDBPyConnection) -> str:
        """What stands in the file, with today's columns first; columns of earlier outputs stay. A query."""
        today = self.columns.types
        old = self._there(connection)
        if old is None:
            empty = ", ".join(f"CAST(NULL AS {kind}) AS {quoted(name)}" for name, kind in today.items())
            return f"SELECT {empty} WHERE false"
        source, there = old
        return f"SELECT {as_of_today(there, today)} FROM {source}"

    def _merged(self) -> str:
        """Old rows that stay and new ones that come, as a query of the tables `old` and `came`."""
        keys = ", ".join(quoted(name) for name in self.columns.identifying)
        same = " AND ".join(f"came.{quoted(name)} = old.{quoted(name)}" for name in self.columns.identifying)
        stays = f"NOT EXISTS (SELECT 1 FROM came WHERE {same} AND NOT {BETTER} AND came.{RUN} >= old.{RUN})"
        comes = f"NOT EXISTS (SELECT 1 FROM old WHERE {same} AND ({BETTER} OR old.{RUN} > came.{RUN}))"
        is_gone = f"md5_number(concat_ws(chr(31), {keys})) IN (SELECT n FROM gone)"
        old = f"SELECT * FROM old WHERE {stays}"
        if self.gone == "delete":
            old += f" AND NOT ({is_gone})"
        if self.gone == "mark":
            old = f"SELECT * REPLACE ({quoted(GONE)} IS TRUE OR {is_gone} AS {quoted(GONE)}) FROM ({old})"
        return f"SELECT * FROM ({old} UNION ALL BY NAME SELECT * EXCLUDE ({BETTER}) FROM came WHERE {comes})"

    def _replace(self, rows: str, connection: DuckDBPyConnection, of_row_group: int) -> None:
        target = self.path.resolve()  # a link stays one
        aside = target.with_name(f".{target.name}.aside")  # one that a killed process left is written over
        written = _WRITTEN[self.path.suffix].format(rows=of_row_group)
        try:
            connection.execute(f"COPY ({rows}) TO {literal(str(aside))} ({written})")
            if target.exists():
                shutil.copymode(target, aside)  # whoever could read the file still can
            sync(aside)
            reach("before the file is replaced")
            aside.replace(target)
            sync(target.parent)
            reach("after the file is replaced")
        finally:
            aside.unlink(missing_ok=True)
