"""A table of answers, upserted by key in one transaction. An older run's answer never goes over a newer one's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

from overnight_models.crash_points import reach
from overnight_models.errors import PermanentError, TransientError
from overnight_workers.catalogs.declaration import DeclaredSink
from overnight_workers.catalogs.memory import Hashes
from overnight_workers.catalogs.sinks.answered import GONE, RUN, Columns, Publication
from overnight_workers.catalogs.sinks.gone import keys_of_gone
from overnight_workers.catalogs.sources.sql import WAIT_FOR_LOCKS, may_pass, options_of, url_of, why

_AT_ONCE: Final = 1_000
_READ_AT_ONCE: Final = 20_000
"""Keys."""
_TYPES: Final[dict[str, sa.types.TypeEngine[Any]]] = {
    "VARCHAR": sa.Text().with_variant(mysql.LONGTEXT(charset="utf8mb4"), "mysql", "mariadb"),
    "BIGINT": sa.BigInteger(),
    "DOUBLE": sa.Double(),
    "BOOLEAN": sa.Boolean(),
    "TIMESTAMP": sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb"),
    "DECIMAL(18,9)": sa.Numeric(18, 9),
}
_LONGEST_KEY: Final = 255
"""Characters of a column that MySQL takes into a key; a longer cell is an error of the database."""


@dataclass(frozen=True)
class TableSink:
    """One table with a row of each row of the source."""

    declared: DeclaredSink
    columns: Columns
    directory: Path
    """Where the path of an SQLite file begins from."""

    def check(self) -> None:
        """Raise PermanentError where `publish` would fail, TransientError where it may. Nothing is written."""
        self.columns.check()
        with self.connected() as connection:
            if self._is_there(connection):
                self._check_key(connection, self._reflected(connection))
            if self._lacks_something(connection) and connection.dialect.name != "postgresql":
                return  # others keep what was made in a transaction that is taken back
            table = self._table(connection)
            nothing = sa.select(*(sa.cast(sa.null(), column.type) for column in table.columns)).where(sa.false())
            connection.execute(sa.insert(table).from_select(list(table.columns), nothing))
            connection.execute(sa.update(table).where(sa.false()).values({RUN: 0}))
            if self.declared.gone == "delete":
                connection.execute(sa.delete(table).where(sa.false()))
            connection.rollback()

    def publish(self, publication: Publication) -> None:
        """Upsert the run's answers in one transaction. Raises PermanentError, TransientError."""
        with self.connected() as connection:
            table = self._table(connection)
            for group in _groups(publication, self.columns):
                self._upsert(connection, table, [row for row, better in group if not better], replaces=True)
                self._upsert(connection, table, [row for row, better in group if better], replaces=False)
            self._take_out(connection, table, publication.gone)
            reach("before the table is committed")
        reach("after the table is committed")

    def latest_run(self) -> int | None:
        """The highest number of a run whose rows are there; None where there are none.

        Raises TransientError, PermanentError.
        """
        with self.connected() as connection:
            if not self._is_there(connection):
                return None
            table = self._reflected(connection)
            latest = connection.execute(sa.select(sa.func.max(table.c[RUN]))).scalar() if RUN in table.c else None
            return None if latest is None else int(latest)

    @contextmanager
    def connected(self) -> Iterator[sa.Connection]:
        """A transaction of its own. What the database can't do is said in a sentence, without the URL."""
        url = url_of(self.declared.url, self.declared.url_variable, self.directory)
        engine = sa.create_engine(url, hide_parameters=True, **options_of(url))
        try:
            with engine.begin() as connection:
                if connection.dialect.name not in _INSERTS:
                    raise PermanentError(
                        f"a sink's table is in {', '.join(_INSERTS)}; this is {connection.dialect.name}"
                    )
                name = connection.dialect.name
                for setting in (*_STRICT.get(name, ()), *WAIT_FOR_LOCKS.get(name, ())):
                    connection.exec_driver_sql(setting)
                yield connection
        except sa.exc.SQLAlchemyError as error:
            said = f"the sink's table {self.declared.table}: {why(error)}"
            raise (TransientError(said) if may_pass(error) else PermanentError(said)) from error
        finally:
            engine.dispose()

    def _is_there(self, connection: sa.Connection) -> bool:
        schema, _, name = (self.declared.table or "").rpartition(".")
        return sa.inspect(connection).has_table(name, schema=schema or None)

    def _check_key(self, connection: sa.Connection, table: sa.Table) -> None:
        """Upserts need a unique key of just these columns."""
        looked, wanted = sa.inspect(connection), set(self.columns.identifying)
        unique = [set(looked.get_pk_constraint(table.name, schema=table.schema)["constrained_columns"])]
        unique += [
            set(constraint["column_names"])
            for constraint in looked.get_unique_constraints(table.name, schema=table.schema)
        ]
        indexes = looked.get_indexes(table.name, schema=table.schema)
        unique += [set(map(str, index["column_names"])) for index in indexes if index["unique"]]
        if wanted not in unique:
            named = ", ".join(self.columns.identifying)
            raise PermanentError(
                f"the sink's table {self.declared.table} has no unique key of ({named}), so nothing can be upserted:"
                " add a primary key or a unique constraint of these columns, or name another table"
            )
        for column, collation in _folding(connection, table, self.columns.identifying).items():
            raise PermanentError(
                f"to the key of the sink's table {self.declared.table} 'a' and 'A' are one, so a row's answer would go"
                f" over another's: its {column} has the collation {collation}; give it utf8mb4_bin"
            )

    def _reflected(self, connection: sa.Connection) -> sa.Table:
        schema, _, name = (self.declared.table or "").rpartition(".")
        return sa.Table(name, sa.MetaData(), schema=schema or None, autoload_with=connection)

    def _lacks_something(self, connection: sa.Connection) -> bool:
        return not self._is_there(connection) or bool(self.columns.types.keys() - self._reflected(connection).c.keys())

    def _table(self, connection: sa.Connection) -> sa.Table:
        """The table as it is; made where there is none, with the columns that it lacks."""
        if not self._is_there(connection):
            self._declare(connection.dialect).create(connection)
        table = self._reflected(connection)
        missing = {column: kind for column, kind in self.columns.types.items() if column not in table.columns}
        if not missing:
            return table
        prepare = connection.dialect.identifier_preparer
        for column, kind in missing.items():
            written = _TYPES[kind].compile(connection.dialect)
            name, quoted = prepare.format_table(table), prepare.quote(column)
            connection.execute(sa.text(f"ALTER TABLE {name} ADD COLUMN {quoted} {written}"))
        return self._reflected(connection)

    def _declare(self, dialect: sa.Dialect) -> sa.Table:
        schema, _, name = (self.declared.table or "").rpartition(".")
        is_mysql = dialect.name in _MYSQL
        columns = []
        for column, written in self.columns.types.items():
            is_key = column in self.columns.identifying
            kind = _mysql_key(dialect) if is_mysql and is_key else _TYPES[written]
            columns.append(sa.Column(column, kind, primary_key=is_key))
        return sa.Table(
            name,
            sa.MetaData(),
            *columns,
            schema=schema or None,
            mysql_charset="utf8mb4",
            mysql_engine="InnoDB",
            mariadb_charset="utf8mb4",
            mariadb_engine="InnoDB",
        )

    def _upsert(
        self, connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, object]], *, replaces: bool
    ) -> None:
        """replaces: rows that are there are replaced, if an older run wrote them, or this one."""
        if not rows:
            return
        identifying = list(self.columns.identifying)
        others = [column for column in self.columns.types if column not in identifying]
        if connection.dialect.name in _MYSQL:
            # in the order of the columns: the run is compared before it is changed, so it is set last
            inserted = mysql.insert(table)
            ordered = [column for column in others if column != RUN] + [RUN]
            newer = sa.or_(table.c[RUN].is_(None), inserted.inserted[RUN] >= table.c[RUN]) if replaces else sa.false()
            chosen = [
                (column, sa.case((newer, inserted.inserted[column]), else_=table.c[column])) for column in ordered
            ]
            connection.execute(inserted.on_duplicate_key_update(chosen), rows)
            return
        made = _INSERTS[connection.dialect.name](table)
        if not replaces:
            connection.execute(made.on_conflict_do_nothing(index_elements=identifying), rows)
            return
        changes = {column: made.excluded[column] for column in others}
        guard = sa.or_(table.c[RUN].is_(None), made.excluded[RUN] >= table.c[RUN])
        connection.execute(made.on_conflict_do_update(index_elements=identifying, set_=changes, where=guard), rows)

    def _take_out(self, connection: sa.Connection, table: sa.Table, gone: Hashes) -> None:
        """Delete or mark what is gone from the source. Flat memory."""
        if not len(gone) or self.declared.gone == "keep":
            return
        columns = [table.c[column] for column in self.columns.identifying]
        same = sa.and_(*(column == sa.bindparam(f"gone_{at}") for at, column in enumerate(columns)))
        change: sa.Delete | sa.Update = sa.delete(table).where(same)
        if self.declared.gone != "delete":
            change = sa.update(table).where(same).values({GONE: True})
        keys = connection.execute(sa.select(*columns).execution_options(yield_per=_READ_AT_ONCE))
        for some in keys_of_gone(keys.partitions(), gone):
            connection.execute(change, [{f"gone_{at}": cell for at, cell in enumerate(key)} for key in some])


_MYSQL: Final = ("mysql", "mariadb")
# whatever the server is set to: what doesn't fit is an error, and never cut
_STRICT: Final = dict.fromkeys(_MYSQL, ("SET SESSION sql_mode = 'TRADITIONAL'",))
_INSERTS: Final[dict[str, Any]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert} | dict.fromkeys(
    _MYSQL, mysql.insert
)


def _mysql_key(dialect: Any) -> sa.types.TypeEngine[Any]:
    """A column of a key, to which `a`, `A` and `a ` are three texts; by MySQL's own collations they are one."""
    collation = "utf8mb4_nopad_bin" if dialect.is_mariadb else "utf8mb4_0900_bin"
    return mysql.VARCHAR(_LONGEST_KEY, charset="utf8mb4", collation=collation)


def _folding(connection: sa.Connection, table: sa.Table, names: Sequence[str]) -> dict[str, str]:
    """Columns of a key to which other texts are the same, with their collations: in MySQL, where none was chosen."""
    if connection.dialect.name not in _MYSQL:
        return {}
    collations = {name: getattr(table.c[name].type, "collation", None) for name in names if name in table.c}
    return {name: collation for name, collation in collations.items() if collation and not collation.endswith("_bin")}


def _groups(publication: Publication, columns: Columns) -> Iterator[list[tuple[dict[str, object], bool]]]:
    """Rows as SQLAlchemy takes them, with whether an older answer stays."""
    while group := list(islice(publication.rows, _AT_ONCE)):
        yield [(_typed(columns.row(answered, publication.number)), answered.may_do_better) for answered in group]


def _typed(row: dict[str, object]) -> dict[str, object]:
    time, cost = row["overnight_time"], row["overnight_cost_usd"]
    return row | {
        "overnight_time": datetime.fromisoformat(time) if isinstance(time, str) else None,
        "overnight_cost_usd": Decimal(cost) if isinstance(cost, str) else None,
    }
