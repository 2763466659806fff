"""Real servers for every test: one PostgreSQL, one Redis and one sandbox a session; a database of its own a test."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
import redis
from hypothesis import settings as hypothesis_settings
from psycopg import sql

from overnight_models.ledger.database import Database, run
from overnight_models.ledger.deployment import HOME, settle
from overnight_models.ledger.schema import migrate
from overnight_workers.embedded import EmbeddedPostgres, EmbeddedRedis
from overnight_workers.embedded.account import account_for_postgres
from overnight_workers.sandbox.process import Running, running
from overnight_workers.supervision.leash import leashed

# The Celery app asks where its servers are when it is imported, which is when tests are collected.
_NOWHERE = {
    "OVERNIGHT_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere",
    "OVERNIGHT_REDIS_URL": "redis://127.0.0.1:1/0",
}
_put = [name for name in _NOWHERE if name not in os.environ]
os.environ.update({name: _NOWHERE[name] for name in _put})

from tests.driving import Service  # noqa: E402 - needs them

hypothesis_settings.register_profile("busy", deadline=None)
hypothesis_settings.load_profile("busy")

_TEMPLATE = "migrated"
_EMPTY = f"""
DO $$
DECLARE one text;
BEGIN
    PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
    SET LOCAL session_replication_role = replica;  -- no foreign keys, so in any order
    FOR one IN SELECT oid::regclass FROM pg_class
               WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
                 AND relname NOT IN ('alembic_version', 'deployment')
    LOOP
        EXECUTE format('DELETE FROM %s', one);
    END LOOP;
    UPDATE deployment SET moved_at = NULL, word_wanted = false, home = {HOME};
    PERFORM setval(oid::regclass, 1, false) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'S';
END $$
"""
_numbers = count(1)


def pytest_collection_finish() -> None:
    """Tests of others don't inherit what only the imports needed."""
    for name in _put:
        os.environ.pop(name, None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL with one migrated database to copy."""
    # not below pytest's own directory: another pytest that starts makes that one private, and the server, which has
    # a user of its own when the tests are root's, would lose its files
    place = Path(tempfile.mkdtemp(prefix="overnight-tests-"))
    server = EmbeddedPostgres(place / "postgres", durable=False)
    server.prepare()
    account = account_for_postgres(server.data_dir / "cluster")
    argv = leashed(server.argv(), signal.SIGINT, account)
    with (
        (server.data_dir / "log").open("wb") as log,
        subprocess.Popen(argv, stdout=log, stderr=log, cwd=server.data_dir.root) as process,
    ):
        server.wait_ready()
        with psycopg.connect(server.url, autocommit=True) as admin:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_TEMPLATE)))
        database = Database(_named(server.url, _TEMPLATE))
        migrate(database)
        database.close()
        yield server.url
        process.send_signal(signal.SIGINT)
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis."""
    with running_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


class running_redis:  # noqa: N801 - used as a function
    """A Redis for as long as the block lasts."""

    def __init__(self, data_dir: Path) -> None:
        self._server = EmbeddedRedis(data_dir, durable=False)

    def __enter__(self) -> str:
        self._server.prepare()
        argv = leashed(self._server.argv(), signal.SIGTERM)
        self._process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        self._server.wait_ready()
        return self._server.url

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The API: batches end as soon as they are created, and tokens are counted as fast as anybody asks."""
    with running(tmp_path_factory.mktemp("sandbox"), "--instant", "--counts-per-minute", "1000000") as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def emptied_url(postgres: str) -> str:
    """A migrated database that is emptied before each test: copying the template takes longer than most tests."""
    return _copy(postgres)


@pytest.fixture
def database_url(emptied_url: str) -> str:
    """A migrated database with nothing in it, and nobody else connected to it."""
    with psycopg.connect(emptied_url, autocommit=True) as connection:
        connection.execute(_EMPTY.encode())
    return emptied_url


@pytest.fixture
def fresh_database(postgres: str) -> Iterator[Database]:
    """A ledger whose schema a test may change."""
    database = Database(_copy(postgres))
    yield database
    database.close()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A ledger without a service around it."""
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """An empty Redis."""
    with redis.Redis.from_url(redis_server) as client:
        client.flushall()
    return redis_server


def _copy(postgres: str) -> str:
    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(_TEMPLATE)))
    url = _named(postgres, name)
    copied = Database(url)
    with copied.transaction() as connection:
        # a copy knows that it is one, and would look before it sends: these are ledgers of their own
        run(connection, "DELETE FROM deployment")
        settle(connection)
    copied.close()
    return url


def _named(url: str, database: str) -> str:
    return f"{url.rpartition('/')[0]}/{database}"


@pytest.fixture
def service(
    tmp_path: Path, database_url: str, redis_url: str, sandbox: Running, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    """The whole service, to be driven stage by stage."""
    service = Service(tmp_path, database_url, redis_url, sandbox, monkeypatch)
    yield service
    service.close()


@pytest.fixture
def unhurried(tmp_path: Path, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A service whose batches run for hours."""
    with running(tmp_path / "sandbox", "--turnaround", "9h") as sandbox:
        service = Service(tmp_path, database_url, redis_url, sandbox, monkeypatch)
        yield service
        service.close()
