"""How many locks a claim takes of many partitions, and whether many sessions find room for theirs in Postgres.

    python -m tests.benchmarks.many_partitions [--partitions 400] [--sessions 60]

A statement locks each partition that it may read, with its indexes, until its transaction ends; whether it is planned
once a session (`Database.quick`) makes little difference. A partition has the rows of 5,000,000 items. To make 400 of
them takes a minute.
"""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager
from typing import Annotated, Final

import typer
from sqlalchemy import Connection

from overnight_models.ledger import partitions
from overnight_models.ledger.database import Database, DatabaseUnavailable
from overnight_models.ledger.deliver import deliver
from overnight_models.ledger.rows import execute, fetch_only_value
from tests.benchmarks.filling import Filled, fill
from tests.servers import copy_database, running_postgres

_ROUNDS: Final = 3
_HELD_S: Final = 0.3
"""How long a session keeps its locks: about as long as a deliverer hands over what it has claimed."""


def main(
    count: Annotated[int, typer.Option("--partitions", help="Partitions of each table.")] = 400,
    sessions: Annotated[int, typer.Option(help="Sessions that claim at once.")] = 60,
) -> None:
    """Count them, and let many claim at once."""
    with running_postgres() as server:
        database = Database(copy_database(server.url))
        fill(database, Filled(waiting=100_000, finished=40_000))
        for number in range(count):
            _make_partitions(database, number)
        with database.transaction() as connection:
            room = fetch_only_value(connection, str, "SELECT current_setting('max_locks_per_transaction')")
        typer.echo(f"{count} partitions, max_locks_per_transaction {room}")
        for name in ("transaction", "quick"):
            locks, ms = _one(database, name)
            done, refused = _many(database, name, sessions)
            typer.echo(
                f"{name}: a claim has {locks:,} locks and takes {ms:,.0f} ms;"
                f" {done} of {sessions} sessions at once went well, {refused} were refused"
            )


def _make_partitions(database: Database, number: int) -> None:
    """As the sweep makes them when the items' numbers come there."""
    with database.transaction() as connection:
        execute(connection, f"SELECT setval('item_id', {max(number * partitions.PARTITION_ITEMS, 140_000)})")
        partitions.make_partitions(connection)


def _one(database: Database, name: str) -> tuple[int, float]:
    """Locks of a claim, and its milliseconds, when its session has made it often enough for a plan that is kept."""
    locks, ms = 0, 0.0
    for _ in range(8):
        began = time.perf_counter()
        with _begun(database, name) as connection:
            _claim(connection)
            ms = (time.perf_counter() - began) * 1000
            mine = "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation'"
            locks = fetch_only_value(connection, int, mine)
    return locks, ms


def _begun(database: Database, name: str) -> AbstractContextManager[Connection]:
    return database.quick() if name == "quick" else database.transaction()


def _claim(connection: Connection) -> None:
    """As a deliverer does."""
    target = deliver.targets(connection)[0]
    due = deliver.claim(connection, target, limit=50, lease_s=60)
    deliver.taken(connection, [delivery.item_id for delivery in due])


def _many(database: Database, name: str, sessions: int) -> tuple[int, int]:
    """How many of so many sessions at once could claim each time, and how many were refused."""
    refused: list[str] = []
    together = threading.Barrier(sessions)

    def work() -> None:
        own = Database(database.url.render_as_string(hide_password=False))
        together.wait()
        try:
            for _ in range(_ROUNDS):
                with _begun(own, name) as connection:
                    _claim(connection)
                    time.sleep(_HELD_S)
        except DatabaseUnavailable as error:
            refused.append(str(error))
        finally:
            own.close()

    threads = [threading.Thread(target=work) for _ in range(sessions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in sorted(set(refused)):
        typer.echo(error)
    return sessions - len(refused), len(refused)


if __name__ == "__main__":
    typer.run(main)
