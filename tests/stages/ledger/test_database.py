"""Databases as companies have them: shared, restricted, replaced, encoded in something else."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from overnight_models.ledger.database import Database, DatabaseUnavailable
from overnight_models.ledger.operators.troubles import why_read_only
from overnight_models.ledger.rows import execute, fetch_all, fetch_one, fetch_only_value
from overnight_models.ledger.schema import NoSchema, WrongEncoding, migrate, revisions
from overnight_workers.celery_worker import waiting
from overnight_workers.operators import thorough
from overnight_workers.settings import settings
from tests.driving import Service
from tests.waiting import wait_until


def create_database(postgres: str, options: str = "") -> str:
    """A database with nothing in it; its URL."""
    name = f"other_{uuid4().hex[:8]}"
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} " + options).format(sql.Identifier(name)))
    return str(make_url(postgres).set(database=name).render_as_string(hide_password=False))


@pytest.fixture
def other(postgres: str) -> Iterator[Database]:
    database = Database(create_database(postgres))
    yield database
    database.close()


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_is_not_utf8_is_refused_before_anything_is_made(
    postgres: str, service: Service, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = create_database(
        postgres, f"ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' LOCALE_PROVIDER libc TEMPLATE template0"
    )
    database = Database(url)
    with pytest.raises(WrongEncoding, match=rf"is encoded in {encoding}.*ENCODING 'UTF8' TEMPLATE template0"):
        migrate(database)
    with database.transaction() as connection:
        assert dict(fetch_one(connection, "SELECT to_regclass('item') AS there") or {}) == {"there": None}
    database.close()
    monkeypatch.setenv("OVERNIGHT_DATABASE_URL", url)
    service.restart()
    for refuse in (waiting.wait_for_schema, waiting.refuse_database):
        with pytest.raises(SystemExit):
            refuse()
    (finding,) = thorough.ledger(settings(), None)
    assert (finding.check, finding.state) == ("database", "fault")
    assert f"encoded in {encoding}" in finding.found


def test_the_options_of_the_url_go_over_ours(postgres: str) -> None:
    url = create_database(postgres)
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("CREATE SCHEMA app")
    database = Database(f"{url}?options=-csearch_path%3Dapp%20-cstatement_timeout%3D7000")
    migrate(database)
    with database.transaction() as connection:
        schemas = fetch_all(connection, "SELECT DISTINCT schemaname AS name FROM pg_tables WHERE tablename ~ '^item'")
        assert [row["name"] for row in schemas] == ["app"]
        assert dict(fetch_one(connection, "SHOW statement_timeout") or {}) == {"statement_timeout": "7s"}
        assert dict(fetch_one(connection, "SHOW jit") or {}) == {"jit": "off"}
        assert None not in revisions(connection)
    assert database.owner() > 0
    database.close()


def test_a_schema_that_is_not_there_is_named(postgres: str) -> None:
    database = Database(f"{create_database(postgres)}?options=-csearch_path%3Dapp")
    with pytest.raises(NoSchema, match="no schema of the search_path 'app' is in this database: make it"):
        migrate(database)
    database.close()


@pytest.mark.parametrize("version", ["a1b2c3d4e5f6", "0002"])
def test_the_version_of_somebody_else_is_left_alone(other: Database, version: str) -> None:
    with other.transaction() as connection:
        execute(connection, "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
        execute(connection, "INSERT INTO alembic_version VALUES (:version)", version=version)
        current, newest = revisions(connection)
    assert current is None
    migrate(other)
    with other.transaction() as connection:
        assert revisions(connection) == (newest, newest)
        assert dict(fetch_one(connection, "SELECT version_num FROM alembic_version") or {}) == {"version_num": version}


def test_a_ledger_of_the_version_before_keeps_its_revision(other: Database) -> None:
    migrate(other)
    with other.transaction() as connection:
        execute(connection, "ALTER TABLE overnight_version RENAME TO alembic_version")
        current, newest = revisions(connection)
    assert current == newest
    migrate(other)
    with other.transaction() as connection:
        assert dict(fetch_one(connection, "SELECT version_num FROM overnight_version") or {}) == {"version_num": newest}


def test_a_password_with_a_space_is_sent_as_it_is_and_never_shown(postgres: str) -> None:
    name = f"spaced_{uuid4().hex[:8]}"
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'two words%'").format(sql.Identifier(name)))
    url = make_url(postgres).set(username=name, password="two words%").render_as_string(hide_password=False)
    database = Database(url)
    assert database.owner() > 0
    database.close()
    with pytest.raises(DatabaseUnavailable) as failure:
        Database(make_url(url).set(port=1).render_as_string(hide_password=False)).owner()
    assert "two" not in str(failure.value)


def test_a_primary_that_became_read_only_is_away_and_what_takes_its_place_is_used(fresh_database: Database) -> None:
    number = fresh_database.owner()
    with fresh_database.snapshot() as connection:
        execute(connection, "SELECT")  # what only reads leaves no READ WRITE behind in its session
    name = fresh_database.url.database
    with psycopg.connect(
        fresh_database.url.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True
    ) as admin:
        admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
        with fresh_database.transaction() as connection:
            execute(connection, "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        with (
            pytest.raises(DatabaseUnavailable, match="another server may be the primary"),
            fresh_database.transaction() as connection,
        ):
            execute(connection, "INSERT INTO lane (name) VALUES ('a')")
        admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = off".encode())
    with fresh_database.transaction() as connection:
        assert execute(connection, "INSERT INTO lane (name) VALUES ('a')") == 1
    assert fresh_database.owner() != number


def test_a_server_that_takes_no_writes_says_so_and_a_role_that_may_only_read_is_no_fault(
    fresh_database: Database,
) -> None:
    def said(options: str = "") -> str | None:
        database = Database(fresh_database.url.set(drivername="postgresql").render_as_string(hide_password=False))
        with database.transaction() as connection:
            execute(connection, options or "SELECT")
            why = why_read_only(connection)
        database.close()
        return why

    assert said() is None
    assert said("SET default_transaction_read_only = on") is None, "that is this session's own"
    with fresh_database.transaction() as connection:
        execute(connection, f"ALTER DATABASE {fresh_database.url.database} SET default_transaction_read_only = on")
    assert said() == "default_transaction_read_only is on, as on a primary that was replaced"


def _cut(postgres: str, database: Database) -> None:
    """As a router or a restarted server does it: nobody is told."""
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", (database.url.database,)
        )


def test_a_connection_that_was_cut_while_it_lay_idle_is_replaced_unseen(
    fresh_database: Database, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fresh_database.transaction():
        pass
    _cut(postgres, fresh_database)
    monkeypatch.setattr("overnight_models.ledger.database._GOOD_FOR_S", 0.0)  # as if it had lain for a second
    with fresh_database.transaction() as connection:
        assert execute(connection, "SELECT 1") == 1


def test_one_that_is_cut_between_two_transactions_fails_once_and_is_replaced(
    fresh_database: Database, postgres: str
) -> None:
    with fresh_database.transaction():
        pass
    _cut(postgres, fresh_database)
    with pytest.raises(DatabaseUnavailable), fresh_database.transaction() as connection:
        execute(connection, "SELECT 1")
    with fresh_database.transaction() as connection:
        assert execute(connection, "SELECT 1") == 1


@pytest.mark.parametrize("limit", ["idle_in_transaction_session_timeout", "transaction_timeout"])
def test_a_session_that_the_server_ended_since_its_process_stood_still_is_away_and_is_replaced(
    fresh_database: Database, postgres: str, limit: str
) -> None:
    def stand_still() -> None:
        with fresh_database.transaction() as connection, psycopg.connect(postgres, autocommit=True) as admin:
            pid = fetch_only_value(connection, int, "SELECT pg_backend_pid()")
            execute(connection, f"SET LOCAL {limit} = '20ms'")
            wait_until(lambda: not admin.execute("SELECT FROM pg_stat_activity WHERE pid = %s", (pid,)).rowcount)
            execute(connection, "SELECT 1")

    with pytest.raises(DatabaseUnavailable):
        stand_still()
    with fresh_database.transaction() as connection:
        assert execute(connection, "SELECT 1") == 1


def test_integers_by_the_thousand_arrive_as_they_are(fresh_database: Database) -> None:
    numbers = [-1, 0, 1, 2**31, 2**63 - 1]
    with fresh_database.transaction() as connection:
        rows = fetch_all(connection, "SELECT unnest(CAST(:numbers AS bigint[])) AS number", numbers=numbers)
        holes = fetch_all(connection, "SELECT unnest(CAST(:numbers AS bigint[])) AS number", numbers=[1, None])
        truths = fetch_all(connection, "SELECT unnest(CAST(:truths AS boolean[])) AS truth", truths=[True, False])
    assert [row["number"] for row in rows] == numbers
    assert [row["number"] for row in holes] == [1, None]
    assert [row["truth"] for row in truths] == [True, False]


def test_an_owner_whose_lock_is_gone_gets_another_number(fresh_database: Database, postgres: str) -> None:
    number = fresh_database.owner()
    assert fresh_database.owner() == number
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name = 'overnight-owner' AND datname = %s",
            (fresh_database.url.database,),
        )
    assert fresh_database.owner() != number


def test_a_presence_that_leads_elsewhere_is_refused(postgres: str, fresh_database: Database) -> None:
    url = fresh_database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    database = Database(url, presence_url=postgres)
    with pytest.raises(DatabaseUnavailable, match="OVERNIGHT_PRESENCE_URL"):
        database.owner()
    database.close()
