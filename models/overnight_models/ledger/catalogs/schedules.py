"""Schedules of catalogs: kept by a person, due by their clock, each nominal time once. The caller computes times."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_all, fetch_one, fetch_only_value, fetch_value

KEPT_PASSED_OVER: Final = 20
"""Times without a run that are remembered."""


class Declared(NamedTuple):
    """What a catalog's file says of its schedule."""

    path: str
    """Of the file, absolute."""
    declaration: str
    """The file's text."""
    cron: str
    zone: str
    finish_by: str | None
    """A local time, such as 06:00."""
    overlap: str
    """`skip` or `wait`: when the run before isn't over."""
    when_paused: str
    """`drop` or `queue`: what becomes of times that fall into a pause."""


class Schedule(NamedTuple):
    """A schedule, as its table has it."""

    catalog_id: int
    catalog: str
    path: str
    cron: str
    zone: str
    finish_by: str | None
    overlap: str
    when_paused: str
    next_at: datetime
    skipped: str | None
    """The nominal time that a person wants to be left out."""
    kept_by: str
    paused_at: datetime | None
    paused_by: str | None
    pause_reason: str | None
    now: datetime
    """The database's time."""


_COLUMNS: Final = """
    catalog_id, catalog.name AS catalog, path, cron, zone, finish_by, overlap, when_paused, next_at, skipped, kept_by,
    paused_at, paused_by, pause_reason, now() AS now
"""
IS_DUE: Final = "next_at <= now() AND paused_at IS NULL"


def keep(connection: Connection, catalog: str, declared: Declared, *, next_at: datetime, who: str) -> None:
    """Keep a schedule, in place of the catalog's last one. A pause stays."""
    catalog_id = fetch_only_value(
        connection,
        int,
        "INSERT INTO catalog (name) VALUES (:name) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id",
        name=catalog,
    )
    execute(
        connection,
        """
        INSERT INTO catalog_schedule
            (catalog_id, path, declaration, cron, zone, finish_by, overlap, when_paused, next_at, kept_by, kept_at)
        VALUES (:catalog_id, :path, :declaration, :cron, :zone, :finish_by, :overlap, :when_paused, :next_at, :who,
                now())
        ON CONFLICT (catalog_id) DO UPDATE
        SET path = excluded.path, declaration = excluded.declaration, cron = excluded.cron, zone = excluded.zone,
            finish_by = excluded.finish_by, overlap = excluded.overlap, when_paused = excluded.when_paused,
            next_at = excluded.next_at, skipped = NULL, kept_by = excluded.kept_by, kept_at = excluded.kept_at
        """,
        catalog_id=catalog_id,
        next_at=next_at,
        who=who,
        **declared._asdict(),
    )


def schedules(connection: Connection, catalog: str | None = None) -> list[Schedule]:
    """Every schedule, or one catalog's, by name."""
    return fetch_all(
        connection,
        Schedule,
        f"""
        SELECT {_COLUMNS} FROM catalog_schedule JOIN catalog ON catalog.id = catalog_id
        WHERE CAST(:catalog AS text) IS NULL OR catalog.name = :catalog ORDER BY catalog.name
        """,
        catalog=catalog,
    )


def last_declaration(connection: Connection, catalog_id: int) -> str:
    """A catalog's declaration as it was last known: when a run began, or its schedule was kept. Empty without any."""
    text = fetch_value(
        connection,
        str,
        """
        SELECT declaration FROM (
            SELECT declaration, began_at AS at FROM catalog_run WHERE catalog_id = :catalog_id AND declaration <> ''
            UNION ALL
            SELECT declaration, kept_at FROM catalog_schedule
            WHERE catalog_id = :catalog_id AND declaration IS NOT NULL
        ) known ORDER BY at DESC LIMIT 1
        """,
        catalog_id=catalog_id,
    )
    return text or ""


def next_due(connection: Connection, after: int) -> Schedule | None:
    """The next schedule whose time has come, locked until the transaction ends; none that somebody else has locked.

    after: the catalog's id of the one before, 0 to begin.
    """
    return fetch_one(
        connection,
        Schedule,
        f"""
        SELECT {_COLUMNS} FROM catalog_schedule JOIN catalog ON catalog.id = catalog_id
        WHERE {IS_DUE} AND catalog_id > :after ORDER BY catalog_id LIMIT 1
        FOR UPDATE OF catalog_schedule SKIP LOCKED
        """,
        after=after,
    )


def go_on(connection: Connection, catalog_id: int, next_at: datetime) -> None:
    """Everything up to now was dealt with; this is the next time."""
    execute(
        connection,
        "UPDATE catalog_schedule SET next_at = :next_at WHERE catalog_id = :catalog_id",
        catalog_id=catalog_id,
        next_at=next_at,
    )


class PassedOver(NamedTuple):
    """A time at which no run began, and why."""

    nominal_at: str
    reason: str


def pass_over(connection: Connection, catalog_id: int, nominal_at: str, reason: str) -> None:
    """Remember that there is no run of a time. The oldest are forgotten."""
    execute(
        connection,
        """
        INSERT INTO catalog_passed_over (catalog_id, nominal_at, reason) VALUES (:catalog_id, :nominal_at, :reason)
        ON CONFLICT DO NOTHING
        """,
        catalog_id=catalog_id,
        nominal_at=nominal_at,
        reason=reason,
    )
    execute(
        connection,
        """
        DELETE FROM catalog_passed_over WHERE catalog_id = :catalog_id AND nominal_at NOT IN (
            SELECT nominal_at FROM catalog_passed_over WHERE catalog_id = :catalog_id
            ORDER BY nominal_at DESC LIMIT :kept
        )
        """,
        catalog_id=catalog_id,
        kept=KEPT_PASSED_OVER,
    )


class Time(NamedTuple):
    """A time of a schedule that has come."""

    nominal_at: str
    number: int | None
    """Of its run; None where there was none."""
    state: str | None
    """Of its run."""
    reason: str | None
    """Why there was none, or why the run ended as it did."""


def last_times(connection: Connection, catalog_id: int, limit: int) -> list[Time]:
    """The last times of a schedule, the newest first."""
    return fetch_all(
        connection,
        Time,
        """
        SELECT nominal_at, number, state, reason FROM catalog_run
        WHERE catalog_id = :catalog_id AND nominal_at IS NOT NULL
        UNION ALL
        SELECT nominal_at, NULL, NULL, reason FROM catalog_passed_over WHERE catalog_id = :catalog_id
        ORDER BY nominal_at DESC LIMIT :limit
        """,
        catalog_id=catalog_id,
        limit=limit,
    )


class Neglected(NamedTuple):
    """A catalog whose last time came to nothing that goes on by itself."""

    catalog: str
    nominal_at: str
    number: int
    """Of its run."""
    state: str
    """Of its run: asking or stopped."""
    is_unusable: bool
    """It stopped since the catalog's file couldn't be used."""


CANT_BE_USED: Final = "its file can't be used"
"""How the reason of a run begins that stopped for that."""


def neglected(connection: Connection) -> list[Neglected]:
    """Schedules that aren't paused and whose last run asks, or stopped by itself."""
    return fetch_all(
        connection,
        Neglected,
        """
        SELECT catalog.name AS catalog, last.nominal_at, last.number, last.state,
               last.state = 'stopped' AND starts_with(coalesce(last.reason, ''), :cant_be_used) AS is_unusable
        FROM catalog_schedule JOIN catalog ON catalog.id = catalog_schedule.catalog_id
        CROSS JOIN LATERAL (
            SELECT nominal_at, number, state, reason, stop_wanted IS NULL AS by_itself, began_at AS at FROM catalog_run
            WHERE catalog_id = catalog.id AND nominal_at IS NOT NULL
            UNION ALL
            SELECT nominal_at, 0, 'passed over', reason, false, at FROM catalog_passed_over
            WHERE catalog_id = catalog.id
            ORDER BY nominal_at DESC LIMIT 1
        ) last
        WHERE catalog_schedule.paused_at IS NULL AND last.by_itself AND last.state IN ('asking', 'stopped')
          -- a person who has run it since has seen it
          AND NOT EXISTS (
              SELECT FROM catalog_run later WHERE later.catalog_id = catalog.id AND later.nominal_at IS NULL
                AND later.state NOT IN ('asking', 'stopped') AND later.began_at > last.at
          )
        ORDER BY catalog.name
        """,
        cant_be_used=CANT_BE_USED,
    )


def pause(connection: Connection, catalog_id: int, *, who: str, reason: str) -> bool:
    """No run begins by itself any more. False when it was paused already."""
    return bool(
        execute(
            connection,
            """
            UPDATE catalog_schedule SET paused_at = now(), paused_by = :who, pause_reason = :reason
            WHERE catalog_id = :catalog_id AND paused_at IS NULL
            """,
            catalog_id=catalog_id,
            who=who,
            reason=reason,
        )
    )


def resume(connection: Connection, catalog_id: int, next_at: datetime) -> bool:
    """Go on, with this time as the next. False when it wasn't paused."""
    return bool(
        execute(
            connection,
            """
            UPDATE catalog_schedule SET paused_at = NULL, paused_by = NULL, pause_reason = NULL, next_at = :next_at
            WHERE catalog_id = :catalog_id AND paused_at IS NOT NULL
            """,
            catalog_id=catalog_id,
            next_at=next_at,
        )
    )


def skip(connection: Connection, catalog_id: int, nominal_at: str | None) -> None:
    """Leave one time out; None takes that back."""
    execute(
        connection,
        "UPDATE catalog_schedule SET skipped = :nominal_at WHERE catalog_id = :catalog_id",
        catalog_id=catalog_id,
        nominal_at=nominal_at,
    )


def forget(connection: Connection, catalog_id: int) -> bool:
    """The catalog runs by itself no more. False when it had no schedule."""
    return bool(
        execute(connection, "DELETE FROM catalog_schedule WHERE catalog_id = :catalog_id", catalog_id=catalog_id)
    )
