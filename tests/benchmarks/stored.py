"""What a Postgres has on its disk, and has written to its log."""

from __future__ import annotations

from typing import NamedTuple

import psycopg

from tests.benchmarks.service import Service


class Stored(NamedTuple):
    """What a Postgres has on its disk and has ever written to its log, in bytes."""

    on_disk: dict[str, int]
    """By table, without its partitions' names: rows, TOAST and indexes."""
    log: int


def stored(service: Service) -> Stored:
    """As it is now, after a checkpoint."""
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        rows = connection.execute(
            """
            SELECT regexp_replace(relname, '_from.*$', ''), sum(pg_total_relation_size(oid))::bigint
            FROM pg_class WHERE relkind IN ('r', 'm') AND relnamespace::regnamespace::text !~ '^pg_|^information'
            GROUP BY 1
            """
        ).fetchall()
        log = connection.execute("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint").fetchone()
    assert log is not None
    return Stored({str(name): int(size) for name, size in rows}, int(log[0]))


def grown_by(before: Stored, after: Stored) -> dict[str, int]:
    """By how many bytes each table has grown."""
    return {name: size - before.on_disk.get(name, 0) for name, size in after.on_disk.items()}
