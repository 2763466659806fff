"""Problems: what outcomes that aren't ok say, the newest of them, and outcomes as they come."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from overnight_models.ledger.bodies.encryption import listed
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import fetch_all, fetch_only
from overnight_models.ledger.run_items import BACKWARDS, items_of, problems_of_run

WINDOW: Final = 2_000
"""Outcomes with a problem that are looked at in one statement, and for one page: as many in every ledger."""
MOST: Final = 100_000
"""So many are looked at for one page at the most, if that is asked for and there is time."""
_WINDOW_OF_RUN: Final = 20_000
"""Items of a run that are looked at in one statement, whatever came of them."""
SHOWN: Final = 400
"""Characters of a text."""
_ABOVE_ALL: Final = 2**63 - 1


class SaidProblem(NamedTuple):
    """What some outcomes of a lane say, word for word."""

    lane: str
    problem: str
    detail: str
    """Its beginning."""
    item_ids: list[int]
    """Those who say it."""
    first_at: datetime
    last_at: datetime

    @property
    def n(self) -> int:
        """How many say it."""
        return len(self.item_ids)


class ProblemTotal(NamedTuple):
    """How many outcomes of a lane had a problem so far: also those that were tried again, or aren't kept any more."""

    lane: str
    problem: str
    n: int


class Said(NamedTuple):
    """What the newest outcomes with a problem say."""

    problems: list[SaidProblem]
    looked_at: int
    """Outcomes with a problem."""
    before: int | None
    """Where the next look begins: an item's id. None: there are no others."""

    @property
    def is_all(self) -> bool:
        """Nothing older is left to be looked at."""
        return self.before is None


class _Window(NamedTuple):
    """A window of outcomes with a problem, or of a run's items."""

    n: int
    last: int | None
    """The item of the oldest one."""


_NEXT_WINDOW: Final = """
    SELECT count(*) AS n, min(item_id) AS last FROM (
        SELECT item_id FROM outcome WHERE problem IS NOT NULL AND item_id < :before
        ORDER BY item_id DESC LIMIT :window
    ) newest
"""
_NEXT_OF_RUN: Final = f"""
    SELECT count(*) AS n, min(id) AS last FROM (
        SELECT item.id FROM {items_of(last=":before", backwards=True)} WHERE item.id < :before
        ORDER BY {BACKWARDS} LIMIT :window
    ) newest
"""


@dataclass(frozen=True)
class Which:
    """Which outcomes are meant; what is None doesn't matter."""

    lane: str | None = None
    run: str | None = None
    problem: str | None = None
    """"any": every one that isn't ok."""
    since: datetime | None = None
    """Only what finished then or later."""

    @property
    def items(self) -> str:
        """For FROM: `item`."""
        return "item" if self.run is None else items_of()

    def problems_between(self, first: str, last: str) -> str:
        """For FROM: `outcome` and its `item`; that they are between these ids, as SQL, the conditions don't say."""
        return "outcome JOIN item ON item.id = outcome.item_id" if self.run is None else problems_of_run(first, last)

    @property
    def conditions(self) -> str:
        """To follow on another condition."""
        conditions = {
            "item.lane_id = (SELECT id FROM lane WHERE name = :lane)": self.lane,
            "outcome.problem IS NOT NULL": self.problem,
            "outcome.problem = :problem": None if self.problem == "any" else self.problem,
            "outcome.finished_at >= :since": self.since,
        }
        return "".join(f" AND {condition}" for condition, value in conditions.items() if value is not None)

    @property
    def values(self) -> dict[str, object]:
        """What they are told."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        return {name: value for name, value in given.items() if (name, value) != ("problem", "any")}


def totals(connection: Connection) -> list[ProblemTotal]:
    """How many had which problem so far, the most frequent first: from the tally, so exact and without counting."""
    return fetch_all(
        connection,
        ProblemTotal,
        """
        SELECT lane.name AS lane, counted.state AS problem, counted.n
        FROM (
            SELECT lane_id, state, sum(n)::bigint AS n FROM tally WHERE noun = 'problem'
            GROUP BY lane_id, state HAVING sum(n) > 0
        ) counted
        JOIN lane ON lane.id = counted.lane_id ORDER BY counted.n DESC, lane, problem
        """,
    )


def said(
    connection: Connection, which: Which, *, before: int | None = None, look_at: int = WINDOW, for_s: float = 1.0
) -> Said:
    """What outcomes with a problem say, word for word: of the newest.

    before: an item's id, as the look before says it; None: from the newest on.
    look_at: so many outcomes with a problem, of whatever lane, problem and time: those have no index of their own. Of a
        run: about so many of its own.
    for_s: no other window is begun after that.
    """
    until, looked_at = time.monotonic() + for_s, 0
    problems: list[SaidProblem] = []
    upper = before or _ABOVE_ALL
    while True:
        window = min(WINDOW, look_at - looked_at) if which.run is None else _WINDOW_OF_RUN
        n, last = _next_window(connection, which.run, upper, window)
        if last is not None:
            within = _said_within(connection, which, last, upper)
            looked_at += n if which.run is None else sum(part.n for part in within)
            problems += within
            upper = last
        if n < window:
            return Said(problems, looked_at, None)
        if looked_at >= look_at or time.monotonic() >= until:
            return Said(problems, looked_at, upper)


def _next_window(connection: Connection, run: str | None, before: int, window: int) -> _Window:
    if run is None:
        return fetch_only(connection, _Window, _NEXT_WINDOW, before=before, window=window)
    return fetch_only(connection, _Window, _NEXT_OF_RUN, before=before, window=window, run=run)


def _said_within(connection: Connection, which: Which, first: int, before: int) -> list[SaidProblem]:
    return fetch_all(
        connection,
        SaidProblem,
        f"""
        SELECT lane.name AS lane, problem, coalesce(left({listed("detail")}, {SHOWN}), '') AS detail,
               array_agg(outcome.item_id) AS item_ids, min(finished_at) AS first_at, max(finished_at) AS last_at
        FROM {which.problems_between(":first", ":before")} JOIN lane ON lane.id = item.lane_id
        WHERE outcome.problem IS NOT NULL AND item.state <> 'redone'
          AND outcome.item_id >= :first AND outcome.item_id < :before {which.conditions}
        GROUP BY 1, 2, 3
        """,
        first=first,
        before=before,
        **which.values,
    )


class Finished(NamedTuple):
    """An item that has its outcome, without request and answer."""

    id: int
    key: str
    trace_id: str | None
    lane: str
    tenant: str | None
    run: str | None
    state: str
    problem: str | None
    detail: str | None
    model: str | None
    via: str
    attempts: int
    cost_nano: int | None
    finished_at: datetime


def finished(connection: Connection, which: Which, limit: int) -> list[Finished]:
    """Items that got their outcome since then, in the order in which they did; at most so many."""
    return fetch_all(
        connection,
        Finished,
        f"""
        SELECT item.id, request.key, request.trace_id, lane.name AS lane, request.tenant, run.name AS run, item.state,
               outcome.problem, left({listed("outcome.detail")}, {SHOWN}) AS detail, outcome.model, outcome.via,
               outcome.attempts, outcome.cost_nano, outcome.finished_at
        FROM whole_outcome AS outcome JOIN {which.items} ON item.id = outcome.item_id
        JOIN request ON request.item_id = outcome.item_id
        JOIN lane ON lane.id = item.lane_id LEFT JOIN run ON run.id = item.run_id
        WHERE true {which.conditions} ORDER BY outcome.finished_at, outcome.item_id LIMIT :limit
        """,
        limit=limit,
        **which.values,
    )
