"""Runs that will likely miss their `finish_by`: looked at once a minute, since counting their items costs something.

What came of a look stands in the run's row, and an alarm costs no more than to read that.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_all, fetch_column

IS_UNLOOKED: Final = """
    finish_at IS NOT NULL AND ended_at IS NULL
    AND (late_looked_at IS NULL OR late_looked_at < now() - interval '1 minute')
"""
"""A run of which nobody has looked for a minute whether it will be done in time."""


def unlooked(connection: Connection, *, limit: int) -> list[int]:
    """The ids of such runs, those first that must be done first."""
    return fetch_column(
        connection,
        int,
        f"SELECT id FROM catalog_run WHERE {IS_UNLOOKED} ORDER BY finish_at, id LIMIT :limit",
        limit=limit,
    )


def take_look(connection: Connection, run_id: int) -> bool:
    """Look at a run; nobody else does for a minute. False when somebody has, or it is over."""
    return bool(
        execute(
            connection,
            f"UPDATE catalog_run SET late_looked_at = now() WHERE id = :id AND {IS_UNLOOKED}",
            id=run_id,
        )
    )


def note(connection: Connection, run_id: int, why: str | None) -> None:
    """What the look has shown. why: None when the run may still be done in time."""
    execute(
        connection,
        "UPDATE catalog_run SET late = :why WHERE id = :id AND ended_at IS NULL AND late IS DISTINCT FROM :why",
        id=run_id,
        why=why,
    )


class LateRun(NamedTuple):
    """A run that isn't over, and will likely not be done by its `finish_by`, or isn't done though that is over."""

    name: str
    why: str
    is_asking: bool


def late_runs(connection: Connection) -> list[LateRun]:
    """As the last look has shown, those first that should be done first."""
    return fetch_all(
        connection,
        LateRun,
        """
        SELECT catalog.name || '-' || number AS name, late AS why, state = 'asking' AS is_asking
        FROM catalog_run JOIN catalog ON catalog.id = catalog_id
        WHERE ended_at IS NULL AND late IS NOT NULL
        ORDER BY finish_at, catalog_run.id LIMIT 100
        """,
    )
