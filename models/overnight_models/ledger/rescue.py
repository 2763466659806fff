"""Rescuing: rows whose owner died go back one move, and the books are kept short."""

from __future__ import annotations

from typing import Final, NamedTuple

from overnight_models import routes
from overnight_models.ledger.catalogs.late_runs import IS_UNLOOKED as RUN_IS_UNLOOKED
from overnight_models.ledger.catalogs.reports import IS_UNSENT as REPORT_IS_UNSENT
from overnight_models.ledger.catalogs.runs import HAS_WORK as RUN_HAS_WORK
from overnight_models.ledger.catalogs.schedules import IS_DUE as SCHEDULE_IS_DUE
from overnight_models.ledger.collect.readable import READABLE
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.deliver.deliver import PLACES
from overnight_models.ledger.deliver.targets import IS_WEBHOOK, LOOKED_AT
from overnight_models.ledger.deployment import AT_HOME
from overnight_models.ledger.direct.places import HAS_WORK
from overnight_models.ledger.measure import IS_DUE, NOBODY_MEASURES
from overnight_models.ledger.presence import is_gone
from overnight_models.ledger.rows import execute, fetch_all, fetch_column, fetch_only
from overnight_models.ledger.submit.facts import follow
from overnight_models.ledger.submit.submit import OWN_FAILURE
from overnight_models.states import BATCH, SUBMISSION


class Unfinished(NamedTuple):
    """A batch whose submitters began it and didn't come to an end: dead, frozen, or unable to say so in the ledger."""

    batch_id: int
    times: int
    last_error: str | None
    """The last one that a submitter of it noted."""


class Voided(NamedTuple):
    """What became of submissions that were never sent."""

    submissions: int
    """They are known not to be created."""
    open_again: int
    """Batches of theirs that follow an earlier submission, which turned out to be open; the others are sent again."""
    unfinished: list[Unfinished]
    """Their batches, whatever became of them."""


def void_abandoned(connection: Connection) -> Voided:
    """Submissions that were never let go and whose submitter is dead or out of time: nothing was created.

    Letting go and this exclude each other: both change the row only as long as `let_go_at` is null. A restored ledger
    may have forgotten that it was let go, so it concludes nothing before it knows that it was restored.
    """
    released = fetch_column(
        connection,
        int,
        f"""
        WITH voided AS (
            UPDATE submission SET {SUBMISSION.void.set}, error = 'its submitter died before its last bytes'
            WHERE {SUBMISSION.void.where} AND let_go_at IS NULL AND api_id IS NULL
              AND (coalesce(send_by, lease_until) < clock_timestamp() OR {is_gone("owner")}) AND {AT_HOME}
            RETURNING batch_id
        )
        UPDATE batch SET {BATCH.release.set}, changed_at = now(), reason = 'its submitter died before its last bytes'
        FROM voided WHERE batch.id = voided.batch_id AND batch.{BATCH.release.where}
        RETURNING batch.id
        """,
    )
    if not released:
        return Voided(0, 0, [])
    open_again = sum(follow(connection, batch_id) for batch_id in released)
    unfinished = fetch_all(
        connection,
        """
        SELECT batch_id, count(*) FILTER (WHERE error = 'its submitter died before its last bytes') AS times,
               (array_agg(substr(error, length(:own) + 1) ORDER BY id DESC) FILTER (WHERE starts_with(error, :own)))[1]
                   AS last_error
        FROM submission WHERE batch_id = ANY(:batches) AND state = 'void' GROUP BY batch_id
        """,
        batches=released,
        own=OWN_FAILURE,
    )
    return Voided(len(released), open_again, [Unfinished(**row) for row in unfinished])


def doubt_abandoned(connection: Connection) -> int:
    """Submissions that were let go and whose submitter is dead or out of time: they may have been created.

    That its lock is gone doesn't prove that it is dead, so it may still write until `send_by`: `quiet_after` stays.
    """
    return execute(
        connection,
        f"""
        WITH doubted AS (
            UPDATE submission SET {SUBMISSION.doubt.set}, error = 'its submitter died before it knew the answer'
            WHERE {SUBMISSION.doubt.where} AND let_go_at IS NOT NULL
              AND (send_by + interval '1 second' < clock_timestamp() OR {is_gone("owner")})
            RETURNING batch_id
        )
        UPDATE batch
        SET {BATCH.doubt.set}, changed_at = now(), reason = 'its submitter died before it knew the answer'
        FROM doubted WHERE batch.id = doubted.batch_id AND batch.{BATCH.doubt.where}
        """,
    )


def noted_but_not_open(connection: Connection) -> list[int]:
    """Submissions whose API id was saved by somebody who died before saying that they are open."""
    noted = f"""
        SELECT id FROM submission
        -- two halves: each has an index of its own
        WHERE state NOT IN ('void', 'done') AND {SUBMISSION.open.where} AND api_id IS NOT NULL
           OR state = 'void' AND api_id IS NOT NULL
    """
    return fetch_column(connection, int, noted)


def fold_tally(connection: Connection) -> int:
    """Add up the tally's changes. Returns how many sums it wrote; those without a change stay as they are."""
    return execute(
        connection,
        # of many runs there are thousands of sums, and few of them change in a minute: those are found by counting,
        # since whatever collects rows of each sum takes kilobytes for each
        """
        WITH changed AS MATERIALIZED (
            SELECT noun, lane_id, run_id, headers_id, state FROM tally GROUP BY noun, lane_id, run_id, headers_id, state
            HAVING count(*) > 1 OR bool_and(n = 0 AND bytes = 0)
        ), folded AS (
            DELETE FROM tally USING changed
            WHERE tally.lane_id = changed.lane_id AND tally.noun = changed.noun AND tally.state = changed.state
              AND tally.run_id IS NOT DISTINCT FROM changed.run_id
              AND tally.headers_id IS NOT DISTINCT FROM changed.headers_id
            RETURNING tally.noun, tally.lane_id, tally.run_id, tally.headers_id, tally.state, n, bytes
        )
        INSERT INTO tally (noun, lane_id, run_id, headers_id, state, n, bytes)
        SELECT noun, lane_id, run_id, headers_id, state, sum(n), sum(bytes) FROM folded
        GROUP BY noun, lane_id, run_id, headers_id, state HAVING sum(n) <> 0 OR sum(bytes) <> 0
        """,
    )


def forget_sightings(connection: Connection, older_than_days: int = 30) -> int:
    """Batches at the API that were proven to be a stranger's, or are on a submission, long ago."""
    return execute(
        connection,
        """
        DELETE FROM sighting WHERE seen_at < now() - make_interval(days => :days) AND ours IS NOT NULL
        """,
        days=older_than_days,
    )


def forget_messages(connection: Connection, older_than_days: int = 7) -> int:
    """Accept messages that were answered long ago."""
    return execute(
        connection,
        # the first says it; the second, which is never later, has an index
        """
        DELETE FROM inbox
        WHERE done_at < now() - make_interval(days => :days) AND received_at < now() - make_interval(days => :days)
        """,
        days=older_than_days,
    )


class _Work(NamedTuple):
    """Which stages have something to do."""

    measure: bool
    pack: bool
    submit: bool
    collect: bool
    deliver: bool
    webhooks: bool
    direct: bool
    catalogs: bool


STAGES: Final = (
    routes.MEASURE,
    routes.PACK,
    routes.SUBMIT,
    routes.COLLECT,
    routes.DELIVER,
    routes.WEBHOOKS,
    routes.DIRECT,
    routes.CATALOGS,
)


def stages_with_work(connection: Connection) -> list[str]:
    """The stages that have something to do now, whoever forgot to ring for them."""
    work = fetch_only(
        connection,
        _Work,
        f"""
        SELECT EXISTS (SELECT FROM unmeasured WHERE {IS_DUE} AND {NOBODY_MEASURES}) AS measure,
               EXISTS (
                   SELECT FROM tally WHERE noun = 'item' AND state = 'waiting' GROUP BY lane_id HAVING sum(n) > 0
               ) AS pack,
               EXISTS (
                   SELECT FROM batch JOIN lane ON lane.id = batch.lane_id
                   WHERE lane.paused_at IS NULL AND (
                       batch.{BATCH.divide.where}
                       OR batch.{BATCH.claim.where} AND (not_before IS NULL OR not_before <= now())
                   )
               ) AS submit,
               EXISTS (
                   SELECT FROM submission
                   WHERE {READABLE}
                     AND (next_read_at IS NULL OR next_read_at <= now())
                     AND (lease_until IS NULL OR lease_until <= now() OR {is_gone("owner")})
               ) AS collect,
               EXISTS ({PLACES} AND NOT {IS_WEBHOOK} AND {LOOKED_AT}) AS deliver,
               EXISTS ({PLACES} AND {IS_WEBHOOK} AND {LOOKED_AT}) AS webhooks,
               {HAS_WORK} AS direct,
               EXISTS (SELECT FROM catalog_run WHERE {RUN_HAS_WORK})
                   OR EXISTS (SELECT FROM catalog_run WHERE {RUN_IS_UNLOOKED})
                   OR EXISTS (SELECT FROM catalog_report WHERE {REPORT_IS_UNSENT})
                   OR EXISTS (SELECT FROM catalog_schedule WHERE {SCHEDULE_IS_DUE}) AS catalogs
        """,
    )
    return [stage for stage, has_work in zip(STAGES, work, strict=True) if has_work]
