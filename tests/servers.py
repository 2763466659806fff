"""Real servers for tests: a PostgreSQL with databases to copy and to empty, and a Redis, as long as a block lasts."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from overnight_models.ledger.database import Database
from overnight_models.ledger.deployment import HOME, settle
from overnight_models.ledger.rows import fetch_all
from overnight_workers.one_machine.embedded import EmbeddedPostgres, EmbeddedRedis
from overnight_workers.one_machine.supervision.leash import leashed
from tests.kept_sessions import APPLICATION
from tests.migrated_cluster import TEMPLATE, copy_migrated_cluster, served

_MEMORY_BYTES: Final = 4_000_000_000
_EMPTY = f"""
DO $$
DECLARE one text;
BEGIN
    PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> '{APPLICATION}';
    SET LOCAL session_replication_role = replica;  -- no foreign keys, so in any order
    FOR one IN SELECT oid::regclass FROM pg_class
               WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
                 AND relname NOT IN ('overnight_version', 'deployment')
    LOOP
        EXECUTE format('DELETE FROM %s', one);
    END LOOP;
    UPDATE deployment SET moved_at = NULL, word_wanted = false, home = {HOME};
    PERFORM setval(oid::regclass, 1, false) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'S';
END $$
"""
_CRASH = re.compile(rb"was terminated by signal (?!9\b)")
_numbers = count(1)


@contextmanager
def running_postgres(memory: Path | None = None, *, durable: bool = False) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL with one migrated database to copy. memory: a directory in memory, where its files shall be."""
    # not below pytest's own directory: another pytest that starts makes that one private, and the server, which has
    # a user of its own when the tests are root's, would lose its files
    with tempfile.TemporaryDirectory(prefix="overnight-tests-", dir=memory, ignore_cleanup_errors=True) as name:
        server = EmbeddedPostgres(Path(name) / "postgres", durable=durable)
        copy_migrated_cluster(server.data_dir)
        try:
            with served(server, *(["-c", "max_wal_size=256MB"] if memory else [])):
                yield server
        finally:
            assert_never_crashed((server.data_dir / "log").read_bytes())


def memory() -> Path | None:
    """A directory in memory with room for the servers of a session; None: this machine has none."""
    place = Path("/dev/shm")
    is_there = place.is_dir() and os.access(place, os.W_OK) and shutil.disk_usage(place).free > _MEMORY_BYTES
    return place if is_there else None


def assert_never_crashed(log: bytes) -> None:
    """No process of that PostgreSQL ended by a fault of its own; who attacks them says SIGKILL."""
    crashes = [line for line in log.splitlines() if _CRASH.search(line)]
    assert not crashes, b"\n".join(crashes).decode()


def copy_database(postgres_url: str) -> str:
    """A migrated database of its own."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(TEMPLATE)))
    url = _named(postgres_url, name)
    copied = Database(url)
    with copied.transaction() as connection:
        # a copy knows that it is one, and would look before it sends: these are ledgers of their own
        fetch_all(connection, "DELETE FROM deployment")
        settle(connection)
    copied.close()
    return url


def empty_database(url: str) -> None:
    """As after the migration, and nobody else connected to it: a copy takes longer than most tests."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_EMPTY.encode())


def _named(url: str, database: str) -> str:
    return f"{url.rpartition('/')[0]}/{database}"


class running_redis:  # noqa: N801 - used as a function
    """A Redis for as long as the block lasts."""

    def __init__(self, data_dir: Path, *, durable: bool = False) -> None:
        self._server = EmbeddedRedis(data_dir, durable=durable)

    def __enter__(self) -> str:
        self._server.prepare()
        argv = leashed(self._server.argv(), signal.SIGTERM)
        self._process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        self._server.wait_ready()
        return self._server.url

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)
