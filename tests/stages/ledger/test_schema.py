"""The schema is the sum of its migrations, and its rules are the states' table."""

from __future__ import annotations

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from overnight_models import tables
from overnight_models.ledger.database import Database
from overnight_models.ledger.partitions import GROUPED, PARTITION_ITEMS, PARTITIONED, make_partitions
from overnight_models.ledger.rows import fetch_all, fetch_one
from overnight_models.ledger.schema import VERSION_TABLE, compared, migrate, revisions
from overnight_models.states import LIVES, Life


def test_the_tables_are_the_sum_of_the_migrations(database: Database) -> None:
    with database.transaction() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_object": compared, "compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, tables.Table.metadata) == []


def test_indexes_and_checks_are_those_of_the_migrations_whole(database: Database) -> None:
    """Alembic compares neither an index's condition nor a check, so both are compared as PostgreSQL writes them."""
    with database.engine.connect() as connection:
        migrated = _rules(connection)
        connection.execute(text("CREATE SCHEMA made"))
        connection.execute(text("SET LOCAL search_path = made"))
        tables.Table.metadata.create_all(connection, checkfirst=False)
        declared = _rules(connection)
    assert declared == {name: rule for name, rule in migrated.items() if not name.startswith(f"{VERSION_TABLE}.")}


def _rules(connection: Connection) -> dict[str, str]:
    """Each index and check of the schema in use, by its table and name; those of partitions are inherited."""
    query = """
SELECT c.relname || '.' || i.relname AS name, pg_get_indexdef(x.indexrelid) AS rule
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
WHERE c.relnamespace = CAST(current_schema() AS regnamespace) AND NOT c.relispartition
UNION ALL
SELECT c.relname || '.' || k.conname, pg_get_constraintdef(k.oid)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE k.contype IN ('c', 'f') AND c.relnamespace = CAST(current_schema() AS regnamespace) AND NOT c.relispartition
"""
    schema = connection.execute(text("SELECT current_schema()")).scalar_one()
    return {row["name"]: row["rule"].replace(f"{schema}.", "") for row in fetch_all(connection, query)}


def test_the_database_knows_which_revision_it_has(database: Database) -> None:
    with database.transaction() as connection:
        current, newest = revisions(connection)
    assert current == newest is not None


def test_migrating_again_changes_nothing(database: Database) -> None:
    migrate(database)
    with database.transaction() as connection:
        assert make_partitions(connection) == 0


@pytest.mark.parametrize("life", [pytest.param(life, id=life.noun) for life in LIVES])
def test_the_database_allows_every_known_state_and_no_other(database: Database, life: Life) -> None:
    with database.transaction() as connection:
        row = fetch_one(
            connection,
            "SELECT pg_get_constraintdef(oid) AS rule FROM pg_constraint"
            " WHERE conname = :name AND conrelid = CAST(:noun AS regclass)",
            name=f"{life.noun}_state_is_known",
            noun=life.noun,
        )
    assert row is not None
    assert set(row["rule"].split("'")[1::2]) == set(life.states)


def test_partitions_are_made_before_their_items_come(fresh_database: Database) -> None:
    with fresh_database.transaction() as connection:
        fetch_all(connection, "SELECT setval('item_id', :n)", n=PARTITION_ITEMS * 7 + 5)
        made = make_partitions(connection)
        assert made == 3 * len([*PARTITIONED, *GROUPED])
        assert make_partitions(connection) == 0
        for table in (*PARTITIONED, *GROUPED):
            names = {
                r["n"]
                for r in fetch_all(
                    connection,
                    f"SELECT inhrelid::regclass::text AS n FROM pg_inherits WHERE inhparent = '{table}'::regclass",
                )
            }
            assert {f"{table}_from_{PARTITION_ITEMS * n}" for n in (7, 8, 9)} <= names


def test_a_partition_that_retention_dropped_stays_away(fresh_database: Database) -> None:
    with fresh_database.transaction() as connection:
        fetch_all(connection, "SELECT setval('item_id', :n)", n=PARTITION_ITEMS * 2)
        make_partitions(connection)
        fetch_all(connection, "DROP TABLE double_from_0")
        assert make_partitions(connection) == 0


def test_a_batch_is_never_being_sent_twice_at_once(database: Database) -> None:
    with psycopg.connect(database.url.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        connection.execute("INSERT INTO lane (name) VALUES ('a')")
        connection.execute("INSERT INTO headers (workspace, betas, api_version) VALUES ('w', '', 'v')")
        connection.execute(
            "INSERT INTO batch (lane_id, headers_id, state, items, size) VALUES (1, 1, 'submitting', 1, 1)"
        )
        insert = "INSERT INTO submission (batch_id, token, state, send_by) VALUES (1, %s, %s, now())"
        connection.execute(insert, ("a", "unclear"))
        for state in ("claimed", "sending", "unclear"):
            with (
                pytest.raises(psycopg.errors.UniqueViolation, match="one_submission_under_way_per_batch"),
                connection.transaction(),
            ):
                connection.execute(insert, ("b", state))
