"""The pulse of the stages: when each last ran, and since when there is work for it.

Every row is written by a stage that runs, or by the sweep. So whatever stops, a beat, a worker, a broker, is seen by
whoever reads the ledger: the time of the last sweep grows old, or work waits for a stage that doesn't run. What a stage
that runs fails at: `failures.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from overnight_models import routes
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_all, fetch_value


@dataclass(frozen=True)
class Pulse:
    """One stage, at the moment of reading."""

    stage: str
    """As `routes` names it."""
    silent_s: float | None
    """Since it last ran; None: it never did."""
    work_s: float | None
    """Since when the sweep finds work for it; None: there is none."""


def note_run(connection: Connection, stage: str) -> list[str]:
    """A stage runs now. Returns what it fails at: whoever succeeds at one of these says so (`failures.end`)."""
    failing: list[str] | None = fetch_value(
        connection,
        list,
        """
        INSERT INTO pulse (stage, ran_at) VALUES (:stage, now()) ON CONFLICT (stage) DO UPDATE SET ran_at = now()
        RETURNING ARRAY(SELECT what FROM failure WHERE failure.stage = pulse.stage)
        """,
        stage=stage,
    )
    return failing or []


def note_work(connection: Connection, stages: Sequence[str]) -> None:
    """There is work for these stages, and for no others; said by the sweep.

    A submitter that is sending is at work until `send_by`, however long that takes.
    """
    if stages:
        execute(
            connection,
            f"""
            INSERT INTO pulse (stage, work_since)
            SELECT stage, now() FROM unnest(CAST(:stages AS text[])) AS busy (stage)
            WHERE stage <> '{routes.SUBMIT}'
               OR NOT EXISTS (SELECT FROM submission WHERE state = 'sending' AND send_by > now())
            ON CONFLICT (stage) DO UPDATE SET work_since = coalesce(pulse.work_since, now())
            """,
            stages=list(stages),
        )
    execute(
        connection,
        f"""
        UPDATE pulse SET work_since = NULL
        WHERE work_since IS NOT NULL AND (
            stage <> ALL (CAST(:stages AS text[]))
            OR stage = '{routes.SUBMIT}'
               AND EXISTS (SELECT FROM submission WHERE state = 'sending' AND send_by > now())
        )
        """,
        stages=list(stages),
    )


def pulses(connection: Connection) -> list[Pulse]:
    """Every stage that ever ran or had work."""
    rows = fetch_all(
        connection,
        """
        SELECT stage, extract(epoch FROM now() - ran_at)::float AS silent_s,
               extract(epoch FROM now() - work_since)::float AS work_s
        FROM pulse ORDER BY stage
        """,
    )
    return [Pulse(**row) for row in rows]
