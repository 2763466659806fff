"""Batches at the API that are to be deleted there: by a purge, or some time after they were collected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_all

_ALL_PURGED: Final = """
    NOT EXISTS (SELECT FROM item WHERE item.batch_id = submission.batch_id AND NOT item.purged)
"""
_OF_EARLIER_TRIES: Final = """
    SELECT batch.id
    FROM (
        SELECT lane_id, headers_id, min(enqueued_at) AS first_at, max(coalesce(batch_id, 9223372036854775807)) AS last
        FROM item JOIN request ON request.item_id = item.id WHERE item.id = ANY(:ids) GROUP BY lane_id, headers_id
    ) purged
    JOIN batch ON batch.lane_id = purged.lane_id AND batch.headers_id = purged.headers_id AND batch.id < purged.last
              AND batch.packed_at >= purged.first_at AND batch.packed_at > now() - interval '30 days'
    WHERE batch.items > (SELECT count(*) FROM item WHERE item.batch_id = batch.id)
"""
"""Batches that items have left to be tried again, packed since one of these was enqueued: which items, nobody noted."""
_LISTED: Final = "29 days"
"""Results can be had for so long; a batch that is older is deleted by the API itself."""


def want_deleted(connection: Connection, item_ids: Sequence[int], *, shared: bool) -> int:
    """Batches of purged items are to be deleted at the API, once their results are recorded. Returns how many.

    shared: also those of which other items are kept, and those that an earlier try of an item may have been sent in;
    else only those whose items are all purged.
    """
    return execute(
        connection,
        f"""
        UPDATE submission SET delete_at = now()
        WHERE api_id IS NOT NULL AND deleted_at IS NULL AND (delete_at IS NULL OR delete_at > now())
          AND (batch_id IN (SELECT batch_id FROM item WHERE item.id = ANY(:ids)) AND (:shared OR {_ALL_PURGED})
               OR :shared AND batch_id IN ({_OF_EARLIER_TRIES}))
        """,
        ids=list(item_ids),
        shared=shared,
    )


def schedule(connection: Connection, after_s: Mapping[str, float], *, limit: int = 500) -> int:
    """Batches are to be deleted that were collected, and delivered, so long ago. Returns how many.

    after_s: by lane, how long after they ended; lanes that aren't in it keep theirs.
    """
    return execute(
        connection,
        f"""
        UPDATE submission SET delete_at = now() WHERE id IN (
            SELECT submission.id FROM submission JOIN batch ON batch.id = submission.batch_id
            JOIN lane ON lane.id = batch.lane_id
            JOIN unnest(CAST(:lanes AS text[]), CAST(:after AS float[])) AS rule (lane, after_s)
                 ON rule.lane = lane.name
            WHERE submission.claimed_at > now() - interval '{_LISTED}' AND submission.state = 'done'
              AND api_id IS NOT NULL AND delete_at IS NULL AND deleted_at IS NULL AND batch.state = 'collected'
              AND submission.ended_at < now() - make_interval(secs => rule.after_s)
              AND NOT EXISTS (
                  SELECT FROM item JOIN delivery ON delivery.item_id = item.id
                  WHERE item.batch_id = batch.id AND delivery.state <> 'delivered'
              )
              AND NOT EXISTS (
                  SELECT FROM hand_over JOIN item ON item.id = ANY(hand_over.item_ids)
                  WHERE item.batch_id = batch.id
              )
            ORDER BY submission.id LIMIT :limit
        )
        """,
        lanes=list(after_s),
        after=list(after_s.values()),
        limit=limit,
    )


class Deletable(NamedTuple):
    """A batch that the API is to delete."""

    submission_id: int
    api_id: str
    workspace: str


def deletable(connection: Connection, *, limit: int = 50) -> list[Deletable]:
    """Batches whose time has come, the first first: their results are recorded, or can't be had any more."""
    return fetch_all(
        connection,
        Deletable,
        """
        SELECT submission.id AS submission_id, api_id, headers.workspace
        FROM submission JOIN batch ON batch.id = submission.batch_id JOIN headers ON headers.id = batch.headers_id
        WHERE delete_at IS NOT NULL AND delete_at <= now() AND deleted_at IS NULL
          AND submission.state = 'done' AND api_id IS NOT NULL
        ORDER BY delete_at, submission.id LIMIT :limit
        """,
        limit=limit,
    )


def note_deleted(connection: Connection, submission_id: int) -> None:
    """The API has deleted it, or doesn't know it any more."""
    execute(
        connection,
        "UPDATE submission SET deleted_at = now() WHERE id = :id AND deleted_at IS NULL",
        id=submission_id,
    )


def put_off(connection: Connection, submission_id: int, pause_s: float) -> None:
    """The API wouldn't delete it just now: it is asked again later."""
    execute(
        connection,
        "UPDATE submission SET delete_at = now() + make_interval(secs => :pause_s) WHERE id = :id",
        id=submission_id,
        pause_s=pause_s,
    )
