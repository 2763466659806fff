"""Workspaces: what holds them, and what the API calls them."""

from __future__ import annotations

from dataclasses import dataclass

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.deployment import LOOKED
from overnight_models.ledger.rows import execute, fetch_all
from overnight_models.states import BATCH

SENDABLE = f"""
    workspace.held_at IS NULL AND (workspace.not_before IS NULL OR workspace.not_before <= now()) AND {LOOKED}
"""
"""The guard: this workspace may be sent to."""

QUEUED = """
    SELECT headers.workspace, sum(coalesce(submission.items, batch.items))::bigint AS n
    FROM submission JOIN batch ON batch.id = submission.batch_id JOIN headers ON headers.id = batch.headers_id
    WHERE submission.state IN ('claimed', 'sending', 'unclear', 'open') AND submission.ended_at IS NULL
    GROUP BY headers.workspace
"""
"""Requests that are in the API's queue, or may be: it doesn't say how many of a running batch are done."""


@dataclass(frozen=True)
class WorkspaceState:
    """What the ledger knows of a workspace."""

    name: str
    api_workspace_id: str | None
    held_reason: str | None
    held_for_s: float | None
    holds: int = 0
    """How often in a row it was held."""
    until_resumed: bool = False
    """It isn't tried again before somebody says so."""
    unread_for_s: float | None = None
    """For how long its list of batches can't be read, or not all of it."""
    unread_why: str | None = None
    look_in_s: float = 0.0
    """Its list isn't asked for again before."""
    queued: int = 0
    """Requests that are in the API's queue, or may be."""
    smallest_packed: int | None = None
    """Items of the smallest batch that is to be sent."""
    read_s: float | None = None
    """Since all that was asked of its list of batches could be read; None: it never was."""


def workspaces(connection: Connection) -> list[WorkspaceState]:
    """Every workspace that ever had an item."""
    return fetch_all(
        connection,
        WorkspaceState,
        f"""
        SELECT name, api_workspace_id, held_reason, extract(epoch FROM now() - held_at)::float AS held_for_s, holds,
               held_until_resumed AS until_resumed,
               extract(epoch FROM now() - unread_since)::float AS unread_for_s, unread_why,
               coalesce(extract(epoch FROM look_after - now()), 0)::float AS look_in_s,
               coalesce(queued.n, 0) AS queued, (
                   SELECT min(batch.items)
                   FROM batch JOIN headers ON headers.id = batch.headers_id JOIN lane ON lane.id = batch.lane_id
                   WHERE headers.workspace = workspace.name AND batch.{BATCH.claim.where} AND lane.paused_at IS NULL
               ) AS smallest_packed, extract(epoch FROM now() - read_at)::float AS read_s
        FROM workspace LEFT JOIN ({QUEUED}) queued ON queued.workspace = workspace.name ORDER BY name
        """,
    )


def learn(connection: Connection, name: str, api_workspace_id: str) -> None:
    """Remember what the API calls this workspace."""
    execute(
        connection,
        "UPDATE workspace SET api_workspace_id = :id WHERE name = :name AND api_workspace_id IS DISTINCT FROM :id",
        name=name,
        id=api_workspace_id,
    )


def hold(connection: Connection, name: str, reason: str, *, until_resumed: bool = False) -> bool:
    """Stop sending to a workspace. Returns False when it was held already.

    until_resumed: trying again is of no use before a person has changed something.
    """
    return (
        execute(
            connection,
            """
            UPDATE workspace SET held_at = now(), held_reason = :reason, holds = holds + 1,
                                 held_until_resumed = :until_resumed
            WHERE name = :name AND held_at IS NULL
            """,
            name=name,
            reason=reason,
            until_resumed=until_resumed,
        )
        == 1
    )


def release(connection: Connection, name: str) -> bool:
    """Send to a held workspace again. Returns False when it wasn't held."""
    return (
        execute(
            connection,
            """
            UPDATE workspace SET held_at = NULL, held_reason = NULL, held_until_resumed = false, not_before = NULL
            WHERE name = :name AND held_at IS NOT NULL
            """,
            name=name,
        )
        == 1
    )


def is_well(connection: Connection, name: str) -> None:
    """A create worked: whatever held the workspace before is over."""
    execute(connection, "UPDATE workspace SET holds = 0 WHERE name = :name AND holds > 0", name=name)


def slow_down(connection: Connection, name: str, pause_s: float) -> None:
    """Send nothing to a workspace for a while."""
    execute(
        connection,
        """
        UPDATE workspace SET not_before = greatest(not_before, now() + make_interval(secs => :pause_s))
        WHERE name = :name
        """,
        name=name,
        pause_s=pause_s,
    )


def note_look(connection: Connection, name: str, unread: str | None, *, pause_s: float) -> None:
    """What a look at a workspace's batches found.

    unread: what of its list can't be read; None when all of it was.
    pause_s: nobody looks again before.
    """
    execute(
        connection,
        """
        UPDATE workspace
        SET unread_since = CASE WHEN CAST(:unread AS text) IS NOT NULL THEN coalesce(unread_since, now()) END,
            read_at = CASE WHEN CAST(:unread AS text) IS NULL THEN now() ELSE read_at END,
            unread_why = :unread, look_after = now() + make_interval(secs => :pause_s)
        WHERE name = :name
        """,
        name=name,
        unread=None if unread is None else unread.replace("\x00", "")[:1000],
        pause_s=pause_s,
    )
