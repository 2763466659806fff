"""The deployment: which database this ledger lives in. One that was restored or copied looks before it sends (R11).

A restored ledger has forgotten what was sent after its backup, and a copied one doesn't know what its original sends.
Both are known by where they live; what they forgot is found at the API by the mark that every token bears.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.partitions import PARTITION_ITEMS, make_partitions
from overnight_models.ledger.rows import execute, fetch_column, fetch_one, fetch_only, fetch_only_value, fetch_value
from overnight_models.states import BATCH, ITEM, SUBMISSION

HOME: Final = """
    (SELECT system_identifier FROM pg_control_system()) || '/' ||
    ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int || '/' ||
    (SELECT oid FROM pg_database WHERE datname = current_database())
"""
"""System, timeline and database, as they are now."""

_FORGOTTEN_ITEMS: Final = 20 * PARTITION_ITEMS
"""More than were accepted between a backup and the end of what it is a backup of: their ids aren't given again."""

_UNFINISHED: Final = ", ".join(f"'{state}'" for state in ITEM.unfinished)

AT_HOME: Final = f"EXISTS (SELECT FROM deployment WHERE home = {HOME})"
"""The guard: this ledger is where it was."""

LOOKED: Final = f"""
    EXISTS (
        SELECT FROM deployment
        WHERE home = {HOME} AND (moved_at IS NULL OR workspace.looked_at >= moved_at AND NOT word_wanted)
    )
"""
"""The guard: this ledger is where it was, or everything at the API was looked at since, and a person let it send."""


@dataclass(frozen=True)
class Deployment:
    """What the ledger says of itself."""

    id: UUID
    moved_at: datetime | None
    moved_why: str | None
    word_wanted: bool


class Moved(NamedTuple):
    """A ledger that lives elsewhere than it did, or was set back."""

    deployment: Deployment
    unclear: int
    """Batches that were being sent: nobody knows any more whether they were created."""


@dataclass(frozen=True)
class Forgotten:
    """A batch at the API whose token has this deployment's mark, and which the ledger doesn't know."""

    api_id: str
    token: str
    items: int
    created_at: datetime
    ended_at: datetime
    members: tuple[int, ...]
    """Some of its items; those accepted after the backup are forgotten too, and their answers only billed."""


def read(connection: Connection) -> Deployment:
    """The deployment that this ledger is of."""
    # every migration settles it
    return fetch_only(connection, Deployment, "SELECT id, moved_at, moved_why, word_wanted FROM deployment")


def settle(connection: Connection) -> None:
    """A new ledger lives here. Changes nothing for one that lives somewhere already."""
    execute(
        connection,
        "INSERT INTO deployment (home, bodies_in_groups, short_rows, deliveries_without_rows, columns_by_width,"
        f" short_outcomes) VALUES ({HOME}, true, true, true, true, true) ON CONFLICT DO NOTHING",
    )


def begin_groups(connection: Connection) -> None:
    """From now on bodies are written in groups. Changes nothing where they are already."""
    execute(connection, "UPDATE deployment SET bodies_in_groups = true WHERE NOT bodies_in_groups")


class Short(NamedTuple):
    """Which rows lack what many have in common: no process runs that looks for it there. See `schema`."""

    rows: bool
    """Requests their callbacks, and outcomes their batches."""
    outcomes: bool
    """Outcomes their road, their model's name and counts of 0."""


def short(connection: Connection) -> Short:
    """Which rows are written short."""
    return fetch_only(connection, Short, "SELECT short_rows AS rows, short_outcomes AS outcomes FROM deployment")


def begin_short_rows(connection: Connection) -> None:
    """From now on new rows lack the texts that many have in common. Changes nothing where they do already."""
    execute(connection, "UPDATE deployment SET short_rows = true WHERE NOT short_rows")


def begin_short_outcomes(connection: Connection) -> None:
    """From now on new outcomes leave out what most have in common. Changes nothing where they do already."""
    execute(connection, "UPDATE deployment SET short_outcomes = true WHERE NOT short_outcomes")


def begin_hand_overs(connection: Connection) -> None:
    """From now on what is delivered at once needs no row. Changes nothing where that is so already."""
    execute(connection, "UPDATE deployment SET deliveries_without_rows = true WHERE NOT deliveries_without_rows")


def begin_columns_by_width(connection: Connection) -> None:
    """From now on new partitions have the order of columns that wastes least. Changes nothing where they have it."""
    execute(connection, "UPDATE deployment SET columns_by_width = true WHERE NOT columns_by_width")


class LogPosition(NamedTuple):
    """Where a ledger lives, and how far its write-ahead log is."""

    home: str
    position: int


def log_position(connection: Connection) -> LogPosition:
    """Where this ledger lives, and how far its write-ahead log is on disk: that only grows, unless it is set back."""
    return fetch_only(
        connection, LogPosition, f"SELECT {HOME} AS home, (pg_current_wal_flush_lsn() - '0/0')::bigint AS position"
    )


def notice_move(connection: Connection, *, allowance_s: float, set_back: bool) -> Moved | None:
    """Notice that the ledger lives elsewhere than it did, or was set back. None when it is where it was.

    From then on nothing is sent before everything at the API was looked at. What was being sent is unclear, whatever
    its row says, and no item gets an id that a forgotten one may have had.

    allowance_s: how long after this moment something that was being sent may still be listed.
    """
    moved = fetch_one(
        connection,
        Deployment,
        f"""
        UPDATE deployment
        SET home = {HOME}, moved_at = clock_timestamp(),
            moved_why = CASE
                WHEN :set_back THEN 'it was set back to an earlier state'
                WHEN split_part(home, '/', 1) <> split_part({HOME}, '/', 1) THEN 'it is in another database system'
                WHEN split_part(home, '/', 3) <> split_part({HOME}, '/', 3) THEN 'it is in another database'
                ELSE 'it was restored or failed over: another timeline'
            END,
            word_wanted = split_part(home, '/', 1) <> split_part({HOME}, '/', 1)
                OR split_part(home, '/', 3) <> split_part({HOME}, '/', 3)
        WHERE home <> {HOME} OR :set_back
        RETURNING id, moved_at, moved_why, word_wanted
        """,
        set_back=set_back,
    )
    if moved is None:
        return None
    unclear = _doubt_what_was_sent(connection, allowance_s)
    # and no row gets the number of a forgotten one: processes from before the move still know those
    for sequence in ("item_id", "batch_id_seq", "submission_id_seq"):
        execute(
            connection, f"SELECT setval('{sequence}', nextval('{sequence}') + :forgotten)", forgotten=_FORGOTTEN_ITEMS
        )
    make_partitions(connection)
    return Moved(moved, unclear)


def _doubt_what_was_sent(connection: Connection, allowance_s: float) -> int:
    """What was being sent is unclear, and may be listed for so long. Returns how many batches that are."""
    unclear = execute(
        connection,
        f"""
        WITH doubted AS (
            UPDATE submission
            SET {SUBMISSION.doubt.set}, error = 'the ledger was restored or moved', lease_until = NULL,
                items = coalesce(submission.items, batch.items)
            FROM batch WHERE batch.id = submission.batch_id AND submission.{SUBMISSION.doubt.where}
            RETURNING submission.batch_id
        )
        UPDATE batch SET {BATCH.doubt.set}, changed_at = now(), reason = 'the ledger was restored or moved'
        FROM doubted WHERE batch.id = doubted.batch_id AND batch.{BATCH.doubt.where}
        """,
    )
    execute(
        connection,
        "UPDATE submission SET quiet_after = clock_timestamp() + make_interval(secs => :allowance_s)"
        " WHERE state = 'unclear'",
        allowance_s=allowance_s,
    )
    return unclear


def give_word(connection: Connection) -> bool:
    """A person says that this ledger may send: its original doesn't run any more. False when no word is wanted."""
    return execute(connection, "UPDATE deployment SET word_wanted = false WHERE word_wanted") == 1


def unlooked(connection: Connection) -> list[str]:
    """Workspaces whose batches at the API are still to be looked at."""
    return fetch_column(
        connection,
        str,
        """
        SELECT name FROM workspace, deployment
        WHERE moved_at IS NOT NULL AND (looked_at IS NULL OR looked_at < moved_at) ORDER BY name
        """,
    )


def looked(connection: Connection, workspace: str, moved_at: datetime) -> bool:
    """Everything that the API lists in a workspace has been looked at, and what was ours is recorded.

    False when that was known, or the ledger has moved again since: then the look was one too early.
    """
    return (
        execute(
            connection,
            """
            UPDATE workspace SET looked_at = clock_timestamp() FROM deployment
            WHERE name = :name AND moved_at = :moved_at AND (looked_at IS NULL OR looked_at < moved_at)
            """,
            name=workspace,
            moved_at=moved_at,
        )
        == 1
    )


def oldest_unfinished(connection: Connection, workspace: str) -> datetime | None:
    """When the oldest item that may still be sent was accepted: nothing of it can have been created before."""
    return fetch_value(
        connection,
        datetime,
        f"""
        SELECT min(enqueued_at) AS since FROM request WHERE item_id = (
            SELECT min(item.id) FROM item JOIN headers ON headers.id = item.headers_id
            WHERE headers.workspace = :workspace AND item.state IN ({_UNFINISHED})
        )
        """,
        workspace=workspace,
    )


def undecided(connection: Connection, workspace: str, until: datetime) -> int:
    """How many batches keep a workspace from being looked at: unknown ones, and what of ours isn't known or recorded.

    until: by the API's clock; what was created later was created by this ledger, or by strangers.
    """
    return fetch_only_value(
        connection,
        int,
        """
        SELECT (SELECT count(*) FROM sighting
                WHERE workspace = :workspace AND ours IS NULL AND api_created_at <= :until
                  AND NOT EXISTS (SELECT FROM submission WHERE submission.api_id = sighting.api_id))
             + (SELECT count(*) FROM submission
                JOIN batch ON batch.id = submission.batch_id JOIN headers ON headers.id = batch.headers_id
                WHERE headers.workspace = :workspace
                  AND (submission.state = 'unclear' OR submission.remembered AND submission.state <> 'done')) AS n
        """,
        workspace=workspace,
        until=until,
    )


def remember(connection: Connection, workspace: str, forgotten: Forgotten) -> int:
    """A submission that the ledger had forgotten: a row again, to be collected and billed. Returns its number."""
    # in turns: two that look at once would remember it twice
    execute(connection, "SELECT FROM sighting WHERE api_id = :api_id FOR UPDATE", api_id=forgotten.api_id)
    by_token = "SELECT id FROM submission WHERE token = :token AND twin_of IS NULL"
    known = fetch_value(connection, int, by_token, token=forgotten.token)
    if known is not None:
        return known
    batch_id = fetch_only_value(
        connection,
        int,
        """
        INSERT INTO batch (lane_id, headers_id, state, items, size, has_schemas, reason)
        SELECT coalesce(min(item.lane_id), (SELECT min(id) FROM lane)),
               coalesce(min(item.headers_id), (SELECT min(id) FROM headers WHERE workspace = :workspace)),
               'ended', :items, 0, true, 'the ledger had forgotten it: found at the API'
        FROM item WHERE item.id = (SELECT min(id) FROM item WHERE id = ANY(:members))
        RETURNING id
        """,
        workspace=workspace,
        items=forgotten.items,
        members=list(forgotten.members),
    )
    return fetch_only_value(
        connection,
        int,
        """
        INSERT INTO submission (batch_id, token, state, items, claimed_at, api_id, api_created_at, ended_at, remembered)
        VALUES (:batch_id, :token, 'open', :items, :created_at, :api_id, :created_at, :ended_at, true) RETURNING id
        """,
        batch_id=batch_id,
        token=forgotten.token,
        items=forgotten.items,
        api_id=forgotten.api_id,
        created_at=forgotten.created_at,
        ended_at=forgotten.ended_at,
    )
