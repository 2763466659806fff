"""Pauses: models of a workspace that nothing is sent to in real time for a while, and why."""

from __future__ import annotations

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.direct.places import Place
from overnight_models.ledger.rows import execute, fetch_column


def pause(connection: Connection, place: Place, why: str, *, pause_s: float) -> None:
    """Nothing is sent to this model of this workspace for a while."""
    execute(
        connection,
        """
        INSERT INTO direct_pause (workspace, model_id, not_before, why)
        VALUES (:workspace, :model_id, now() + make_interval(secs => :pause_s), :why)
        ON CONFLICT (workspace, model_id) DO UPDATE
        SET not_before = greatest(direct_pause.not_before, excluded.not_before), why = excluded.why,
            since = CASE WHEN direct_pause.not_before < now() - interval '1 minute' THEN now()
                         ELSE direct_pause.since END
        """,
        workspace=place.workspace,
        model_id=place.model_id,
        pause_s=pause_s,
        why=why.replace("\x00", "")[:500],
    )


def waiting_models(connection: Connection) -> list[str]:
    """Models that nothing is sent to for now, each with its workspace and why, for people."""
    return fetch_column(
        connection,
        str,
        """
        SELECT model.name || ' of ' || workspace || ': ' || why FROM direct_pause
        JOIN model ON model.id = direct_pause.model_id WHERE not_before > now() ORDER BY 1
        """,
    )
