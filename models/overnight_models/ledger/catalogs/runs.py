"""Runs of catalogs: begun, planned, moved from step to step, and ended. Whoever takes steps owns the run meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.copying import copy_binary
from overnight_models.ledger.presence import is_gone
from overnight_models.ledger.rows import execute, fetch_all, fetch_column, fetch_one, fetch_value
from overnight_models.states import CATALOG_RUN, Move

_COLUMNS: Final = f"""
    catalog_run.id, catalog_run.catalog_id, catalog.name AS catalog, number, nominal_at, finish_at, state, reason, path,
    declaration, wish, plan, recipe, counts, steps, enqueued_at, owner_name, began_at, changed_at, approved_at,
    approved_by, stop_wanted, ended_at, owner IS NOT NULL AND NOT {is_gone("owner")} AS is_owned
"""


@dataclass(frozen=True)
class Run:
    """A run, as its table has it."""

    id: int
    catalog_id: int
    catalog: str
    number: int
    nominal_at: str | None
    finish_at: datetime | None
    state: str
    reason: str | None
    path: str
    declaration: str
    wish: str
    plan: str | None
    recipe: int | None
    counts: str
    steps: str
    """JSON: each state that it has left, and when."""
    enqueued_at: datetime | None
    owner_name: str | None
    began_at: datetime
    changed_at: datetime
    approved_at: datetime | None
    approved_by: str | None
    stop_wanted: str | None
    ended_at: datetime | None
    is_owned: bool
    """A living process takes its steps."""

    @property
    def name(self) -> str:
        """Also that of the run which its items are in."""
        return f"{self.catalog}-{self.number}"

    @property
    def is_over(self) -> bool:
        """Nothing more comes of it."""
        return self.ended_at is not None


_WITH_THIS_STEP: Final = "(steps::jsonb || jsonb_build_object('state', state, 'left_at', now()))::text"
"""The steps, with the state that is being left."""


def begin(
    connection: Connection,
    catalog_id: int,
    *,
    path: str,
    declaration: str,
    wish: str,
    nominal_at: str | None = None,
    finish_at: datetime | None = None,
) -> int | None:
    """Begin a run; its id. None when the catalog has one that isn't over, or one of that nominal time.

    nominal_at: when its schedule wants it, by the schedule's clock; None when a person begins it.
    finish_at: by when it should be done.
    """
    return fetch_value(
        connection,
        int,
        """
        INSERT INTO catalog_run (catalog_id, number, nominal_at, finish_at, state, path, declaration, wish)
        SELECT :catalog_id, coalesce(max(number), 0) + 1, :nominal_at, CAST(:finish_at AS timestamptz), 'planned',
               :path, :declaration, :wish
        FROM catalog_run WHERE catalog_id = :catalog_id
        ON CONFLICT DO NOTHING RETURNING id
        """,
        catalog_id=catalog_id,
        nominal_at=nominal_at,
        finish_at=finish_at,
        path=path,
        declaration=declaration,
        wish=wish,
    )


def read(connection: Connection, run_id: int) -> Run | None:
    """A run by its id."""
    return fetch_one(
        connection,
        Run,
        f"SELECT {_COLUMNS} FROM catalog_run JOIN catalog ON catalog.id = catalog_id WHERE catalog_run.id = :id",
        id=run_id,
    )


def runs(
    connection: Connection, *, catalog: str | None = None, number: int | None = None, limit: int = 30
) -> list[Run]:
    """Runs, those that aren't over first, then the newest first."""
    return fetch_all(
        connection,
        Run,
        f"""
        SELECT {_COLUMNS} FROM catalog_run JOIN catalog ON catalog.id = catalog_id
        WHERE (CAST(:catalog AS text) IS NULL OR catalog.name = :catalog)
          AND (CAST(:number AS integer) IS NULL OR number = :number)
        ORDER BY ended_at IS NOT NULL, catalog_run.id DESC LIMIT :limit
        """,
        catalog=catalog,
        number=number,
        limit=limit,
    )


def to_be_advanced(connection: Connection) -> list[int]:
    """The ids of runs that nobody takes steps of, though there are some to be taken."""
    return fetch_column(connection, int, f"SELECT id FROM catalog_run WHERE {HAS_WORK} ORDER BY id")


HAS_WORK: Final = f"""
    ended_at IS NULL AND (state <> 'asking' OR stop_wanted IS NOT NULL)
    AND (owner IS NULL OR {is_gone("owner")})
"""
"""A run that a worker should look at."""


def claim(connection: Connection, run_id: int, owner: int, owner_name: str) -> bool:
    """Take a run, to take its steps. False when a living process has it, or it is over."""
    return bool(
        execute(
            connection,
            f"""
            UPDATE catalog_run SET owner = :owner, owner_name = :owner_name
            WHERE id = :id AND ended_at IS NULL AND (owner IS NULL OR owner = :owner OR {is_gone("owner")})
            """,
            id=run_id,
            owner=owner,
            owner_name=owner_name,
        )
    )


def release(connection: Connection, run_id: int, owner: int) -> None:
    """Leave a run to whoever comes next."""
    execute(
        connection,
        "UPDATE catalog_run SET owner = NULL, owner_name = NULL WHERE id = :id AND owner = :owner",
        id=run_id,
        owner=owner,
    )


def keep_plan(
    connection: Connection,
    run_id: int,
    owner: int,
    *,
    number: int,
    plan: str,
    recipe: int,
    groups: Iterable[Mapping[int, bytes]],
) -> bool:
    """Keep what a run is to send, and why. False when the run isn't this process's any more.

    number: its own, or a higher one, where its sink has rows of such a run: theirs aren't newer than what it brings.
    groups: entries as in the memory, by part; each part is in one group. Only one group is in memory at a time.
    """
    kept = execute(
        connection,
        "UPDATE catalog_run SET number = :number, plan = :plan, recipe = :recipe, changed_at = now()"
        " WHERE id = :id AND owner = :owner AND state = 'planned'",
        id=run_id,
        owner=owner,
        number=number,
        plan=plan,
        recipe=recipe,
    )
    if kept:
        execute(connection, "DELETE FROM catalog_planned WHERE run_id = :id", id=run_id)
        for parts in groups:
            rows = ((run_id, part, entries) for part, entries in parts.items())
            copy_binary(connection, "catalog_planned (run_id, part, entries)", ("int8", "int2", "bytea"), rows)
    return bool(kept)


def move(
    connection: Connection, run_id: int, owner: int, move: Move, *, reason: str | None = None, counts: str | None = None
) -> bool:
    """Bring a run into its next state. False when it isn't this process's any more, or in another state.

    counts: what came of it, as JSON; None leaves them.
    """
    ended = "now()" if move.after in CATALOG_RUN.final else "NULL"
    return bool(
        execute(
            connection,
            f"""
            UPDATE catalog_run SET {move.set}, changed_at = now(), enqueued_at = NULL, ended_at = {ended},
                   reason = :reason, counts = coalesce(:counts, counts), steps = {_WITH_THIS_STEP}
            WHERE id = :id AND owner = :owner AND {move.where}
            """,
            id=run_id,
            owner=owner,
            reason=reason,
            counts=counts,
        )
    )


def note_enqueued(connection: Connection, run_id: int, owner: int, counts: str) -> bool:
    """All rows of this state are in Postgres as items. False when the run isn't this process's any more."""
    return bool(
        execute(
            connection,
            "UPDATE catalog_run SET enqueued_at = now(), counts = :counts WHERE id = :id AND owner = :owner",
            id=run_id,
            owner=owner,
            counts=counts,
        )
    )


def note_waits(connection: Connection, run_id: int, owner: int, why: str) -> None:
    """What a run waits for; it stands there until the run goes on. Nothing when the run isn't this process's.

    It waits since it first said so, whatever else it says then.
    """
    execute(
        connection,
        "UPDATE catalog_run SET reason = :why,"
        " changed_at = CASE WHEN reason LIKE 'waits: %' THEN changed_at ELSE now() END"
        " WHERE id = :id AND owner = :owner AND ended_at IS NULL AND reason IS DISTINCT FROM :why",
        id=run_id,
        owner=owner,
        why=why,
    )


def note_goes_on(connection: Connection, run_id: int, owner: int) -> None:
    """What a run waited for is over."""
    execute(
        connection,
        "UPDATE catalog_run SET reason = NULL, changed_at = now()"
        " WHERE id = :id AND owner = :owner AND ended_at IS NULL AND reason LIKE 'waits: %'",
        id=run_id,
        owner=owner,
    )


class Waiting(NamedTuple):
    """A run that goes on when something is there that it lacks, or when a person has answered."""

    name: str
    why: str
    waits_s: float
    is_asking: bool


def waiting(connection: Connection) -> list[Waiting]:
    """Runs that wait for something beside their answers, or ask; what a schedule asks is among the neglected."""
    return fetch_all(
        connection,
        Waiting,
        """
        SELECT catalog.name || '-' || number AS name, coalesce(reason, '') AS why,
               extract(epoch FROM now() - changed_at)::float AS waits_s, state = 'asking' AS is_asking
        FROM catalog_run JOIN catalog ON catalog.id = catalog_run.catalog_id
        LEFT JOIN catalog_schedule schedule ON schedule.catalog_id = catalog_run.catalog_id
        WHERE ended_at IS NULL
          AND CASE WHEN state = 'asking'
                   THEN nominal_at IS NULL OR schedule.catalog_id IS NULL OR schedule.paused_at IS NOT NULL
                   ELSE reason LIKE 'waits: %' END
        ORDER BY changed_at, catalog_run.id LIMIT 100
        """,
    )


def approve(connection: Connection, run_id: int, who: str) -> bool:
    """A person lets a run send what it has planned. False when it doesn't ask."""
    move = CATALOG_RUN.approve
    return bool(
        execute(
            connection,
            f"UPDATE catalog_run SET {move.set}, approved_at = now(), approved_by = :who, reason = NULL,"
            f" changed_at = now(), steps = {_WITH_THIS_STEP} WHERE id = :id AND {move.where}",
            id=run_id,
            who=who,
        )
    )


def want_stop(connection: Connection, run_id: int, who: str) -> bool:
    """A person wants a run stopped: whoever takes its next step does that. False when it is over."""
    return bool(
        execute(
            connection,
            "UPDATE catalog_run SET stop_wanted = :who WHERE id = :id AND ended_at IS NULL",
            id=run_id,
            who=who,
        )
    )
