"""What the service asks of its ledger, with millions of items in it and with few: each within 2 times of the other.

    python -m tests.benchmarks.backlog [--waiting 5000000] [--finished 10000000] [--json FILE] [--plans FILE]

Two private databases are filled, which takes minutes and about a gigabyte a million items; then each thing that a tick,
a stage or a person asks is asked of both, several times, and what is compared is the least that they took of a
processor, ours and Postgres' own, and the pages that Postgres read for them, from memory or disk: both say something on
a busy machine, too. What isn't more than twice as much by one of them is within the bar. Pages of Flower that look for
what no index knows are bounded in time instead, and say how far they have looked.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from overnight_models.ledger.database import Database
from overnight_models.ledger.rows import execute, fetch_all, fetch_only_value
from overnight_workers.one_machine.embedded import EmbeddedPostgres
from tests.benchmarks.asking import Asked, questions
from tests.benchmarks.filling import Filled, fill
from tests.benchmarks.plans import explained
from tests.servers import copy_database, running_postgres

BAR: Final = 2.0
_ROUNDS: Final = 7
_NOISE_MS: Final = 1.0
"""What is over in less is within the bar: it is the road to Postgres and back."""
_NOISE_READ: Final = 1_000
"""So many pages of 8 KB are within the bar: what is listed has up to fifty rows of up to twenty pages."""
_SMALL: Final = Filled(waiting=100_000, finished=100_000)

out = Console()


def main(
    waiting: Annotated[int, typer.Option(help="Items that wait.")] = 5_000_000,
    finished: Annotated[int, typer.Option(help="Items that are finished.")] = 10_000_000,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures there.")] = None,
    plans: Annotated[Path | None, typer.Option(help="Write the plans of all that is asked there.")] = None,
) -> None:
    """Fill two ledgers, and ask both the same."""
    with running_postgres() as server:
        small, large = _filled(server, _SMALL), _filled(server, Filled(waiting, finished))
        sizes = _sizes(large)
        rows = list(_compare(small, large))
        if plans is not None:
            plans.write_text(explained(large, questions(large)))
    _show(rows, sizes)
    if json_file is not None:
        json_file.write_text(
            json.dumps({"waiting": waiting, "finished": finished, "asked": rows, "mb": sizes}, indent=2)
        )


def _filled(server: EmbeddedPostgres, filled: Filled) -> Database:
    began = time.monotonic()
    database = Database(copy_database(server.url))
    fill(database, filled)
    out.print(f"{filled.waiting:,} waiting and {filled.finished:,} finished, in {time.monotonic() - began:.0f} s")
    return database


class _Cost(NamedTuple):
    """What it took to answer once, at best."""

    ms: float
    """Of a processor: of this process and of its session in Postgres."""
    read: int
    """Pages of 8 KB, those for its plan too."""


def _compare(small: Database, large: Database) -> Iterator[dict[str, Any]]:
    for question, other in zip(questions(small), questions(large), strict=True):
        few, many = _least(small, question), _least(large, other)
        if other.most_ms is None:
            within = (many.ms <= max(BAR * few.ms, _NOISE_MS), many.read <= max(BAR * few.read, _NOISE_READ))
            holds = any(within)
        else:
            within = (many.ms <= other.most_ms, True)
            holds = all(within)
        yield {
            "name": question.name,
            "few_ms": round(few.ms, 2),
            "many_ms": round(many.ms, 2),
            "few_read": few.read,
            "many_read": many.read,
            "holds": holds,
            "over": ", ".join(word for word, is_within in zip(("time", "pages"), within, strict=True) if not is_within),
        }


def _least(database: Database, asked: Asked) -> _Cost:
    costs = [_once(database, asked) for _ in range(_ROUNDS)]
    return _Cost(min(cost.ms for cost in costs), min(cost.read for cost in costs))


def _once(database: Database, asked: Asked) -> _Cost:
    read = _read_so_far(database)
    began = _busy_ms(database)
    asked.ask()
    ms = _busy_ms(database) - began
    return _Cost(ms, _read_so_far(database) - read)


def _busy_ms(database: Database) -> float:
    """What this process and its session in Postgres have taken of a processor so far."""
    with database.transaction() as connection:
        session = fetch_only_value(connection, int, "SELECT pg_backend_pid()")
    nanoseconds, *_ = Path(f"/proc/{session}/schedstat").read_text().split()
    return int(nanoseconds) / 1e6 + time.process_time() * 1000


def _read_so_far(database: Database) -> int:
    """Pages that this session has read; it keeps one connection. Postgres counts at the end of a transaction."""
    with database.transaction() as connection:
        execute(connection, "SELECT pg_stat_force_next_flush()")
    with database.transaction() as connection:
        read = fetch_only_value(
            connection, int, "SELECT sum(hits + reads)::bigint FROM pg_stat_get_backend_io(pg_backend_pid())"
        )
        execute(connection, "SELECT pg_stat_force_next_flush()")
    return read


def _sizes(database: Database) -> Mapping[str, int]:
    """Megabytes of the big tables, and of each of their indexes."""
    with database.transaction() as connection:
        sizes = fetch_all(
            connection,
            r"""
            SELECT regexp_replace(relname, '_from_\d+', '') AS name, sum(pg_relation_size(oid)) / 1000000 AS mb
            FROM pg_class WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace
            GROUP BY 1 HAVING sum(pg_relation_size(oid)) > 1000000 ORDER BY 2 DESC
            """,
        )
    return {row["name"]: int(row["mb"]) for row in sizes}


def _show(rows: list[dict[str, Any]], sizes: Mapping[str, int]) -> None:
    table = Table(
        "", "few, ms of a processor", "many, ms", "times", "few, pages", "many, pages", "times", f"over {BAR:g}"
    )
    for row in rows:
        table.add_row(
            row["name"],
            f"{row['few_ms']:.2f}",
            f"{row['many_ms']:.2f}",
            f"{row['many_ms'] / max(row['few_ms'], 0.01):.1f}",
            f"{row['few_read']:,}",
            f"{row['many_read']:,}",
            f"{row['many_read'] / max(row['few_read'], 1):.1f}",
            row["over"],
        )
    out.print(table)
    out.print(", ".join(f"{name} {mb:,} MB" for name, mb in sizes.items()))


if __name__ == "__main__":
    typer.run(main)
