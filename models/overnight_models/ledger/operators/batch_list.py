"""Batches: their list, page by page; and one of them, with every submission and what came of its items."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from overnight_models.ledger.bodies.encryption import listed
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.operators.overview import BATCH_COLUMNS, BATCH_JOINS, BatchView
from overnight_models.ledger.operators.problems import SHOWN, SaidProblem
from overnight_models.ledger.rows import fetch_all, fetch_column, fetch_one, fetch_pairs
from overnight_models.states import BATCH, ITEM

_MOST_TEXTS = 2_000
_WITHOUT_ANSWER = ", ".join(f"'{state}'" for state in sorted(ITEM.final - {"succeeded"}))

UNFINISHED = "unfinished"
"""Every state from which something is still to come."""


@dataclass(frozen=True, kw_only=True)
class BatchFilter:
    """Which batches are meant; what is None doesn't matter."""

    lane: str | None = None
    workspace: str | None = None
    state: str | None = None
    """A state, or `unfinished`."""
    api_id: str | None = None
    """As the API calls it."""

    @property
    def where(self) -> str:
        """The condition on `batch`."""
        conditions = {
            "batch.lane_id = (SELECT id FROM lane WHERE name = :lane)": self.lane,
            "batch.headers_id IN (SELECT id FROM headers WHERE workspace = :workspace)": self.workspace,
            "batch.state = ANY(:states)": self.state,
            "batch.id IN (SELECT batch_id FROM submission WHERE submission.api_id = :api_id)": self.api_id,
        }
        return " AND ".join(condition for condition, value in conditions.items() if value is not None) or "true"

    @property
    def values(self) -> dict[str, object]:
        """What `where` is told."""
        states = list(BATCH.unfinished) if self.state == UNFINISHED else [self.state]
        given = {"lane": self.lane, "workspace": self.workspace, "api_id": self.api_id}
        given_states = {"states": states if self.state else None}
        return {name: value for name, value in {**given, **given_states}.items() if value is not None}


def page(
    connection: Connection, wanted: BatchFilter, *, before: int | None = None, limit: int = 50
) -> tuple[list[BatchView], int | None]:
    """The newest batches that are wanted and have a smaller number; and before which the next page is, if any."""
    views = fetch_all(
        connection,
        BatchView,
        f"""
        SELECT {BATCH_COLUMNS}
        FROM (
            SELECT batch.* FROM batch
            WHERE {wanted.where} AND (CAST(:before AS bigint) IS NULL OR batch.id < :before)
            ORDER BY batch.id DESC LIMIT :limit
        ) batch
        {BATCH_JOINS} ORDER BY batch.id DESC
        """,
        before=before,
        limit=limit + 1,
        **wanted.values,
    )
    return views[:limit], views[limit - 1].id if len(views) > limit else None


class SubmissionView(NamedTuple):
    """One attempt to create a batch, and what is known of it."""

    id: int
    state: str
    twin_of: int | None
    items: int | None
    claimed_at: datetime
    let_go_at: datetime | None
    quiet_after: datetime | None
    api_id: str | None
    api_created_at: datetime | None
    api_expires_at: datetime | None
    cancel_asked_at: datetime | None
    ended_at: datetime | None
    counts: str | None
    """JSON: the API's request_counts when it ended."""
    reads: int
    misses: int
    error: str | None
    answers: int
    cost_nano: int
    realtime_nano: int
    paid_twice: int


class ModelShare(NamedTuple):
    """The items of a batch that ask one model."""

    model_id: int
    model: str
    items: int
    size: int
    max_tokens: int


class Facts(NamedTuple):
    """What the list doesn't show of a batch."""

    changed_at: datetime
    not_before: datetime | None
    releases: int
    parent_id: int | None
    api_version: str
    betas: str
    has_prefixes: bool
    has_schemas: bool
    recorded_at: datetime | None
    """When the last of its outcomes was recorded."""


@dataclass(frozen=True)
class BatchLife:
    """One batch, without a word of its requests and answers."""

    batch: BatchView
    facts: Facts
    submissions: list[SubmissionView]
    states: dict[str, int]
    """Its items by state; those that went on in another batch aren't in it any more."""
    models: list[ModelShare]
    said: list[SaidProblem]
    """Of its newest items without a useful answer."""
    parts: list[int]
    """The batches that it was divided into."""


def life(connection: Connection, batch_id: int) -> BatchLife | None:
    """Everything about one batch; None when there is none of this number."""
    view = fetch_one(
        connection,
        BatchView,
        f"SELECT {BATCH_COLUMNS} FROM (SELECT * FROM batch WHERE id = :id) batch {BATCH_JOINS}",
        id=batch_id,
    )
    facts = fetch_one(
        connection,
        Facts,
        """
        SELECT changed_at, not_before, releases, parent_id, api_version, betas, has_prefixes, has_schemas,
               (SELECT max(at) FROM spending JOIN submission ON submission.id = spending.submission_id
                WHERE submission.batch_id = batch.id) AS recorded_at
        FROM batch JOIN headers ON headers.id = headers_id WHERE batch.id = :id
        """,
        id=batch_id,
    )
    if view is None or facts is None:
        return None
    return BatchLife(
        view,
        facts,
        _submissions(connection, batch_id),
        fetch_pairs(
            connection,
            str,
            int,
            "SELECT state, count(*) AS n FROM item WHERE batch_id = :id GROUP BY state ORDER BY n DESC",
            id=batch_id,
        ),
        _models(connection, batch_id),
        _said(connection, batch_id),
        _parts(connection, batch_id),
    )


def _submissions(connection: Connection, batch_id: int) -> list[SubmissionView]:
    return fetch_all(
        connection,
        SubmissionView,
        """
        SELECT submission.id, state, twin_of, items, claimed_at, let_go_at, quiet_after, api_id, api_created_at,
               api_expires_at, cancel_asked_at, ended_at, counts, reads, misses, error,
               coalesce(spent.answers, 0)::bigint AS answers, coalesce(spent.cost_nano, 0)::bigint AS cost_nano,
               coalesce(spent.realtime_nano, 0)::bigint AS realtime_nano,
               coalesce(spent.paid_twice, 0)::bigint AS paid_twice
        FROM submission LEFT JOIN LATERAL (
            SELECT sum(answers) AS answers, sum(cost_nano) AS cost_nano, sum(realtime_nano) AS realtime_nano,
                   sum(paid_twice) AS paid_twice
            FROM spending WHERE spending.submission_id = submission.id
        ) spent ON true
        WHERE batch_id = :id ORDER BY submission.id LIMIT 100
        """,
        id=batch_id,
    )


def _models(connection: Connection, batch_id: int) -> list[ModelShare]:
    return fetch_all(
        connection,
        ModelShare,
        """
        SELECT model.id AS model_id, model.name AS model, count(*) AS items, sum(size)::bigint AS size,
               sum(max_tokens)::bigint AS max_tokens
        FROM item JOIN model ON model.id = model_id WHERE batch_id = :id GROUP BY model.id, model.name ORDER BY 3 DESC
        """,
        id=batch_id,
    )


def _said(connection: Connection, batch_id: int) -> list[SaidProblem]:
    return fetch_all(
        connection,
        SaidProblem,
        f"""
        SELECT lane.name AS lane, problem, coalesce(left({listed("detail")}, {SHOWN}), '') AS detail,
               array_agg(item_id) AS item_ids, min(finished_at) AS first_at, max(finished_at) AS last_at
        FROM (
            SELECT item.id, item.lane_id FROM item WHERE batch_id = :id AND item.state IN ({_WITHOUT_ANSWER})
            ORDER BY item.id DESC LIMIT {_MOST_TEXTS}
        ) newest
        JOIN outcome ON outcome.item_id = newest.id JOIN lane ON lane.id = newest.lane_id
        WHERE problem IS NOT NULL GROUP BY 1, 2, 3
        """,
        id=batch_id,
    )


def _parts(connection: Connection, batch_id: int) -> list[int]:
    return fetch_column(
        connection,
        int,
        # no index knows parents: they are made at once, by the one who divides it, so their numbers are near
        "SELECT id FROM batch WHERE parent_id = :id AND id > :id AND id < :id + 10000 ORDER BY id",
        id=batch_id,
    )
