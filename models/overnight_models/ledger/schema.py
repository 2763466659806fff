"""The schema: migrations."""

from __future__ import annotations

from importlib import resources
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from overnight_models.ledger import deployment
from overnight_models.ledger.database import Database, fetch_one
from overnight_models.ledger.partitions import make_partitions, take_turns


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
        take_turns(connection)
        command.upgrade(config(connection), "head")
        make_partitions(connection)
        deployment.settle(connection)


def revisions(connection: Connection) -> tuple[str | None, str | None]:
    """The schema's revision in this database, and the newest one that this code knows."""
    current = MigrationContext.configure(connection).get_current_revision()
    return current, ScriptDirectory.from_config(config()).get_current_head()


def server_version(connection: Connection) -> str:
    """The version of PostgreSQL that the ledger lives in, as "18.1"."""
    row = fetch_one(connection, "SELECT current_setting('server_version') AS version")
    assert row is not None
    return str(row["version"])
