"""Workspaces: what holds them, and what the API calls them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from overnight_models.ledger.database import count, run

SENDABLE = "workspace.held_at IS NULL AND (workspace.not_before IS NULL OR workspace.not_before <= now())"
"""The guard: this workspace may be sent to."""


@dataclass(frozen=True)
class WorkspaceState:
    """What the ledger knows of a workspace."""

    name: str
    api_workspace_id: str | None
    held_reason: str | None
    held_for_s: float | None


def workspaces(connection: Connection) -> list[WorkspaceState]:
    """Every workspace that ever had an item."""
    rows = run(
        connection,
        """
        SELECT name, api_workspace_id, held_reason, extract(epoch FROM now() - held_at)::float AS held_for_s
        FROM workspace ORDER BY name
        """,
    )
    return [WorkspaceState(**row) for row in rows]


def learn(connection: Connection, name: str, api_workspace_id: str) -> None:
    """Remember what the API calls this workspace."""
    count(
        connection,
        "UPDATE workspace SET api_workspace_id = :id WHERE name = :name AND api_workspace_id IS DISTINCT FROM :id",
        name=name,
        id=api_workspace_id,
    )


def hold(connection: Connection, name: str, reason: str) -> bool:
    """Stop sending to a workspace. Returns False when it was held already."""
    return (
        count(
            connection,
            "UPDATE workspace SET held_at = now(), held_reason = :reason WHERE name = :name AND held_at IS NULL",
            name=name,
            reason=reason,
        )
        == 1
    )


def release(connection: Connection, name: str) -> bool:
    """Send to a held workspace again. Returns False when it wasn't held."""
    return (
        count(
            connection,
            """
            UPDATE workspace SET held_at = NULL, held_reason = NULL, not_before = NULL
            WHERE name = :name AND held_at IS NOT NULL
            """,
            name=name,
        )
        == 1
    )


def slow_down(connection: Connection, name: str, pause_s: float) -> None:
    """Send nothing to a workspace for a while."""
    count(
        connection,
        """
        UPDATE workspace SET not_before = greatest(not_before, now() + make_interval(secs => :pause_s))
        WHERE name = :name
        """,
        name=name,
        pause_s=pause_s,
    )
