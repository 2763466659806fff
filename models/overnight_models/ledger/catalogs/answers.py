"""What came back for the rows of a run: page by page, without the answers themselves unless they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from overnight_models.ledger.bodies import answers as bodies
from overnight_models.ledger.bodies import examples
from overnight_models.ledger.bodies.requests import read_requests
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_all, fetch_column, fetch_only_value
from overnight_models.ledger.run_items import NAMED, ORDER, items_of
from overnight_models.states import ITEM

_UNFINISHED: Final = ", ".join(f"'{state}'" for state in ITEM.unfinished)


class Verdict(NamedTuple):
    """What came of one row, without its answer."""

    id: int
    key: str
    ok: bool | None
    """None while it has no outcome."""
    problem: str | None


def verdicts(connection: Connection, run: str, *, after: int = 0, limit: int = 20_000) -> list[Verdict]:
    """The next items of a run, in the order of their ids. after: the last id of the page before."""
    return fetch_all(
        connection,
        Verdict,
        f"""
        SELECT item.id, request.key, outcome.ok, outcome.problem
        FROM {items_of(first=":after")} JOIN request ON request.item_id = item.id
        LEFT JOIN outcome ON outcome.item_id = item.id
        WHERE item.id > :after AND item.state <> 'redone'
        ORDER BY {ORDER} LIMIT :limit
        """,
        run=run,
        after=after,
        limit=limit,
    )


class Group(NamedTuple):
    """Rows of which the same came."""

    ok: bool | None
    """None while they have no outcome."""
    problem: str | None
    state: str
    rows: int
    asked_again: int
    """Rows that needed more than one try."""
    cost_nano: int
    """Of all their tries, without those that have no price."""
    unpriced: int
    """Rows with a try that has no price."""
    had_already: int
    """Rows that got the outcome of another run's item, or of a row that was tried: it cost this run nothing."""


def groups(connection: Connection, run: str) -> list[Group]:
    """What came of a run's rows, by problem."""
    return fetch_all(
        connection,
        Group,
        f"""
        SELECT ok, problem, state, count(*) AS rows, count(*) FILTER (WHERE redos > 0) AS asked_again,
               coalesce(sum(cost_nano), 0)::bigint AS cost_nano,
               count(*) FILTER (WHERE ok IS NOT NULL AND cost_nano IS NULL) AS unpriced,
               count(*) FILTER (WHERE had_already) AS had_already
        FROM (
            SELECT outcome.ok, outcome.problem, item.state, coalesce(redo.number, 0) AS redos,
                   outcome.cost_nano + CASE WHEN redo.item_id IS NULL THEN 0 ELSE redo.cost_before_nano END
                       AS cost_nano,
                   EXISTS (SELECT FROM follower WHERE follower.item_id = item.id) AS had_already
            FROM {items_of()} LEFT JOIN outcome ON outcome.item_id = item.id
            LEFT JOIN redo ON redo.item_id = item.id
            WHERE item.state <> 'redone'
        ) each
        GROUP BY ok, problem, state ORDER BY rows DESC, problem, state
        """,
        run=run,
    )


@dataclass(slots=True)
class Failed:
    """An item that may be asked again."""

    id: int
    problem: str
    detail: str | None
    message: str | bytes | None
    body_group: int | None
    """Where the message lies, until it is read."""
    body_place: int | None
    size: int
    max_tokens: int
    params: str | None = None
    """None where it can't be read."""


def to_ask_again(
    connection: Connection, run: str, problems: Sequence[str], *, times: int, after: int, limit: int = 500
) -> list[Failed]:
    """The next failed items of a run that have such a problem, or may do better another time.

    times: those that were asked again so often aren't among them, nor is what got another run's outcome.
    """
    failed = fetch_all(
        connection,
        Failed,
        f"""
        SELECT item.id, outcome.problem, outcome.detail, outcome.message, outcome.body_group, outcome.body_place,
               item.size, item.max_tokens
        FROM {items_of(first=":after")} JOIN outcome ON outcome.item_id = item.id
        LEFT JOIN redo ON redo.item_id = item.id
        WHERE item.id > :after AND {ITEM.redo.where} AND NOT item.cancel_wanted
          AND (outcome.problem = ANY(:problems) OR outcome.retryable)
          AND coalesce(redo.number, 0) < :times
          AND NOT EXISTS (SELECT FROM follower WHERE follower.item_id = item.id)
        ORDER BY {ORDER} LIMIT :limit
        """,
        run=run,
        problems=list(problems),
        times=times,
        after=after,
        limit=limit,
    )
    bodies.read(connection, failed)
    for item in failed:
        item.detail = bodies.detail_of(connection, item.id, item.detail)
    texts = read_requests(connection, [item.id for item in failed]).texts
    for item in failed:
        item.params = texts[item.id].decode() if item.id in texts else None
    return failed


def spent(connection: Connection, catalog: str, *, hours: int, but: int | None) -> int:
    """Nano-dollars that runs of a catalog were billed in the last hours. but: not those of this run."""
    return fetch_only_value(
        connection,
        int,
        """
        SELECT coalesce(sum(spending.cost_nano), 0)::bigint FROM spending
        JOIN run ON run.id = spending.run_id
        JOIN catalog_run ON run.name = :catalog || '-' || catalog_run.number
        WHERE catalog_run.catalog_id = (SELECT id FROM catalog WHERE name = :catalog)
          AND spending.at > now() - make_interval(hours => :hours)
          AND catalog_run.id IS DISTINCT FROM CAST(:but AS bigint)
        """,
        catalog=catalog,
        hours=hours,
        but=but,
    )


def not_sent(connection: Connection, run: str, *, held: bool) -> list[int]:
    """Items of a run that can still be taken back. held: only those that the run's own budget holds."""
    return fetch_column(
        connection,
        int,
        f"""
        SELECT item.id FROM {items_of()}
        WHERE CASE WHEN :held THEN item.state = 'held' AND item.held_by IN (
                  SELECT id FROM budget WHERE budget.run_id = item.run_id
              ) ELSE item.state IN ('held', 'waiting', 'following', 'batched') END
        ORDER BY item.id
        """,
        run=run,
        held=held,
    )


OF_CATALOG: Final = """
    = ANY (ARRAY(
        SELECT run.id FROM run JOIN catalog_run ON run.name = :catalog || '-' || catalog_run.number
        WHERE catalog_run.catalog_id = (SELECT id FROM catalog WHERE name = :catalog)
    ))
"""
"""The condition that a run's number is of a run of the catalog `:catalog`."""


class FailedKey(NamedTuple):
    """An item without a useful answer, whichever run of the catalog it is of."""

    id: int
    key: str


def failed(
    connection: Connection,
    catalog: str,
    *,
    but: Sequence[str],
    run: str | None = None,
    after: int = 0,
    limit: int = 20_000,
) -> list[FailedKey]:
    """The next items of all runs of a catalog that have failed or were taken back.

    run: of this run only, which needn't be one of a catalog.
    but: without those that have such a problem.
    """
    return fetch_all(
        connection,
        FailedKey,
        f"""
        SELECT item.id, request.key FROM {items_of(NAMED if run else OF_CATALOG, first=":after")}
        JOIN request ON request.item_id = item.id JOIN outcome ON outcome.item_id = item.id
        WHERE {ITEM.redo.where} AND outcome.problem <> ALL(:but)
          AND starts_with(request.key, 'catalog/') AND item.id > :after
        ORDER BY {ORDER} LIMIT :limit
        """,
        **({"run": run} if run else {"catalog": catalog}),
        but=list(but),
        after=after,
        limit=limit,
    )


class UnderWay(NamedTuple):
    """Rows of a run that aren't back, by the batch that they are in."""

    rows: int
    batch_items: int
    """Of the whole batch; the rows' number while they are in none."""
    open_s: float | None
    """Since the API created the batch; None while it hasn't."""


def under_way(connection: Connection, run: str) -> list[UnderWay]:
    """What of a run isn't back."""
    return fetch_all(
        connection,
        UnderWay,
        f"""
        SELECT mine.rows, coalesce(batch.items, mine.rows)::bigint AS batch_items,
               extract(epoch FROM now() - created.at)::float AS open_s
        FROM (
            SELECT batch_id, count(*) AS rows FROM {items_of()} WHERE state IN ({_UNFINISHED}) GROUP BY batch_id
        ) mine
        LEFT JOIN batch ON batch.id = mine.batch_id
        LEFT JOIN LATERAL (
            SELECT max(api_created_at) AS at FROM submission WHERE submission.batch_id = batch.id
        ) created ON true
        ORDER BY mine.batch_id
        """,
        run=run,
    )


class Unsent(NamedTuple):
    """A row that couldn't be sent, and why."""

    entry: bytes
    """The hash of its key and variant, of 16 bytes."""
    key: str
    """JSON: the cells of its key."""
    variant: str | None
    cause: str
    detail: str


def note_unsent(connection: Connection, run_id: int, rows: Sequence[Unsent]) -> int:
    """Note rows that couldn't be sent; those that are noted already stay. Raises NoKey."""
    return execute(
        connection,
        """
        INSERT INTO catalog_unsent (run_id, entry, key, variant, cause, detail)
        SELECT :run_id, * FROM unnest(CAST(:entries AS bytea[]), CAST(:keys AS text[]), CAST(:variants AS text[]),
                                      CAST(:causes AS text[]), CAST(:details AS text[]))
        ON CONFLICT DO NOTHING
        """,
        run_id=run_id,
        entries=[row.entry for row in rows],
        keys=[row.key for row in rows],
        variants=[row.variant for row in rows],
        causes=[row.cause for row in rows],
        details=examples.sealed_all(connection, run_id, [(examples.of_row(row.entry), row.detail) for row in rows]),
    )


def unsent(connection: Connection, run_id: int) -> list[Unsent]:
    """The rows of a run that couldn't be sent. Raises NoKey."""
    rows = fetch_all(
        connection,
        Unsent,
        "SELECT entry, key, variant, cause, detail FROM catalog_unsent WHERE run_id = :run_id ORDER BY entry",
        run_id=run_id,
    )
    return [
        row._replace(detail=examples.opened(connection, run_id, examples.of_row(row.entry), row.detail)) for row in rows
    ]
