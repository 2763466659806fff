"""PgBouncer between the workers and Postgres: transaction mode with a presence URL, session mode without."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url
from typer.testing import CliRunner

from overnight_models.ledger.database import Database
from overnight_models.ledger.presence import SharedSession
from overnight_models.ledger.rows import fetch_only_value
from overnight_models.ledger.schema import migrate, revisions
from overnight_workers.cli import app
from overnight_workers.sandbox.process import Running
from overnight_workers.stages.deliver.deliver import deliver
from tests.driving import Service, callback, item
from tests.faults.installed import Installed
from tests.faults.pooler import PROGRAM, running_pooler
from tests.forking import run_program
from tests.servers import copy_database

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs PgBouncer (Debian: apt-get install pgbouncer)")

MODES = ["transaction", "session"]


@pytest.fixture(scope="module", params=MODES)
def any_mode(postgres: str, request: pytest.FixtureRequest) -> Iterator[str]:
    with running_pooler(postgres, request.param) as url:
        yield url


@pytest.fixture(scope="module")
def transaction_mode(postgres: str) -> Iterator[str]:
    with running_pooler(postgres, "transaction") as url:
        yield url


@pytest.fixture(scope="module")
def session_mode(postgres: str) -> Iterator[str]:
    with running_pooler(postgres, "session") as url:
        yield url


@pytest.fixture
def new_database(postgres: str) -> str:
    """The name of a database without anything in it."""
    name = f"pooled_{uuid4().hex[:8]}"
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return name


def at(url: str, database: str, **query: str) -> str:
    """A database behind a server's URL."""
    return make_url(url).set(database=database, query=query).render_as_string(hide_password=False)


def test_settings_hold_in_each_transaction_and_in_each_snapshot(any_mode: str) -> None:
    database = Database(any_mode, statement_timeout_s=7)
    asked = "SELECT current_setting('statement_timeout') || ' ' || current_setting('jit')"
    for _ in range(3):
        with database.transaction() as connection, database.snapshot() as other:
            assert fetch_only_value(connection, str, asked) == fetch_only_value(other, str, asked) == "7s off"
    assert database.is_pooled
    database.close()


def test_a_pooler_that_drops_startup_settings_without_a_word_is_seen(postgres: str) -> None:
    with running_pooler(postgres, "transaction", ignore_startup_parameters="options") as url:
        database = Database(url, statement_timeout_s=7)
        with database.transaction() as connection:
            assert fetch_only_value(connection, str, "SELECT current_setting('statement_timeout')") == "7s"
        database.close()


def test_no_statement_is_prepared_for_another_session(transaction_mode: str) -> None:
    databases = [Database(transaction_mode) for _ in range(3)]
    for _ in range(10):
        for database in databases:
            with database.transaction() as connection:
                assert fetch_only_value(connection, int, "SELECT CAST(:n AS integer)", n=1) == 1
    for database in databases:
        database.close()


def test_a_schema_named_in_the_url_is_migrated_through_it(any_mode: str, postgres: str, new_database: str) -> None:
    with psycopg.connect(at(postgres, new_database), autocommit=True) as admin:
        admin.execute("CREATE SCHEMA app")
    database = Database(at(any_mode, new_database, options="-csearch_path=app,public"))
    migrate(database)
    with database.transaction() as connection:
        current, newest = revisions(connection)
    database.close()
    assert current == newest
    with psycopg.connect(at(postgres, new_database)) as admin:
        schemas = admin.execute("SELECT schemaname FROM pg_tables WHERE tablename = 'item'").fetchall()
    assert schemas == [("app",)]


def test_in_session_mode_work_is_done_without_a_presence_url(
    session_mode: str,
    tmp_path: Path,
    database_url: str,
    redis_url: str,
    sandbox: Running,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = at(session_mode, make_url(database_url).database or "")
    service = Service(tmp_path, url, redis_url, sandbox, monkeypatch)
    service.accept(item("a", callback=callback()), item("b", callback=callback()))
    service.round()
    deliver()
    try:
        assert service.ledger.states("item") == ["succeeded", "succeeded"]
        assert len(service.queue()) == 2
        assert "presence: processes can show that they live" in CliRunner().invoke(app, ["doctor"]).output
    finally:
        service.close()


def test_in_transaction_mode_nothing_holds_a_lock_without_a_presence_url(transaction_mode: str) -> None:
    for _ in range(5):
        database = Database(transaction_mode)
        with pytest.raises(SharedSession, match="OVERNIGHT_PRESENCE_URL"):
            database.owner()
        database.close()


def test_a_presence_url_through_the_pooler_too_is_refused(transaction_mode: str) -> None:
    database = Database(transaction_mode, presence_url=transaction_mode)
    with pytest.raises(SharedSession, match="OVERNIGHT_PRESENCE_URL"):
        database.owner()
    database.close()


WORKER = ["celery", "-A", "overnight_workers.app", "worker", "-Q", "overnight.deliver", "-c", "1"]
UP = ["overnight", "up", "--data-dir", "data"]


@pytest.mark.parametrize("command", [WORKER, UP], ids=["worker", "up"])
def test_what_is_started_behind_transaction_mode_alone_says_what_to_set(
    command: list[str], transaction_mode: str, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OVERNIGHT_")}
    variables = {
        "OVERNIGHT_DATABASE_URL": at(transaction_mode, make_url(database_url).database or ""),
        "OVERNIGHT_REDIS_URL": redis_url,
    }
    done = run_program(command, environment=clean | variables, directory=tmp_path, timeout_s=60)
    words = " ".join(f"{done.stdout} {done.stderr}".split())
    assert done.returncode == 1, words
    assert "a pooler in transaction mode" in words
    assert "set OVERNIGHT_PRESENCE_URL to Postgres itself" in words
    assert "Traceback" not in words


@pytest.mark.whole
def test_in_transaction_mode_an_installation_works_with_a_presence_url(
    transaction_mode: str, postgres: str, tmp_path: Path
) -> None:
    migrated = make_url(copy_database(postgres)).database or ""
    variables = {
        "OVERNIGHT_DATABASE_URL": at(transaction_mode, migrated),
        "OVERNIGHT_PRESENCE_URL": at(postgres, migrated),
    }
    overnight = Installed(tmp_path, environment=variables)
    try:
        overnight.start()
        order = overnight.order(250)
        overnight.finish(order)
        overnight.assert_books_are_right(order)
        assert "the schema is up to date" in overnight.command("migrate")
        said = overnight.command("doctor")
        assert "through a pooler" in said
        assert "FAULT" not in said
        overnight.kill("submit", "results")
        order = overnight.order(250)
        overnight.finish(order)
        overnight.assert_books_are_right(order)
    finally:
        overnight.close()
