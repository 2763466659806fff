"""Polling: what a list of the API's batches says about ours, and about those that we don't know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from overnight_models.ledger.database import execute, fetch_all, fetch_one
from overnight_models.states import BATCH


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
    """Submissions of a workspace that aren't over, and lost ones that a late listing may still bring back."""
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
               OR submission.state = 'open' AND ended_at IS NULL
               OR submission.state = 'lost' AND claimed_at > now() - interval '30 hours')
        ORDER BY submission.id
        """,
        workspace=workspace,
    )
    return [Watched(**row) for row in rows]


def now(connection: Connection) -> datetime:
    """The database's clock."""
    row = fetch_one(connection, "SELECT clock_timestamp() AS now")
    assert row is not None
    found = row["now"]
    assert isinstance(found, datetime)
    return found


def end(connection: Connection, submission_id: int, ended_at: datetime, counts: str) -> bool:
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
    execute(
        connection,
        f"""
        UPDATE batch SET {BATCH.end.set}, changed_at = now()
        FROM submission
        WHERE submission.id = :id AND submission.state = 'open' AND batch.id = submission.batch_id
          AND batch.{BATCH.end.where}
        """,
        id=submission_id,
    )
    return ended == 1


def doubles(connection: Connection, workspace: str) -> dict[int, str]:
    """Submissions that run although an earlier create of their batch is known to have worked, and their API ids."""
    rows = fetch_all(
        connection,
        """
        SELECT submission.id, submission.api_id
        FROM submission JOIN batch ON batch.id = submission.batch_id JOIN headers ON headers.id = batch.headers_id
        WHERE headers.workspace = :workspace
          AND submission.state = 'open' AND submission.ended_at IS NULL AND submission.cancel_asked_at IS NULL
          AND EXISTS (
              SELECT FROM submission earlier
              WHERE earlier.batch_id = submission.batch_id AND earlier.state IN ('open', 'done')
                AND (earlier.api_created_at, earlier.id) < (submission.api_created_at, submission.id)
          )
        """,
        workspace=workspace,
    )
    return {row["id"]: row["api_id"] for row in rows}


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
    """Note batches that the ledger doesn't know, and when they ended (R9)."""
    for seen in unknown:
        execute(
            connection,
            """
            INSERT INTO sighting (api_id, workspace, items, api_created_at, ended_at)
            VALUES (:api_id, :workspace, :items, :created_at, :ended_at)
            ON CONFLICT (api_id) DO UPDATE SET ended_at = coalesce(sighting.ended_at, excluded.ended_at)
            """,
            api_id=seen.api_id,
            workspace=workspace,
            items=seen.items,
            created_at=seen.created_at,
            ended_at=seen.ended_at,
        )


def unknown_batches(connection: Connection, workspace: str, since: datetime) -> list[UnknownBatch]:
    """Batches that the ledger doesn't know, created since then, that aren't proven to be a stranger's."""
    rows = fetch_all(
        connection,
        """
        SELECT api_id, items, api_created_at AS created_at, ended_at, ours, believed_of FROM sighting
        WHERE workspace = :workspace AND api_created_at >= :since AND ours IS DISTINCT FROM false
          AND NOT EXISTS (SELECT FROM submission WHERE submission.api_id = sighting.api_id)
        ORDER BY api_created_at
        """,
        workspace=workspace,
        since=since,
    )
    return [UnknownBatch(**row) for row in rows]


def running_sightings(connection: Connection, workspace: str) -> list[str]:
    """Batches that the ledger doesn't know, whose token can't be read before they end."""
    rows = fetch_all(
        connection,
        """
        SELECT api_id FROM sighting WHERE workspace = :workspace AND ended_at IS NULL AND ours IS NULL
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
        "UPDATE sighting SET believed_of = :submission_id, ours = NULL WHERE api_id = :api_id",
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
    """The submission that has this token."""
    row = fetch_one(connection, "SELECT id FROM submission WHERE token = :token", token=token)
    return None if row is None else int(row["id"])
