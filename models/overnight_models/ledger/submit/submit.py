"""Submitting: a batch is created at the API once, and every fact about that is kept.

The rules R1 to R11 are in `overnight_workers.stages.protocol`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from overnight_models.errors import PermanentError
from overnight_models.ledger.bodies import said
from overnight_models.ledger.bodies.requests import RequestReader, Row
from overnight_models.ledger.cancel import unpack
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.copying import driver_connection
from overnight_models.ledger.deployment import AT_HOME
from overnight_models.ledger.money import settle
from overnight_models.ledger.moves import move_batch, move_locked_batch, move_submission
from overnight_models.ledger.presence import is_gone
from overnight_models.ledger.rows import ByName, execute, fetch_one, fetch_only
from overnight_models.ledger.submit.facts import follow, sent_before, whole
from overnight_models.ledger.submit.unsent import leave_to_calls
from overnight_models.ledger.workspaces import QUEUED, SENDABLE
from overnight_models.states import BATCH, SUBMISSION

OWN_FAILURE: Final = "failed here: "
"""What the reason of a batch begins with that was given back for a failure of our own."""


@dataclass(frozen=True)
class Claim:
    """A batch that this process, and no other, is about to send."""

    submission_id: int
    batch_id: int
    token: str
    workspace: str
    betas: str
    api_version: str
    items: int
    longest: int
    """Bytes of its longest request."""
    releases: int
    has_prefixes: bool
    """Some of its items have a prefix."""


_BUSY: Final = f"""
    SELECT headers.workspace
    FROM submission JOIN batch ON batch.id = submission.batch_id JOIN headers ON headers.id = batch.headers_id
    WHERE (submission.state = 'claimed' AND submission.lease_until > now()
           OR submission.state = 'sending' AND submission.send_by > now())
      AND NOT {is_gone("submission.owner")}
"""
"""Workspaces that a submitter is sending to: another submitter is left for the other workspaces."""


def claim(
    connection: Connection, *, token: str, owner: int, lease_s: float, queue_limits: Mapping[str, int] | None = None
) -> Claim | None:
    """Take the oldest batch that may be sent, with a submission and a token of its own (R1). None when there is none.

    Never one of which a submission may still run: a claim asks again, whatever freed the batch (R7). Never one of a
    workspace that another submitter is sending to: a create that hangs holds one submitter, and the others' batches go.

    queue_limits: by workspace, how many requests may be in the API's queue; None: that isn't asked. Two that claim at
    the same moment may go over it by a batch: then the API says so, and that batch waits. They may also both send to
    one workspace.
    """
    batch, left = _batch_with_items(connection, queue_limits)
    if batch is None:
        return None
    move_locked_batch(connection, BATCH.claim, batch["id"], None)
    submission = fetch_one(
        connection,
        """
        INSERT INTO submission (batch_id, token, state, owner, lease_until, api_workspace_id)
        VALUES (:batch_id, :token, 'claimed', :owner, now() + make_interval(secs => :lease_s), :api_workspace_id)
        RETURNING id
        """,
        batch_id=batch["id"],
        token=token,
        owner=owner,
        lease_s=lease_s,
        api_workspace_id=batch["api_workspace_id"],
    )
    assert submission is not None
    return Claim(
        submission["id"],
        batch["id"],
        token,
        batch["workspace"],
        batch["betas"],
        batch["api_version"],
        left.n,
        left.longest,
        batch["releases"],
        batch["has_prefixes"],
    )


class _Left(NamedTuple):
    """The items that a batch still has."""

    n: int = 0
    longest: int = 0
    """Bytes of the largest request."""


def _batch_with_items(connection: Connection, queue_limits: Mapping[str, int] | None) -> tuple[ByName | None, _Left]:
    """The oldest batch that may be sent, locked, and its items. Those without any are ended on the way."""
    while (batch := _sendable_batch(connection, queue_limits)) is not None:
        leave_to_calls(connection, batch["id"])
        unpack(connection, batch_id=batch["id"])
        left = fetch_only(
            connection,
            _Left,
            "SELECT count(*) AS n, max(size) AS longest FROM item WHERE batch_id = :id AND state = 'batched'",
            id=batch["id"],
        )
        if left.n:
            return batch, left
        # each turn ends a batch, so there are as many turns as batches
        move_locked_batch(connection, BATCH.empty, batch["id"], "its last item was taken back or answered")
        settle.close(connection, batch["id"])
    return None, _Left()


def _sendable_batch(connection: Connection, queue_limits: Mapping[str, int] | None) -> ByName | None:
    """The oldest batch that may be sent, locked."""
    return fetch_one(
        connection,
        f"""
        WITH queued AS ({QUEUED}), busy AS ({_BUSY})
        SELECT batch.id, batch.items, batch.releases, batch.has_prefixes, headers.workspace,
               headers.betas, headers.api_version, workspace.api_workspace_id
        FROM batch
        JOIN headers ON headers.id = batch.headers_id
        JOIN workspace ON workspace.name = headers.workspace
        JOIN lane ON lane.id = batch.lane_id
        WHERE batch.{BATCH.claim.where}
          AND (batch.not_before IS NULL OR batch.not_before <= now())
          AND lane.paused_at IS NULL AND {SENDABLE}
          AND headers.workspace NOT IN (SELECT workspace FROM busy)
          AND (CAST(:names AS text[]) IS NULL OR batch.items <= (
              SELECT most - coalesce((SELECT n FROM queued WHERE queued.workspace = headers.workspace), 0)
              FROM unnest(CAST(:names AS text[]), CAST(:limits AS bigint[])) AS allowed (name, most)
              WHERE name = headers.workspace
          ))
          AND NOT {sent_before("batch")}
        ORDER BY batch.id LIMIT 1
        FOR UPDATE OF batch SKIP LOCKED
        """,
        names=None if queue_limits is None else list(queue_limits),
        limits=None if queue_limits is None else list(queue_limits.values()),
    )


_FETCHED_ROWS: Final = 2000
_FETCHED_BYTES: Final = 4_000_000
"""Of requests that are in memory at once; one that is longer alone."""


class Unreadable(PermanentError):
    """The requests of some items of a batch can't be read: it can't be sent with these. See `unsent.put_aside`."""

    def __init__(self, damaged: Mapping[int, str]) -> None:
        """damaged: by item, why."""
        super().__init__(f"the requests of {len(damaged):,} of its items can't be read: {next(iter(damaged.values()))}")
        self.damaged = damaged


class BatchRequest(NamedTuple):
    """A request of a batch."""

    item_id: int
    own: bytes
    """JSON, without its prefix."""
    prefix_id: int | None
    model_id: int


def requests(connection: Connection, claim: Claim) -> Iterator[BatchRequest]:
    """The batch's requests, from a cursor on the server: flat for any number and length.

    Raises Unreadable at the end.
    """
    yield from _from_cursor(connection, _REQUESTS.format(order="id"), claim)


def requests_by_prefix(connection: Connection, claim: Claim) -> Iterator[BatchRequest]:
    """The same, but equal prefixes and models stand together, as the API's cache wants them."""
    yield from _from_cursor(connection, _REQUESTS.format(order="prefix_id, model_id, id"), claim)


# sorted before the wide rows are read, one by one in that order
_REQUESTS: Final = """
    SELECT narrow.id AS item_id, request.params, body_group, body_place, narrow.prefix_id, narrow.model_id
    FROM (
        SELECT id, prefix_id, model_id FROM item WHERE batch_id = %s AND state = 'batched' ORDER BY {order} OFFSET 0
    ) narrow
    CROSS JOIN LATERAL (
        SELECT params, body_group, body_place FROM request WHERE item_id = narrow.id OFFSET 0
    ) request
"""


def _from_cursor(connection: Connection, statement: str, claim: Claim) -> Iterator[BatchRequest]:
    reader = RequestReader(connection)
    with driver_connection(connection).cursor(name="batch_requests", binary=True) as cursor:
        cursor.itersize = min(max(_FETCHED_BYTES // claim.longest, 1), _FETCHED_ROWS)
        cursor.execute(statement.encode(), (claim.batch_id,))
        for item_id, params, group, place, prefix_id, model_id in cursor:
            own = reader.text(Row(item_id, params, group, place))
            if own is not None:
                yield BatchRequest(item_id, own, prefix_id, model_id)
    if reader.damaged:
        raise Unreadable(reader.damaged)


def send(
    connection: Connection, submission_id: int, *, items: int, create_timeout_s: float, allowance_s: float
) -> bool:
    """The body is built and frozen: from here on bytes may be on the wire, until `send_by` (R2).

    allowance_s: how long after `send_by` a batch may take to be listed (R4).
    False when the lease ran out and somebody else took over.
    """
    return (
        execute(
            connection,
            f"""
            UPDATE submission SET {SUBMISSION.send.set}, items = :items, lease_until = NULL,
                send_by = clock_timestamp() + make_interval(secs => :create_timeout_s),
                quiet_after = clock_timestamp() + make_interval(secs => :create_timeout_s + :allowance_s)
            WHERE id = :id AND {SUBMISSION.send.where} AND lease_until > clock_timestamp()
            """,
            id=submission_id,
            items=items,
            create_timeout_s=create_timeout_s,
            allowance_s=allowance_s,
        )
        == 1
    )


def authorize_last_bytes(connection: Connection, submission_id: int, *, margin_s: float) -> bool:
    """Say durably that the last bytes are about to be written, if they still may (R2).

    False when the time is over, by the database's clock, somebody else took over, an earlier submission of the batch
    turned out to live, or the ledger was restored and may have forgotten all that: then they must not be written.
    Until this is committed the submission is known not to be created, whatever happens to its sender.
    """
    return (
        execute(
            connection,
            f"""
            UPDATE submission SET let_go_at = clock_timestamp()
            WHERE id = :id AND state = 'sending' AND let_go_at IS NULL AND {AT_HOME}
              AND clock_timestamp() < send_by - make_interval(secs => :margin_s)
              AND NOT EXISTS (
                  {whole("submission.batch_id")}
                  SELECT FROM whole JOIN submission other ON other.batch_id = whole.id
                  WHERE other.id <> submission.id AND other.api_id IS NOT NULL AND other.state <> 'done'
              )
            """,
            id=submission_id,
            margin_s=margin_s,
        )
        == 1
    )


def doubt(connection: Connection, submission_id: int, batch_id: int, why: str) -> bool:
    """Nobody knows whether it was created. False when something became known meanwhile."""
    words = said.of_batch(connection, batch_id, submission_id, why)
    moved = move_submission(connection, SUBMISSION.doubt, submission_id, words.of_submission)
    return moved and move_batch(connection, BATCH.doubt, batch_id, words.of_batch)


def release(connection: Connection, submission_id: int, batch_id: int, why: str, *, pause_s: float) -> bool:
    """It is known not to have been created: the batch may be sent again after a pause."""
    words = said.of_batch(connection, batch_id, submission_id, why)
    if not move_submission(connection, SUBMISSION.void, submission_id, words.of_submission):
        return False
    if follow(connection, batch_id):
        return True
    if move_batch(connection, BATCH.release, batch_id, words.of_batch):
        execute(
            connection,
            """
            UPDATE batch SET releases = releases + 1, not_before = now() + make_interval(secs => :pause_s)
            WHERE id = :id
            """,
            id=batch_id,
            pause_s=pause_s,
        )
    return True


def release_unsent(connection: Connection, submission_id: int, batch_id: int, why: str, *, pause_s: float) -> bool:
    """Its own submitter failed before the last bytes: given back with the reason, for an alarm. False when they went.

    Only the submitter itself may say so, and only when it writes nothing any more.
    """
    unsent = fetch_one(
        connection,
        """
        SELECT id FROM submission WHERE id = :id AND state IN ('claimed', 'sending') AND let_go_at IS NULL FOR UPDATE
        """,
        id=submission_id,
    )
    return unsent is not None and release(connection, submission_id, batch_id, OWN_FAILURE + why, pause_s=pause_s)


def reject(connection: Connection, submission_id: int, batch_id: int, why: str) -> bool:
    """The API turned the create down: nothing was created, nothing is billed.

    A batch of which an earlier submission is open follows that one, and isn't divided.
    """
    words = said.of_batch(connection, batch_id, submission_id, why)
    if not move_submission(connection, SUBMISSION.void, submission_id, words.of_submission):
        return False
    return follow(connection, batch_id) or move_batch(connection, BATCH.reject, batch_id, words.of_batch)


def open_submission_of(connection: Connection, batch_id: int) -> int | None:
    """The submission of a batch that is at the API and not recorded."""
    row = fetch_one(
        connection, "SELECT min(id) AS id FROM submission WHERE batch_id = :id AND state = 'open'", id=batch_id
    )
    return None if row is None else row["id"]


def say_why_unclear(connection: Connection, batch_id: int, why: str) -> None:
    """What keeps it unclear, for whoever looks."""
    execute(
        connection,
        "UPDATE batch SET reason = :why WHERE id = :id AND state = 'unclear' AND reason IS DISTINCT FROM :why",
        id=batch_id,
        why=why,
    )


def lose(connection: Connection, submission_id: int, batch_id: int, why: str = "no list that counts shows it") -> bool:
    """A list that counts doesn't show it, or a person says so: believed never created, and sent again (R4, R5, R10).

    False when it isn't unclear any more, or its API id was noted meanwhile.
    """
    lost = execute(
        connection,
        f"""
        UPDATE submission SET {SUBMISSION.lose.set}, error = :why
        WHERE id = :id AND {SUBMISSION.lose.where} AND api_id IS NULL
        """,
        id=submission_id,
        why=why,
    )
    if not lost:
        return False
    settle.keep_for_lost(connection, batch_id, submission_id)
    return follow(connection, batch_id) or move_batch(connection, BATCH.free, batch_id, "believed never created")


def set_workspace(connection: Connection, submission_id: int, api_workspace_id: str) -> None:
    """What the API calls the workspace that a submission is about to be sent to."""
    execute(
        connection,
        "UPDATE submission SET api_workspace_id = :api_workspace_id WHERE id = :id AND state = 'claimed'",
        id=submission_id,
        api_workspace_id=api_workspace_id,
    )
