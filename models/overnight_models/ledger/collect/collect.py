"""Collecting: who reads which results, and when a batch is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from overnight_models.ledger.collect.readable import READABLE
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.money import settle
from overnight_models.ledger.moves import move_batch, move_submission
from overnight_models.ledger.presence import is_gone
from overnight_models.ledger.rows import execute, fetch_all, fetch_one
from overnight_models.ledger.submit import facts
from overnight_models.ledger.submit.facts import lives
from overnight_models.states import BATCH, SUBMISSION

_OTHER_LIVES = f"""
    EXISTS (
        SELECT FROM submission other
        WHERE other.batch_id = submission.batch_id AND other.id <> submission.id AND {lives("other")}
    )
"""


@dataclass(frozen=True)
class Reading:
    """An ended batch whose results this process, and no other, reads."""

    submission_id: int
    batch_id: int
    token: str
    workspace: str
    lane: str
    api_id: str
    items: int
    has_schemas: bool
    """Some of its items asked for an answer of a schema."""
    has_prefixes: bool
    """Some of its items have a prefix."""
    reads: int
    """Times that its results were begun to be read, this one included."""
    misses: int
    """Times that they were read to their end and lines were missing."""
    ended_for_s: float
    """Since it ended, by the database's clock."""
    cancel_asked: bool = False
    """The API was told to stop it: what it didn't process isn't an item's fault."""
    taken_over: bool = False
    """Whoever read it last didn't come to an end."""
    last_error: str | None = None
    """Why a reader before that one had to leave it."""


class _Next(NamedTuple):
    """A submission whose results are to be read."""

    id: int
    taken_over: bool
    """Another reader had begun."""


def claim(connection: Connection, *, owner: int, lease_s: float) -> Reading | None:
    """Take a batch that has ended and isn't being read. None when there is none.

    Workspaces take turns: the one with the fewest readers comes first, then the one with the fewest reads that broke
    off of late, then the batch that ended first. A workspace with such reads has one reader at a time. So results that
    stall hold one reader, and those of other workspaces are read.
    """
    ended = _next_to_read(connection)
    if ended is None:
        return None
    row = fetch_one(
        connection,
        """
        UPDATE submission
        SET owner = :owner, lease_until = now() + make_interval(secs => :lease_s), reads = reads + 1
        FROM batch, headers, lane
        WHERE submission.id = :id AND batch.id = submission.batch_id
          AND headers.id = batch.headers_id AND lane.id = batch.lane_id
        RETURNING submission.id AS submission_id, batch_id, token, headers.workspace, lane.name AS lane, api_id,
                  coalesce(submission.items, batch.items) AS items, has_schemas, has_prefixes,
                  reads, misses, extract(epoch FROM now() - ended_at)::float AS ended_for_s,
                  cancel_asked_at IS NOT NULL AS cancel_asked,
                  CASE WHEN next_read_at IS NOT NULL THEN error END AS last_error
        """,
        id=ended.id,
        owner=owner,
        lease_s=lease_s,
    )
    assert row is not None
    return Reading(**row, taken_over=ended.taken_over)


def _next_to_read(connection: Connection) -> _Next | None:
    """The submission whose results are read next, locked."""
    return fetch_one(
        connection,
        _Next,
        f"""
        WITH ended AS (
            SELECT submission.id, submission.ended_at, headers.workspace,
                   coalesce(lease_until > now() AND NOT {is_gone("owner")}, false) AS is_read,
                   coalesce(next_read_at > now(), false) AS pauses, reads > misses AS broke_off
            FROM (SELECT * FROM submission WHERE {READABLE}) submission
            JOIN batch ON batch.id = submission.batch_id JOIN headers ON headers.id = batch.headers_id
        ), turn AS (
            SELECT workspace, count(*) FILTER (WHERE is_read) AS readers,
                   count(*) FILTER (WHERE pauses AND broke_off) AS stalled
            FROM ended GROUP BY workspace
        )
        SELECT submission.id, lease_until IS NOT NULL AS taken_over
        FROM submission JOIN ended ON ended.id = submission.id JOIN turn USING (workspace)
        WHERE NOT is_read AND NOT pauses AND (readers = 0 OR stalled = 0)
        ORDER BY readers, stalled, ended.ended_at LIMIT 1
        FOR UPDATE OF submission SKIP LOCKED
        """,
    )


def extend(connection: Connection, reading: Reading, *, lease_s: float) -> bool:
    """A sign of life from the reader; until the transaction ends no other one records the same results.

    A reader that was frozen while another came to the end has nothing to read any more: it gets no lease.
    False when the ledger doesn't know that submission any more: it was restored meanwhile.
    """
    return (
        execute(
            connection,
            """
            UPDATE submission
            SET lease_until = CASE WHEN state <> 'done' THEN now() + make_interval(secs => :lease_s) END
            WHERE id = :id AND token = :token
            """,
            id=reading.submission_id,
            token=reading.token,
            lease_s=lease_s,
        )
        == 1
    )


def schedule_retry(connection: Connection, submission_id: int, why: str, *, missed: bool, pause_s: float) -> None:
    """The results aren't complete: again after a pause. What was recorded stays.

    missed: they were read to their end, and lines were missing; a read that broke off says nothing about that.
    Where another reader has come to their end meanwhile, nothing is left to be read.
    """
    execute(
        connection,
        f"""
        UPDATE batch SET {BATCH.miss.set}, changed_at = now(), reason = :why
        FROM submission WHERE submission.id = :id AND batch.id = submission.batch_id AND batch.{BATCH.miss.where}
        """,
        id=submission_id,
        why=why,
    )
    execute(
        connection,
        """
        UPDATE submission SET lease_until = NULL, error = :why, misses = misses + CAST(:missed AS integer),
            next_read_at = now() + make_interval(secs => :pause_s)
        WHERE id = :id AND state <> 'done'
        """,
        id=submission_id,
        why=why,
        missed=missed,
        pause_s=pause_s,
    )


def only_live(connection: Connection, reading: Reading) -> bool:
    """No other submission of the batch may still run, and none comes to life before this transaction is over (R8)."""
    fetch_one(connection, "SELECT FROM batch WHERE id = :id FOR SHARE", id=reading.batch_id)
    others = fetch_one(
        connection, f"SELECT {_OTHER_LIVES} AS live FROM submission WHERE id = :id", id=reading.submission_id
    )
    assert others is not None
    return not others["live"]


def finish(connection: Connection, reading: Reading, *, passed_over: bool) -> bool:
    """Every line is recorded and the counts agree: the submission is done, its batch collected.

    passed_over: some of it was recorded while another submission of its batch lived, so its errors didn't count.
    False when that other one is over by now: its errors count after all, and it is to be read once more.
    """
    fetch_one(connection, "SELECT FROM batch WHERE id = :id FOR UPDATE", id=reading.batch_id)
    if passed_over and only_live(connection, reading):
        return False
    execute(
        connection,
        f"""
        UPDATE submission SET {SUBMISSION.finish.set}, lease_until = NULL
        WHERE id = :id AND {SUBMISSION.finish.where}
        """,
        id=reading.submission_id,
    )
    execute(
        connection,
        f"""
        UPDATE batch SET {BATCH.collect.set}, changed_at = now(), reason = NULL
        FROM submission
        WHERE submission.id = :id AND batch.id = submission.batch_id AND batch.{BATCH.collect.where}
          AND NOT {_OTHER_LIVES}
        """,
        id=reading.submission_id,
    )
    if only_live(connection, reading):
        settle.close(connection, reading.batch_id)
    return True


def disown(connection: Connection, reading: Reading, why: str) -> bool:
    """The results bear another token, again and again: the API id that the submission was given isn't its own.

    It is unclear again, so that a list finds its own. Once a batch of its token is known, that is its own, and it is
    done. False when it can't be so yet.
    """
    own = fetch_one(
        connection,
        "SELECT FROM submission WHERE token = :token AND id <> :id AND api_id IS NOT NULL LIMIT 1",
        token=reading.token,
        id=reading.submission_id,
    )
    if own is None:
        return facts.disown(connection, reading.submission_id, why)
    if not finish(connection, reading, passed_over=False):
        return False
    execute(
        connection,
        "UPDATE submission SET api_id = NULL, ended_at = NULL, error = :why WHERE id = :id AND state = 'done'",
        id=reading.submission_id,
        why=why,
    )
    return True


def lose(connection: Connection, submission_id: int, why: str) -> bool:
    """Its results can't be had any more: the submission is done, its batch gone.

    False when another submission of the batch lives, which the batch belongs to then, or when it is done already.
    """
    row = fetch_one(
        connection,
        f"""
        SELECT batch.id, {_OTHER_LIVES} AS other_lives
        FROM submission JOIN batch ON batch.id = submission.batch_id WHERE submission.id = :id FOR UPDATE OF batch
        """,
        id=submission_id,
    )
    assert row is not None
    if not move_submission(connection, SUBMISSION.finish, submission_id, why):
        return False
    return not row["other_lives"] and move_batch(connection, BATCH.lose, row["id"], why)


def missing_items(connection: Connection, batch_id: int) -> list[int]:
    """Items of a batch for which nothing came back."""
    rows = fetch_all(
        connection,
        "SELECT id FROM item WHERE batch_id = :batch_id AND state = 'batched' ORDER BY id",
        batch_id=batch_id,
    )
    return [row["id"] for row in rows]


def output_schemas(connection: Connection, item_ids: list[int]) -> dict[int, int]:
    """Which of the items asked for a schema: item id to schema id."""
    rows = fetch_all(
        connection,
        "SELECT id, schema_id FROM item WHERE id = ANY(:ids) AND schema_id IS NOT NULL",
        ids=item_ids,
    )
    return {row["id"]: row["schema_id"] for row in rows}


def output_schema(connection: Connection, schema_id: int) -> str:
    """A JSON schema's text."""
    row = fetch_one(connection, "SELECT document FROM output_schema WHERE id = :id", id=schema_id)
    assert row is not None
    return str(row["document"])
