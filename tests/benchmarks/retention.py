"""Retention on an accelerated clock: nights of items, and how large the database is after each.

    python -m tests.benchmarks.retention [--nights 60] [--items 5000] [--json FILE]

The ledger is filled by Postgres itself, night by night, with the rows that the service leaves; item numbers go on by
half a million a night, as with half a million items, so partitions fill and go at their true pace. The same functions
that the sweep calls drop what is old. Nothing sleeps: each night's time is told to them.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final, LiteralString

import psycopg
import typer
from psycopg import sql
from rich.console import Console
from rich.table import Table

from overnight_models.ledger.database import Database
from overnight_models.ledger.money.costs import fold_days
from overnight_models.ledger.partitions import make_partitions, note_full
from overnight_models.ledger.rescue import fold_tally, forget_messages
from overnight_models.ledger.retention import money, steps
from overnight_models.ledger.retention.keep import Keep
from tests.servers import copy_database, running_postgres

A_NIGHT: Final = 500_000
"""Item numbers a night: what a partition's age goes by."""
DAY: Final = 86_400.0
KEEP: Final = Keep(deliveries=7 * DAY, bodies=14 * DAY, outcomes=30 * DAY, keys=45 * DAY, money=93 * DAY)
BODY: Final = 1_000
"""Bytes of a request, and of an answer."""
BAR: Final = 1.15
"""The last nights beside those a month before: no larger than that."""
STATE: Final = ("item", "delivery", "item_key")

out = Console()

_NIGHT: Final[LiteralString] = """
INSERT INTO run (name) VALUES ({run});
INSERT INTO batch (lane_id, headers_id, state, items, size, packed_at, changed_at)
VALUES (1, 1, 'collected', {items}, {items} * {body}, {at}, {at});
INSERT INTO submission (batch_id, token, state, items, claimed_at, let_go_at, api_id, api_created_at, ended_at)
SELECT id, 'token ' || id, 'done', items, {at}, {at}, 'msgbatch_' || id, {at}, {at} FROM batch ORDER BY id DESC LIMIT 1;
INSERT INTO item (id, lane_id, headers_id, run_id, model_id, target_id, batch_id, size, max_tokens, state, attempts)
SELECT n, 1, 1, (SELECT max(id) FROM run), 1, 1, (SELECT max(id) FROM batch), {body}, 1000,
       CASE WHEN n % 100 = 0 THEN 'failed' ELSE 'succeeded' END, 1
FROM generate_series({first}, {first} + {items} - 1) n;
INSERT INTO request (item_id, receipt, key, params, enqueued_at)
SELECT n, gen_random_uuid(), 'item ' || n, '"' || random_text.made || '"', {at}
FROM generate_series({first}, {first} + {items} - 1) n, LATERAL (
    SELECT string_agg(md5(random()::text || part || n), '') AS made FROM generate_series(1, {body} / 32) part
) random_text;
INSERT INTO item_key (lane_id, key_hash, item_id, content_hash)
SELECT 1, decode(md5('item ' || n), 'hex'), n, '\\x00000000000000000000000000000000'
FROM generate_series({first}, {first} + {items} - 1) n;
INSERT INTO outcome (item_id, submission_id, finished_at, cost_nano, realtime_nano, input_tokens, output_tokens,
                     attempts, ok, retryable, billed, via, problem, model, api_batch_id, message)
SELECT n, (SELECT max(id) FROM submission), {at}, 500000, 1000000, 250, 100, 1, n % 100 <> 0, false, true, 'batch',
       CASE WHEN n % 100 = 0 THEN 'refused' END, 'claude-haiku-5-5', 'msgbatch_1', '"' || random_text.made || '"'
FROM generate_series({first}, {first} + {items} - 1) n, LATERAL (
    SELECT string_agg(md5(random()::text || part || n), '') AS made FROM generate_series(1, {body} / 32) part
) random_text;
INSERT INTO delivery (item_id, lane_id, target_id, state, due_at, tries)
SELECT n, 1, 1, 'delivered', {at}, 1 FROM generate_series({first}, {first} + {items} - 1) n;
INSERT INTO spending (submission_id, lane_id, run_id, model, answers, paid_twice, cost_nano, realtime_nano, at)
SELECT (SELECT max(id) FROM submission), 1, (SELECT max(id) FROM run), 'claude-haiku-5-5', 2500, 0, 1, 2, {at}
FROM generate_series(1, {items} / 2500) n
"""

_NAMES: Final = """
    INSERT INTO lane (name) VALUES ('copy'); INSERT INTO model (name) VALUES ('claude-haiku-5-5');
    INSERT INTO headers (workspace, betas, api_version) VALUES ('default', '', '2026-10-21');
    INSERT INTO target (broker, queue) VALUES ('', 'shop')
"""


def main(
    nights: Annotated[int, typer.Option(help="Nights.")] = 60,
    items: Annotated[int, typer.Option(help="Items a night.")] = 5_000,
    keep_all: Annotated[bool, typer.Option("--keep-all", help="Drop nothing, for comparison.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures there.")] = None,
) -> None:
    """Fill a ledger night by night, drop what is old, and show its size."""
    with running_postgres() as server:
        database = Database(copy_database(server.url))
        rows = _simulate(database, nights, items, keep_all)
        sizes = _sizes(database)
        database.close()
    _show(rows, sizes, items)
    if json_file is not None:
        json_file.write_text(json.dumps({"items": items, "nights": rows, "bytes": sizes}, indent=2))
    flat = rows[-1]["mb"] / rows[-min(nights // 2, 20) - 1]["mb"]
    if not keep_all and nights >= 60 and flat > BAR:
        out.print(f"[red]not flat: {flat:.2f} times its size of twenty nights before")
        raise typer.Exit(1)


def _simulate(database: Database, nights: int, items: int, keep_all: bool) -> list[dict[str, float]]:
    began = datetime.now(UTC)
    rows = []
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        for name in _NAMES.split(";"):
            connection.execute(name.encode())
        empty, _, _ = _figures(connection)
        for night in range(nights):
            at = began + timedelta(days=night)
            _fill(connection, database, night, items, at)
            took_s = 0.0 if keep_all else _retain(database, at + timedelta(hours=12))
            connection.execute("VACUUM item_key, tally")
            size, there, bodies = _figures(connection)
            rows.append(
                {
                    "night": night + 1,
                    "mb": (size - empty) / 1e6,
                    "items": there,
                    "bodies": bodies,
                    "retention_s": round(took_s, 2),
                }
            )
    return rows


def _figures(connection: psycopg.Connection) -> tuple[int, int, int]:
    """Bytes of the database; items that are there, and those with their bodies."""
    row = connection.execute(
        "SELECT pg_database_size(current_database()), count(*), count(*) FILTER (WHERE params <> 'null') FROM request"
    ).fetchone()
    assert row is not None
    return row[0], row[1], row[2]


def _fill(connection: psycopg.Connection, database: Database, night: int, items: int, at: datetime) -> None:
    first = night * A_NIGHT + 1
    connection.execute("SELECT setval('item_id', %s)", [first + A_NIGHT - 1])
    with database.transaction() as making:
        make_partitions(making)
        note_full(making)
    values = {"run": f"night {night}", "items": items, "body": BODY, "first": first, "at": at}
    literals = {name: sql.Literal(value) for name, value in values.items()}
    for statement in _NIGHT.split(";\n"):
        connection.execute(sql.SQL(statement).format(**literals))
    with database.transaction() as folding:
        fold_tally(folding)
        for minute in range(60):
            fold_days(folding, minute)
        forget_messages(folding)


def _retain(database: Database, now: datetime) -> float:
    """Do all that the sweeps of a day would do; how long it took."""
    began = time.monotonic()
    while True:
        with database.transaction() as connection:
            if steps.step(connection, {1: KEEP}, now=now) is None:
                break
    with database.transaction() as connection:
        money.forget_money(connection, {1: KEEP}, now=now)
    return time.monotonic() - began


def _sizes(database: Database) -> dict[str, int]:
    """Bytes of each kind of row, with its indexes: of those that are there."""
    sizes = {}
    with database.transaction() as connection:
        for table in ("item", "request", "outcome", "delivery", "item_key"):
            row = connection.exec_driver_sql(
                f"""SELECT (SELECT coalesce(sum(pg_total_relation_size(inhrelid)), pg_total_relation_size('{table}'))
                    FROM pg_inherits WHERE inhparent = '{table}'::regclass), (SELECT count(*) FROM {table})"""
            ).one()
            sizes[table] = int(row[0] / max(row[1], 1))
    return sizes


def _show(rows: list[dict[str, float]], sizes: dict[str, int], items: int) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("night", "MB", "items", "bodies", "retention s"):
        table.add_column(title, justify="right")
    for row in rows:
        if row["night"] % 5 == 0 or row["night"] == 1:
            numbers = (f"{row[name]:,.0f}" for name in ("night", "mb", "items", "bodies"))
            table.add_row(*numbers, f"{row['retention_s']:.1f}")
    out.print(table)
    for name, size in sizes.items():
        out.print(f"{name}: {size:,} bytes a row that is there, indexes included")
    factor = A_NIGHT / items
    largest = max(row["mb"] for row in rows) * factor / 1000
    out.print(
        f"extrapolated, not measured: with {A_NIGHT:,} items a night (x {factor:,.0f}) at most {largest:,.0f} GB"
        f" of bodies of {BODY:,} bytes that don't compress"
    )


if __name__ == "__main__":
    typer.run(main)
