"""Reports of runs: what came back over time, how long it was, and what is kept of it when its items are gone."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from overnight_models.ledger.bodies import examples
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_all, fetch_column, fetch_one, fetch_value
from overnight_models.ledger.run_items import of_whole_run

IS_UNSENT: Final = "callback IS NOT NULL"
"""A report whose callback's broker hasn't got it yet."""


class Drawn(NamedTuple):
    """A row that was drawn."""

    key: str
    """Of its item."""
    cells: str | None
    """JSON: the cells of its key."""


def draw(connection: Connection, run: str, *, rows: int) -> list[Drawn]:
    """Some rows of a run: by a hash of their keys, so the same ones each time."""
    return fetch_all(
        connection,
        Drawn,
        f"""
        SELECT request.key, request.trace_id AS cells FROM {of_whole_run("request")}
        ORDER BY md5(request.key) LIMIT :rows
        """,
        run=run,
        rows=rows,
    )


def note_before(connection: Connection, run_id: int, before: str) -> int:
    """Keep what rows had in the sink before a run published anything; what is kept already stays. Raises NoKey."""
    return execute(
        connection,
        "INSERT INTO catalog_report (run_id, before) VALUES (:run_id, :before) ON CONFLICT DO NOTHING",
        run_id=run_id,
        before=examples.sealed(connection, run_id, "before", before),
    )


def before(connection: Connection, run_id: int) -> str | None:
    """What `note_before` kept. Raises NoKey."""
    kept = fetch_value(connection, str, "SELECT before FROM catalog_report WHERE run_id = :run_id", run_id=run_id)
    return None if kept is None else examples.opened(connection, run_id, "before", kept)


def keep(connection: Connection, run_id: int, document: str, callback: str | None) -> int:
    """Keep the report of a run, in the transaction that ends it.

    callback: JSON, the task that gets it. Raises NoKey.
    """
    return execute(
        connection,
        """
        INSERT INTO catalog_report (run_id, before, document, callback) VALUES (:run_id, '[]', :document, :callback)
        ON CONFLICT (run_id) DO UPDATE SET document = excluded.document, callback = excluded.callback
        """,
        run_id=run_id,
        document=examples.sealed(connection, run_id, "document", document),
        callback=callback,
    )


def document(connection: Connection, run_id: int) -> str | None:
    """The kept report of a run. Raises NoKey."""
    kept = fetch_value(connection, str, "SELECT document FROM catalog_report WHERE run_id = :run_id", run_id=run_id)
    return None if kept is None else examples.opened(connection, run_id, "document", kept)


class UnsentReport(NamedTuple):
    """A report that is to be sent."""

    name: str
    """Of its run."""
    document: str
    callback: str


def unsent(connection: Connection) -> list[int]:
    """Runs whose reports their callbacks haven't got."""
    return fetch_column(connection, int, f"SELECT run_id FROM catalog_report WHERE {IS_UNSENT} ORDER BY run_id")


def lock_unsent(connection: Connection, run_id: int) -> UnsentReport | None:
    """A report that is to be sent, locked until the transaction ends. None when it was sent, or is being sent.

    Raises NoKey.
    """
    report = fetch_one(
        connection,
        UnsentReport,
        f"""
        SELECT catalog.name || '-' || catalog_run.number AS name, document, callback FROM catalog_report
        JOIN catalog_run ON catalog_run.id = run_id JOIN catalog ON catalog.id = catalog_run.catalog_id
        WHERE run_id = :run_id AND {IS_UNSENT} FOR UPDATE OF catalog_report SKIP LOCKED
        """,
        run_id=run_id,
    )
    if report is None:
        return None
    return report._replace(document=examples.opened(connection, run_id, "document", report.document))


def note_sent(connection: Connection, run_id: int) -> None:
    """The callback's broker has it."""
    execute(connection, "UPDATE catalog_report SET callback = NULL WHERE run_id = :run_id", run_id=run_id)


class Moment(NamedTuple):
    """How many answers had come by then."""

    at: datetime
    rows: int
    """In this part of the time."""
    ok: int


def progress(connection: Connection, run: str, *, parts: int) -> list[Moment]:
    """When a run's answers came, in so many parts of the time from the first to the last; empty parts aren't there."""
    return fetch_all(
        connection,
        Moment,
        f"""
        WITH came AS (
            SELECT extract(epoch FROM finished_at) AS second, ok FROM {of_whole_run("outcome")}
        ),
        bounds AS (SELECT min(second) AS first, greatest(max(second) - min(second), 0.001) AS length FROM came)
        SELECT to_timestamp(max(second)) AS at, count(*) AS rows, count(*) FILTER (WHERE ok) AS ok
        FROM came, bounds GROUP BY least(trunc((second - first) / length * :parts), :parts - 1) ORDER BY 1
        """,
        run=run,
        parts=parts,
    )


class Length(NamedTuple):
    """How many answers are about so long."""

    part: int
    """From 0."""
    shortest: int
    longest: int
    rows: int


def lengths(connection: Connection, run: str, *, parts: int) -> list[Length]:
    """How long a run's answers are, in tokens: in so many equal parts from the shortest to the longest."""
    return fetch_all(
        connection,
        Length,
        f"""
        WITH came AS (
            SELECT output_tokens AS tokens FROM {of_whole_run("outcome")} WHERE output_tokens > 0
        ),
        bounds AS (SELECT min(tokens) AS first, max(tokens) - min(tokens) + 1 AS length FROM came)
        SELECT (tokens - first) * :parts / length AS part, min(tokens) AS shortest, max(tokens) AS longest,
               count(*) AS rows
        FROM came, bounds GROUP BY 1 ORDER BY 1
        """,
        run=run,
        parts=parts,
    )


class Tokens(NamedTuple):
    """Middle and long answers of a run, in tokens; None without answers."""

    input_median: float | None
    output_median: float | None
    output_95: float | None


def tokens(connection: Connection, run: str) -> Tokens:
    """How long a run's prompts and answers are."""
    lengths_ = fetch_one(
        connection,
        Tokens,
        f"""
        SELECT percentile_cont(0.5) WITHIN GROUP (
                   ORDER BY input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens
               ) AS input_median,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY output_tokens) AS output_median,
               percentile_cont(0.95) WITHIN GROUP (ORDER BY output_tokens) AS output_95
        FROM {of_whole_run("whole_outcome")} WHERE output_tokens > 0
        """,
        run=run,
    )
    return lengths_ or Tokens(None, None, None)
