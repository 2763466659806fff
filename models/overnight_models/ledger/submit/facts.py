"""Facts: what becomes known of a create counts whenever it comes, and in whatever state its submission is (R6, R7)."""

from __future__ import annotations

from datetime import datetime

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.deployment import AT_HOME
from overnight_models.ledger.moves import move_submission
from overnight_models.ledger.rows import execute, fetch_all, fetch_one
from overnight_models.states import BATCH, SUBMISSION


def lives(row: str) -> str:
    """The guard: a submission that may still run; one believed or said not to be, as soon as its id is noted (R7)."""
    return f"""
        ({row}.state IN ('claimed', 'sending', 'unclear', 'open')
         OR {row}.state IN ('lost', 'void') AND {row}.api_id IS NOT NULL)
    """


def whole(batch_id: str) -> str:
    """A batch, the batch that it is a part of, and so on: a CTE `whole (id)`. Requests of all of them overlap."""
    return f"""
        WITH RECURSIVE whole (id) AS (
            SELECT {batch_id}
            UNION ALL SELECT part.parent_id FROM whole JOIN batch part ON part.id = whole.id
            WHERE part.parent_id IS NOT NULL
        )
    """


def sent_before(batch: str) -> str:
    """The guard: a submission of this batch, or of a larger one that it is a part of, may still run (R7)."""
    return f"""
        (EXISTS (SELECT FROM submission WHERE submission.batch_id = {batch}.id AND {lives("submission")})
         -- few are parts, and only for these the larger ones are looked for
         OR {batch}.parent_id IS NOT NULL AND EXISTS (
             {whole(f"{batch}.parent_id")}
             SELECT FROM whole JOIN submission ON submission.batch_id = whole.id WHERE {lives("submission")}
         ))
    """


def note_api_id(
    connection: Connection, submission_id: int, api_id: str, created_at: datetime, expires_at: datetime | None
) -> int | None:
    """A fact, whoever brings it and whatever state the submission is in: the API created this batch (R6).

    Returns the submission that bears the id from now on. That is a twin when this one bears another id already: the API
    executed its create twice. None when the id is another submission's, so that it can't be this one's.
    """
    known = fetch_one(
        connection,
        """
        SELECT known.id, coalesce(known.twin_of, known.id) = coalesce(asked.twin_of, asked.id) AS own
        FROM submission known, submission asked WHERE known.api_id = :api_id AND asked.id = :id
        """,
        api_id=api_id,
        id=submission_id,
    )
    if known is not None:
        return int(known["id"]) if known["own"] else None
    values = {"id": submission_id, "api_id": api_id, "created_at": created_at, "expires_at": expires_at}
    noted = execute(
        connection,
        """
        UPDATE submission SET api_id = :api_id, api_created_at = :created_at, api_expires_at = :expires_at
        WHERE id = :id AND api_id IS NULL
        """,
        **values,
    )
    if noted:
        return submission_id
    # the batch first: the order in which everybody locks
    _lock_batch_of(connection, submission_id)
    twin = fetch_one(
        connection,
        """
        INSERT INTO submission (
            batch_id, token, twin_of, state, items, claimed_at, let_go_at, api_workspace_id, remembered,
            api_id, api_created_at, api_expires_at
        )
        SELECT batch_id, token, coalesce(twin_of, id), 'open', items, claimed_at, let_go_at, api_workspace_id,
               remembered, :api_id, :created_at, :expires_at
        FROM submission WHERE id = :id
        ON CONFLICT (api_id) DO UPDATE SET api_id = excluded.api_id
        RETURNING id
        """,
        **values,
    )
    return None if twin is None else int(twin["id"])


def _lock_batch_of(connection: Connection, submission_id: int) -> int | None:
    batch = fetch_one(
        connection,
        """
        SELECT batch.id FROM batch JOIN submission ON submission.batch_id = batch.id
        WHERE submission.id = :id FOR UPDATE OF batch
        """,
        id=submission_id,
    )
    return None if batch is None else int(batch["id"])


def open_submission(connection: Connection, submission_id: int) -> bool:
    """The submission's API id is known: it is open, and so is its batch. A successor not yet let go is void (R7).

    False when the batch already went on with another submission: this one is a double, to be collected and billed.
    """
    batch_id = _lock_batch_of(connection, submission_id)
    assert batch_id is not None, "its id was noted on it"
    is_open = "SELECT FROM submission WHERE id = :id AND state = 'open'"
    if (
        not move_submission(connection, SUBMISSION.open, submission_id)
        and fetch_one(connection, is_open, id=submission_id) is None
    ):
        return True  # its results are recorded by now; a twin is open from the start
    execute(
        connection,
        f"""
        UPDATE submission SET {SUBMISSION.void.set}, error = 'an earlier submission of this batch turned out to live'
        WHERE batch_id = :batch_id AND id <> :id AND (state = 'claimed' OR state = 'sending' AND let_go_at IS NULL)
          AND {AT_HOME}
        """,
        batch_id=batch_id,
        id=submission_id,
    )
    other = fetch_one(
        connection,
        """
        SELECT id FROM submission
        WHERE batch_id = :batch_id AND id <> :id AND state IN ('sending', 'unclear', 'open') LIMIT 1
        """,
        batch_id=batch_id,
        id=submission_id,
    )
    under_way = "SELECT FROM batch WHERE id = :id AND state IN ('open', 'canceling', 'ended', 'incomplete')"
    follows = follow(connection, batch_id) or fetch_one(connection, under_way, id=batch_id) is not None
    return follows and other is None


def follow(connection: Connection, batch_id: int) -> bool:
    """A batch of which a submission is open and none is under way is open, or ended, as that one is (R7).

    Whatever ends another submission of a batch asks this: the batch must not be sent, divided or emptied meanwhile.
    """
    opened = execute(
        connection,
        f"""
        UPDATE batch SET {BATCH.open.set}, changed_at = now(), reason = NULL
        WHERE id = :id AND {BATCH.open.where}
          AND EXISTS (SELECT FROM submission WHERE batch_id = batch.id AND submission.state = 'open')
          AND NOT EXISTS (
              SELECT FROM submission
              WHERE batch_id = batch.id AND submission.state IN ('claimed', 'sending', 'unclear')
          )
        """,
        id=batch_id,
    )
    if not opened:
        return False
    over = execute(
        connection,
        f"""
        UPDATE batch SET {BATCH.end.set}, changed_at = now()
        WHERE id = :id AND {BATCH.end.where} AND EXISTS (
            SELECT FROM submission
            WHERE batch_id = batch.id AND submission.state = 'open' AND submission.ended_at IS NOT NULL
        )
        """,
        id=batch_id,
    )
    assert over <= opened, "it is open until then"
    return True


def disown(connection: Connection, submission_id: int, why: str) -> bool:
    """The API id that it was given isn't its own, says a token: it is unclear again, and looked for by its own.

    False when it can't be so now: it isn't open, or another submission of its batch is under way.
    """
    _lock_batch_of(connection, submission_id)
    # whose it is isn't known any more, if it is on a list at all
    execute(
        connection,
        "UPDATE sighting SET ours = NULL WHERE api_id = (SELECT api_id FROM submission WHERE id = :id)",
        id=submission_id,
    )
    disowned = fetch_all(
        connection,
        f"""
        WITH disowned AS (
            UPDATE submission
            SET {SUBMISSION.disown.set}, error = :why, api_id = NULL, api_created_at = NULL, api_expires_at = NULL,
                ended_at = NULL, counts = NULL, lease_until = NULL, next_read_at = NULL, cancel_asked_at = NULL,
                quiet_after = coalesce(quiet_after, now())
            WHERE id = :id AND {SUBMISSION.disown.where} AND NOT EXISTS (
                SELECT FROM submission other
                WHERE other.batch_id = submission.batch_id AND other.state IN ('claimed', 'sending', 'unclear')
            )
            RETURNING batch_id
        ), moved AS (
            UPDATE batch SET {BATCH.disown.set}, changed_at = now(), reason = :why
            FROM disowned WHERE batch.id = disowned.batch_id AND batch.{BATCH.disown.where}
        )
        SELECT FROM disowned
        """,
        id=submission_id,
        why=why,
    )
    return bool(disowned)
