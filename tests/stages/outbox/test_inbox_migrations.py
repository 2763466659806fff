"""The inbox table is the same by each tool of migrations, run for real."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from typer.testing import CliRunner

from overnight_models.wire.inbox import COLUMNS
from overnight_workers.cli import app
from tests.stages.outbox.conftest import engine_of, printed


def columns(url: str, table: str = "overnight_inbox") -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT column_name, data_type, is_nullable, column_default, is_identity FROM information_schema.columns"
            " WHERE table_name = %s ORDER BY ordinal_position",
            (table,),
        ).fetchall()


def test_the_sql_may_run_twice_and_has_what_is_written(shop: str) -> None:
    with psycopg.connect(shop) as connection:
        connection.execute(printed("sql").encode())
    assert {*COLUMNS, "id", "enqueued_at", "error"} == {column[0] for column in columns(shop)}


def test_alembic_makes_and_drops_the_same_table(shop: str, empty_shop: str, postgres: str) -> None:
    wanted = columns(shop)
    with psycopg.connect(shop, autocommit=True) as plain:
        plain.execute("DROP TABLE overnight_inbox")
    revision: dict[str, Any] = {}
    exec(compile(printed("alembic"), "revision.py", "exec"), revision)
    with engine_of(shop).begin() as connection, Operations.context(MigrationContext.configure(connection)):
        revision["upgrade"]()
    assert columns(shop) == wanted
    with engine_of(shop).begin() as connection, Operations.context(MigrationContext.configure(connection)):
        revision["downgrade"]()
    assert columns(shop) == []


def test_django_makes_and_drops_the_same_table(shop: str) -> None:
    pytest.importorskip("django", reason="needs Django (dependency group dev)")
    from django.db.migrations.executor import MigrationExecutor
    from django.db.migrations.migration import Migration

    from tests.stages.outbox.django_shop import connected

    wanted = columns(shop)
    with psycopg.connect(shop, autocommit=True) as plain:
        plain.execute("DROP TABLE overnight_inbox")
    written: dict[str, Any] = {}
    exec(compile(printed("django"), "0001_inbox.py", "exec"), written)
    migration: Migration = written["Migration"]("0001_inbox", "shop")
    with connected(shop) as connection:
        executor = MigrationExecutor(connection)
        state = executor.loader.project_state()
        after = executor.apply_migration(state, migration)
        assert columns(shop) == wanted
        executor.unapply_migration(after, migration)
        assert columns(shop) == []


def test_a_name_that_is_none_is_refused() -> None:
    done = CliRunner().invoke(app, ["inbox", "sql", "--table", 'a"; DROP TABLE orders; --'])
    assert done.exit_code == 1
    assert "isn't the name of a table" in str(done.exception)
