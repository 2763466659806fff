"""Polling: what a list of the API's batches says about ours, and about those that we don't know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from overnight_models.ledger import counters
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_all, fetch_one, fetch_only_value, fetch_pairs
from overnight_models.states import BATCH

_MOST_ITEMS: Final = 2**31 - 1


@dataclass(frozen=True)
class Watched:
    """A submission that a list may say something about."""

    submission_id: int
    batch_id: int
    state: str
    items: int | None
    claimed_at: datetime
    quiet_after: datetime | None
    api_id: str | None
    api_workspace_id: str | None
    api_created_at: datetime | None
    ended_at: datetime | None


def watched(connection: Connection, workspace: str) -> list[Watched]:
    """Submissions of a workspace that aren't over."""
    rows = fetch_all(
        connection,
        """
        SELECT submission.id AS submission_id, submission.batch_id, submission.state, submission.items, claimed_at,
               quiet_after, api_id, api_workspace_id, api_created_at, ended_at
        FROM submission
        JOIN batch ON batch.id = submission.batch_id
        JOIN headers ON headers.id = batch.headers_id
        WHERE headers.workspace = :workspace
          AND (submission.state IN ('sending', 'unclear')
               OR submission.state = 'open' AND ended_at IS NULL)
        ORDER BY submission.id
        """,
        workspace=workspace,
    )
    return [Watched(**row) for row in rows]


def sought_since(connection: Connection, workspace: str, *, sweep_every_s: float) -> tuple[datetime | None, bool]:
    """Since when batches may have been created that are ours and not known, and whether all of that is to be swept.

    Whatever was let go may be at the API once, whatever was answered, and a second time (R9). Between two sweeps only
    what was believed lost or called void within the last hour is looked for. None: nothing is sought now.
    """
    row = fetch_one(
        connection,
        """
        SELECT min(claimed_at) FILTER (WHERE due OR late AND quiet_after > now() - interval '1 hour') AS since, due
        FROM (
            SELECT claimed_at, quiet_after, submission.state IN ('lost', 'void') AND api_id IS NULL AS late,
                   coalesce(swept_at < now() - make_interval(secs => :sweep_every_s), true) AS due
            FROM submission
            JOIN batch ON batch.id = submission.batch_id JOIN headers ON headers.id = batch.headers_id
            JOIN workspace ON workspace.name = headers.workspace
            WHERE headers.workspace = :workspace AND claimed_at > now() - interval '30 hours'
              AND (let_go_at IS NOT NULL OR submission.state = 'lost')
        ) sought
        GROUP BY due
        """,
        workspace=workspace,
        sweep_every_s=sweep_every_s,
    )
    return (None, False) if row is None else (row["since"], row["due"])


def swept(connection: Connection, workspace: str, at: datetime) -> None:
    """A list that started then went back as far as anything is sought, and what it showed is noted."""
    execute(connection, "UPDATE workspace SET swept_at = :at WHERE name = :name", name=workspace, at=at)


def now(connection: Connection) -> datetime:
    """The database's clock."""
    return fetch_only_value(connection, datetime, "SELECT clock_timestamp() AS now")


def end(connection: Connection, submission_id: int, ended_at: datetime, counts: str | None) -> bool:
    """The API says that a submission's batch ended. False when that was known."""
    # the batch first: the order in which everybody locks
    fetch_one(
        connection,
        """
        SELECT FROM batch JOIN submission ON submission.batch_id = batch.id
        WHERE submission.id = :id FOR UPDATE OF batch
        """,
        id=submission_id,
    )
    ended = execute(
        connection,
        """
        UPDATE submission SET ended_at = :ended_at, counts = :counts
        WHERE id = :id AND ended_at IS NULL AND api_id IS NOT NULL
        """,
        id=submission_id,
        ended_at=ended_at,
        counts=counts,
    )
    if ended:
        counters.add_turnaround(connection, submission_id, ended_at)
    moved = execute(
        connection,
        f"""
        UPDATE batch SET {BATCH.end.set}, changed_at = now()
        FROM submission
        WHERE submission.id = :id AND submission.state = 'open' AND batch.id = submission.batch_id
          AND batch.{BATCH.end.where}
        """,
        id=submission_id,
    )
    return ended == 1 or moved == 1


def doubles(connection: Connection, workspace: str) -> dict[int, str]:
    """Submissions that run and that nobody waits for, and their API ids: doubles, which are canceled.

    An earlier create of the same batch is known to have worked; or a later one has ended, and answered every item.
    """
    rows = fetch_all(
        connection,
        """
        SELECT submission.id, submission.api_id
        FROM submission JOIN batch ON batch.id = submission.batch_id JOIN headers ON headers.id = batch.headers_id
        WHERE headers.workspace = :workspace
          AND submission.state = 'open' AND submission.ended_at IS NULL AND submission.cancel_asked_at IS NULL
          AND EXISTS (
              SELECT FROM submission other
              WHERE other.batch_id = submission.batch_id AND other.state IN ('open', 'done')
                AND other.id <> submission.id
                AND ((other.api_created_at, other.id) < (submission.api_created_at, submission.id)
                     OR other.state = 'done' AND NOT EXISTS (
                         SELECT FROM item WHERE item.batch_id = submission.batch_id AND item.state = 'batched'
                     ))
          )
        """,
        workspace=workspace,
    )
    return {row["id"]: row["api_id"] for row in rows}


def to_stop(connection: Connection, workspace: str) -> dict[int, str]:
    """Submissions of batches that are to be canceled for their deadlines, and their API ids."""
    return fetch_pairs(
        connection,
        int,
        str,
        """
        SELECT submission.id, submission.api_id
        FROM batch JOIN headers ON headers.id = batch.headers_id JOIN submission ON submission.batch_id = batch.id
        WHERE batch.state = 'canceling' AND headers.workspace = :workspace AND submission.state = 'open'
          AND submission.ended_at IS NULL AND submission.cancel_asked_at IS NULL
        """,
        workspace=workspace,
    )


def cancel_asked(connection: Connection, submission_id: int) -> None:
    """The API was told to stop it."""
    execute(connection, "UPDATE submission SET cancel_asked_at = now() WHERE id = :id", id=submission_id)


@dataclass(frozen=True)
class UnknownBatch:
    """A batch at the API that the ledger doesn't know."""

    api_id: str
    items: int
    created_at: datetime
    ended_at: datetime | None
    ours: bool | None = None
    believed_of: int | None = None
    """The submission that a person believes it to be."""


def known_api_ids(connection: Connection, api_ids: Sequence[str]) -> set[str]:
    """Those of the ids that are ours already."""
    rows = fetch_all(connection, "SELECT api_id FROM submission WHERE api_id = ANY(:ids)", ids=list(api_ids))
    return {row["api_id"] for row in rows}


def note_unknown_batches(connection: Connection, workspace: str, unknown: Sequence[UnknownBatch]) -> None:
    """Note batches that the ledger doesn't know, and when they ended."""
    if not unknown:
        return
    execute(
        connection,
        """
        INSERT INTO sighting (api_id, workspace, items, api_created_at, ended_at)
        SELECT api_id, :workspace, items, created_at, ended_at
        FROM unnest(
            CAST(:api_ids AS text[]), CAST(:items AS integer[]), CAST(:created_at AS timestamptz[]),
            CAST(:ended_at AS timestamptz[])
        ) AS seen (api_id, items, created_at, ended_at)
        ORDER BY api_id
        ON CONFLICT (api_id) DO UPDATE SET ended_at = excluded.ended_at
        WHERE sighting.ended_at IS NULL AND excluded.ended_at IS NOT NULL
        """,
        workspace=workspace,
        api_ids=[seen.api_id for seen in unknown],
        items=[min(seen.items, _MOST_ITEMS) for seen in unknown],
        created_at=[seen.created_at for seen in unknown],
        ended_at=[seen.ended_at for seen in unknown],
    )


def unknown_batches(connection: Connection, workspace: str, since: datetime) -> list[UnknownBatch]:
    """Batches that the ledger doesn't know, created since then, of which no token has proven whose they are."""
    rows = fetch_all(
        connection,
        """
        SELECT api_id, items, api_created_at AS created_at, ended_at, ours, believed_of FROM sighting
        WHERE workspace = :workspace AND api_created_at >= :since AND ours IS NULL
          AND NOT EXISTS (SELECT FROM submission WHERE submission.api_id = sighting.api_id)
        ORDER BY api_created_at
        """,
        workspace=workspace,
        since=since,
    )
    return [UnknownBatch(**row) for row in rows]


def readable_sightings(connection: Connection, workspace: str, limit: int) -> list[UnknownBatch]:
    """Some of the batches that the ledger doesn't know, have ended, and whose token is to be read now.

    Those that a person named come first, then those of as many requests as something unclear: counts say whom to ask
    first, and never what the answer is.
    """
    rows = fetch_all(
        connection,
        """
        SELECT api_id, items, api_created_at AS created_at, ended_at, ours, believed_of FROM sighting
        WHERE workspace = :workspace AND ours IS NULL AND ended_at IS NOT NULL
          AND (next_read_at IS NULL OR next_read_at <= now())
          AND NOT EXISTS (SELECT FROM submission WHERE submission.api_id = sighting.api_id)
        ORDER BY believed_of IS NULL, items NOT IN (
            SELECT items FROM submission WHERE state = 'unclear' AND items IS NOT NULL
        ), api_created_at LIMIT :most
        """,
        workspace=workspace,
        most=limit,
    )
    return [UnknownBatch(**row) for row in rows]


def postpone_reading(connection: Connection, api_id: str) -> None:
    """Its token couldn't be read: at once again at first, then after longer and longer pauses, up to an hour."""
    execute(
        connection,
        """
        UPDATE sighting SET tries = tries + 1,
            next_read_at = now() + make_interval(secs => CASE WHEN tries < 3 THEN 0 ELSE 2.0 ^ least(tries, 12) END)
        WHERE api_id = :api_id
        """,
        api_id=api_id,
    )


def running_sightings(connection: Connection, workspace: str) -> list[str]:
    """Batches that the ledger doesn't know, whose token can't be read before they end; none runs for three days."""
    rows = fetch_all(
        connection,
        """
        SELECT api_id FROM sighting
        WHERE workspace = :workspace AND ended_at IS NULL AND ours IS NULL AND seen_at > now() - interval '3 days'
          AND NOT EXISTS (SELECT FROM submission WHERE submission.api_id = sighting.api_id)
        """,
        workspace=workspace,
    )
    return [row["api_id"] for row in rows]


def believe(connection: Connection, workspace: str, seen: UnknownBatch) -> None:
    """A person says which submission a batch is. It is looked at until its token proves it, or proves otherwise."""
    note_unknown_batches(connection, workspace, [seen])
    execute(
        connection,
        "UPDATE sighting SET believed_of = :submission_id, ours = NULL, next_read_at = NULL WHERE api_id = :api_id",
        submission_id=seen.believed_of,
        api_id=seen.api_id,
    )


def judge(connection: Connection, api_id: str, *, ours: bool) -> None:
    """A token proved whose batch a sighting is.

    Ours it is only once its id is on a submission: a poller from before a restore saved it on a row that is forgotten.
    """
    execute(
        connection,
        """
        UPDATE sighting SET ours = :ours
        WHERE api_id = :api_id
          AND (NOT :ours OR EXISTS (SELECT FROM submission WHERE submission.api_id = sighting.api_id))
        """,
        api_id=api_id,
        ours=ours,
    )


def submission_of(connection: Connection, token: str) -> int | None:
    """The submission that was made with this token; its twins are known by it."""
    row = fetch_one(connection, "SELECT id FROM submission WHERE token = :token AND twin_of IS NULL", token=token)
    return None if row is None else int(row["id"])
