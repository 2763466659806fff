"""The pulse of the stages: when each last ran, and since when there is work for it.

Every row is written by a stage that runs, or by the sweep. So whatever stops, a beat, a worker, a broker, is seen by
whoever reads the ledger: the time of the last sweep grows old, or work waits for a stage that doesn't run. A stage that
runs and fails says that too.
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
    failing_s: float | None = None
    """Since when it fails for reasons of our own; None: it doesn't."""
    failing_why: str | None = None
    """The last of them."""


def note_run(connection: Connection, stage: str) -> str | None:
    """A stage runs now. Returns why it fails, where it does: whoever succeeds at that says so (`note_success`)."""
    return fetch_value(
        connection,
        str,
        """
        INSERT INTO pulse (stage, ran_at) VALUES (:stage, now()) ON CONFLICT (stage) DO UPDATE SET ran_at = now()
        RETURNING CASE WHEN failing_until > now() THEN failing_why END
        """,
        stage=stage,
    )


def note_success(connection: Connection, stage: str, why: str) -> None:
    """What a stage failed at has gone well: it fails no more, unless it has failed by something else meanwhile.

    why: as it was noted.
    """
    execute(
        connection,
        """
        UPDATE pulse SET failing_until = now()
        WHERE stage = :stage AND failing_until > now() AND failing_why = :why
        """,
        stage=stage,
        why=as_noted(why),
    )


def as_noted(why: str) -> str:
    """The reason of a failure as its row has it: no text in Postgres holds a zero byte."""
    return why.replace("\x00", "\ufffd")


def note_failure(
    connection: Connection, stage: str, why: str, *, lasts_s: float, unless_known_of: str | None = None
) -> None:
    """A stage failed for a reason of our own. It counts as failing for so long, or until it fails again.

    unless_known_of: the work that it failed at; where the last failure was at the same, its reason stays.
    """
    execute(
        connection,
        """
        INSERT INTO pulse (stage, failing_since, failing_until, failing_why)
        VALUES (:stage, now(), now() + make_interval(secs => :lasts_s), :why)
        ON CONFLICT (stage) DO UPDATE
        SET failing_since = CASE WHEN pulse.failing_until > now() THEN pulse.failing_since ELSE now() END,
            failing_until = greatest(pulse.failing_until, excluded.failing_until),
            failing_why = CASE WHEN starts_with(pulse.failing_why, CAST(:known AS text)) THEN pulse.failing_why
                               ELSE excluded.failing_why END
        """,
        stage=stage,
        why=as_noted(why),
        lasts_s=lasts_s,
        known=None if unless_known_of is None else f"{unless_known_of}: ",
    )


def note_work(connection: Connection, stages: Sequence[str]) -> None:
    """There is work for these stages, and for no others; said by the sweep.

    A submitter that is sending is at work until `send_by`, however long that takes.
    """
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
               extract(epoch FROM now() - work_since)::float AS work_s,
               CASE WHEN failing_until > now() THEN extract(epoch FROM now() - failing_since)::float END AS failing_s,
               CASE WHEN failing_until > now() THEN failing_why END AS failing_why
        FROM pulse ORDER BY stage
        """,
    )
    return [Pulse(**row) for row in rows]
