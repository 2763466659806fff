"""The schema: migrations."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Final, NamedTuple

from psycopg.errors import UndefinedColumn, UndefinedFunction, UndefinedTable
from sqlalchemy.exc import DBAPIError

from overnight_models.errors import PermanentError
from overnight_models.ledger import deployment
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.database import Database
from overnight_models.ledger.partitions import give_up_copies, make_partitions, take_turns
from overnight_models.ledger.probe import newest_revision
from overnight_models.ledger.rows import execute, fetch_only, fetch_only_value, fetch_value

if TYPE_CHECKING:
    from alembic.config import Config

VERSION_TABLE: Final = "overnight_version"
"""Ours: in a database that is shared, `alembic_version` may be somebody else's."""
_ALEMBICS_OWN: Final = "alembic_version"
_GROUPS_SINCE: Final = "0022"
"""Workers of an earlier revision can't read bodies in groups."""
_SHORT_ROWS_SINCE: Final = "0030"
"""Workers of an earlier revision look in each row for texts that stand in one place now."""
_HAND_OVERS_SINCE: Final = "0031"
"""Workers of an earlier revision know only deliveries with rows."""
_COLUMNS_BY_WIDTH_SINCE: Final = "0036"
"""Workers of an earlier revision copy what stays of a partition column by column, in the order of its parent."""
_SHORT_OUTCOMES_SINCE: Final = "0042"
"""Workers of an earlier revision look in each outcome for what most have in common."""


class WrongEncoding(PermanentError):
    """The database isn't encoded in UTF-8, so texts would be changed on their way: make another one, and say so."""


class NoSchema(PermanentError):
    """None of the schemas that the connection looks in (`search_path`) is there."""


def lacks_what_is_asked(error: Exception) -> bool:
    """Whether the schema, of another version then, has no such table, column or function."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(cause, UndefinedColumn | UndefinedFunction | UndefinedTable)


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration; there is no alembic.ini."""
    from alembic.config import Config  # not where a worker only asks for the revision: it takes as long as psycopg's

    alembic = Config()
    alembic.set_main_option("script_location", str(resources.files("overnight_models") / "migrations"))
    alembic.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    alembic.attributes["connection"] = connection
    return alembic


def compared(thing: object, name: str | None, kind: str, reflected: bool, compare_to: object) -> bool:
    """Whether Alembic compares this with the tables: everything but single partitions, and versions."""
    return not (kind == "table" and name is not None and ("_from_" in name or name in (VERSION_TABLE, _ALEMBICS_OWN)))


def migrate(database: Database) -> None:
    """Bring the database to the newest schema, and make the first partitions. Harmless when it is there.

    One transaction, which may take as long as it needs; it waits for a lock for 10 s, then raises TransientError.
    What workers of an earlier version can't read is written from the second time on: bodies in groups, rows without the
    texts that they have in common, deliveries without rows, partitions whose columns stand in another order, outcomes
    without what most of them have in common.

    Raises WrongEncoding and NoSchema, before anything is made.
    """
    with database.transaction() as connection:
        # an index of many millions takes longer than a stage's statement may; canceled, it would never be there
        execute(connection, "SET LOCAL statement_timeout = 0")
        take_turns(connection)
        require_utf8(connection)
        _require_schema(connection)
        _adopt_version(connection)
        current, newest = revisions(connection)
        if current != newest:
            # with all the tables it takes half a second, which most starts needn't wait for
            from alembic import command

            command.upgrade(config(connection), "head")
            # made before, they haven't the new columns
            give_up_copies(connection, "the schema has changed: its bodies are dropped anew")
        deployment.settle(connection)
        if current is not None and current >= _GROUPS_SINCE:
            deployment.begin_groups(connection)
        if current is not None and current >= _SHORT_ROWS_SINCE:
            deployment.begin_short_rows(connection)
        if current is not None and current >= _HAND_OVERS_SINCE:
            deployment.begin_hand_overs(connection)
        if current is not None and current >= _COLUMNS_BY_WIDTH_SINCE:
            deployment.begin_columns_by_width(connection)
        if current is not None and current >= _SHORT_OUTCOMES_SINCE:
            deployment.begin_short_outcomes(connection)
        make_partitions(connection)


def revisions(connection: Connection) -> tuple[str | None, str]:
    """The schema's revision in this database, and the newest one that this code knows.

    Raises WrongEncoding.
    """
    require_utf8(connection)
    table = VERSION_TABLE if _has(connection, VERSION_TABLE) or not _is_of_0_1(connection) else _ALEMBICS_OWN
    current = fetch_value(connection, str, f"SELECT version_num FROM {table}") if _has(connection, table) else None
    return current, newest_revision()


def server_version(connection: Connection) -> str:
    """The version of PostgreSQL that the ledger lives in, as "18.1"."""
    # a number, since a database of another encoding has no texts for psycopg
    number = fetch_only_value(connection, int, "SELECT current_setting('server_version_num')::integer")
    return f"{number // 10_000}.{number % 10_000}"


class _Where(NamedTuple):
    """A database, and how it keeps texts."""

    encoding: str
    name: str


def require_utf8(connection: Connection) -> None:
    """Raise WrongEncoding for a database that would change texts."""
    where = fetch_only(
        connection, _Where, "SELECT current_setting('server_encoding') AS encoding, current_database() AS name"
    )
    if where.encoding != "UTF8":
        raise WrongEncoding(
            f"database {where.name} is encoded in {where.encoding}, which would change texts: make one by"
            f" CREATE DATABASE {where.name}_utf8 ENCODING 'UTF8' TEMPLATE template0,"
            " and correct OVERNIGHT_DATABASE_URL"
        )


def _require_schema(connection: Connection) -> None:
    if fetch_value(connection, str, "SELECT current_schema()") is None:
        path = fetch_only_value(connection, str, "SELECT current_setting('search_path')")
        raise NoSchema(
            f"no schema of the search_path {path!r} is in this database: make it by CREATE SCHEMA,"
            " owned by the role that migrates, or correct `options` in OVERNIGHT_DATABASE_URL"
        )


def _has(connection: Connection, table: str) -> bool:
    return fetch_only_value(connection, bool, "SELECT to_regclass(:table) IS NOT NULL", table=table)


def _is_of_0_1(connection: Connection) -> bool:
    """Whether `alembic_version` speaks of our tables: until 0.1 the version stood there."""
    return _has(connection, _ALEMBICS_OWN) and _has(connection, "submission") and _has(connection, "item_key")


def _adopt_version(connection: Connection) -> None:
    """The version moves to a table of ours. The old one stays, for workers of the version before."""
    if not _has(connection, VERSION_TABLE) and _is_of_0_1(connection):
        execute(connection, f"CREATE TABLE {VERSION_TABLE} (LIKE {_ALEMBICS_OWN} INCLUDING ALL)")
        execute(connection, f"INSERT INTO {VERSION_TABLE} SELECT version_num FROM {_ALEMBICS_OWN}")
