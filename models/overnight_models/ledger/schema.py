"""The schema: migrations and partitions."""

from __future__ import annotations

from importlib import resources
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from overnight_models.ledger.database import Database, count, one, run
from overnight_models.tables import PARTITION_ITEMS, PARTITIONED

_AHEAD: Final = 2
"""Partitions kept ready beyond the newest item."""

_ONE_AT_A_TIME: Final = 0x6F766572
"""Advisory lock: two migrations, or two makers of partitions, take turns."""


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration; there is no alembic.ini."""
    alembic = Config()
    alembic.set_main_option("script_location", str(resources.files("overnight_models") / "migrations"))
    alembic.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    alembic.attributes["connection"] = connection
    return alembic


def compared(thing: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
    """Whether Alembic compares this with the tables: everything but single partitions."""
    return not (kind == "table" and name is not None and "_from_" in name)


def migrate(database: Database) -> None:
    """Bring the database to the newest schema, and make the first partitions. Harmless when it is there."""
    with database.transaction() as connection:
        run(connection, "SELECT pg_advisory_xact_lock(:lock)", lock=_ONE_AT_A_TIME)
        command.upgrade(config(connection), "head")
        make_partitions(connection)


def revisions(connection: Connection) -> tuple[str | None, str | None]:
    """The schema's revision in this database, and the newest one that this code knows."""
    current = MigrationContext.configure(connection).get_current_revision()
    return current, ScriptDirectory.from_config(config()).get_current_head()


def make_partitions(connection: Connection) -> int:
    """Make the partitions that the next items will need. Returns how many were made."""
    run(connection, "SELECT pg_advisory_xact_lock(:lock)", lock=_ONE_AT_A_TIME)
    last = one(connection, "SELECT last_value FROM item_id")
    assert last is not None
    newest = int(last["last_value"]) // PARTITION_ITEMS
    made = 0
    for table in PARTITIONED:
        there = {
            row["name"]
            for row in run(
                connection,
                "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = CAST(:t AS regclass)",
                t=table,
            )
        }
        for number in range(newest + _AHEAD + 1):
            first = number * PARTITION_ITEMS
            name = f"{table}_from_{first}"
            # a partition that retention has dropped is below the newest and stays away
            if name not in there and (number >= newest or not there):
                values = f"FROM ({first}) TO ({first + PARTITION_ITEMS})"
                count(connection, f"CREATE TABLE {name} PARTITION OF {table} FOR VALUES {values}")
                made += 1
    return made
