"""Actions: what people do is kept, and what is about many items is done group by group.

A group and its count are one transaction. So whoever dies in the middle, nothing is done twice or forgotten: the same
command goes on, and so does the sweep. Nothing of a request or an answer is kept here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, NamedTuple, get_args

import orjson

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.deliver import replay
from overnight_models.ledger.operators import canceling, redoing
from overnight_models.ledger.operators.item_filter import ItemFilter
from overnight_models.ledger.operators.purge import steps
from overnight_models.ledger.operators.purge.wanted import Purge
from overnight_models.ledger.rows import (
    execute,
    fetch_all,
    fetch_column,
    fetch_one,
    fetch_only_value,
    fetch_value,
)

_AT_ONCE: Final = 1000
"""Items of one group: a transaction of some hundred milliseconds, that holds nobody up for longer."""
_MOST_DIGITS: Final = 19
_TIMES: Final = ("enqueued_since", "enqueued_before", "since")

Name = Literal[
    "redo",
    "cancel",
    "replay",
    "purge",
    "pause",
    "resume",
    "drain",
    "release",
    "budget",
    "decide",
    "show body",
    "resume webhook",
    "retry put aside",
    "approve run",
    "stop run",
    "pause schedule",
    "resume schedule",
    "skip",
    "run after all",
    "forget schedule",
    "rotate",
]
NAMES: Final[tuple[str, ...]] = get_args(Name)
"""What people do, as it is kept."""

Wish = Mapping[str, object]
"""What was said of an action, as JSON has it."""


@dataclass(frozen=True)
class By:
    """Who does something, from where, and why."""

    actor: str
    via: str = "command"
    """`command` or `flower`."""
    reason: str | None = None


class Step(NamedTuple):
    """How far an action is."""

    done: int
    """Items that it has changed so far."""
    is_over: bool
    is_aborted: bool


class ActionView(NamedTuple):
    """An action, as people see it."""

    id: int
    name: str
    actor: str
    via: str
    reason: str | None
    wish: str
    items: int
    most_nano: int | None
    done: int
    began_at: datetime
    stepped_at: datetime
    aborted_at: datetime | None
    aborted_by: str | None
    ended_at: datetime | None
    removed: str | None
    """JSON: what a purge has removed so far, by kind; None before it began to, and of every other action."""


@dataclass(frozen=True, kw_only=True)
class ActionFilter:
    """Which actions are meant; what is None doesn't matter."""

    actor: str | None = None
    name: str | None = None
    """One of `NAMES`."""
    target: str | None = None
    """Something that the wish names: a lane, a run, a tenant, a key, the number of a batch or of an item, …"""
    since: datetime | None = None
    until: datetime | None = None
    """Only what began then or later, and before."""

    @property
    def where(self) -> str:
        """The condition, to be used with `values`; "true" when nothing is narrowed."""
        conditions = {
            "actor = :actor": self.actor,
            "name = :name": self.name,
            "began_at >= :since": self.since,
            "began_at < :until": self.until,
            "jsonb_path_exists(CAST(wish AS jsonb), '$.** ? (@ == $text || @ == $number)', CAST(:named AS jsonb))": (
                self.target
            ),
        }
        return " AND ".join(condition for condition, value in conditions.items() if value is not None) or "true"

    @property
    def values(self) -> dict[str, object]:
        """What `where` is told."""
        given = {name: value for name, value in vars(self).items() if value is not None and name != "target"}
        if self.target is None:
            return given
        is_number = self.target.isascii() and self.target.isdigit() and len(self.target) < _MOST_DIGITS
        number = int(self.target) if is_number else self.target
        return given | {"named": orjson.dumps({"text": self.target, "number": number}).decode()}


EVERY_ACTION: Final = ActionFilter()


class _Under(NamedTuple):
    """An action that is under way."""

    name: str
    wish: str
    after_item: int
    until_item: int
    done: int
    aborted_at: datetime | None
    removed: str | None


class _Done(NamedTuple):
    """What was done to one group."""

    changed: int
    last: int
    """Its last item; 0 when there is no more."""
    removed: str | None = None
    """What a purge has removed so far."""


def _redo(connection: Connection, action: _Under, wish: Wish) -> _Done:
    return _Done(*redoing.redo_group(connection, filter_of(wish), **_place(action)))


def _cancel(connection: Connection, action: _Under, wish: Wish) -> _Done:
    return _Done(*canceling.cancel_group(connection, filter_of(wish), **_place(action)))


def _replay(connection: Connection, action: _Under, wish: Wish) -> _Done:
    wanted = replay.Replayed(**_read(wish))  # type: ignore[arg-type]
    return _Done(*replay.replay(connection, wanted, **_place(action)))


def _purge(connection: Connection, action: _Under, wish: Wish) -> _Done:
    return _Done(*steps.step(connection, Purge.of(wish), action.removed, **_place(action)))


def _place(action: _Under) -> dict[str, int]:
    return {"after": action.after_item, "until": action.until_item, "limit": _AT_ONCE}


_GROUPS: Final[Mapping[str, Callable[[Connection, _Under, Wish], _Done]]] = {
    "redo": _redo,
    "cancel": _cancel,
    "replay": _replay,
    "purge": _purge,
}
"""What is done to one group."""


def wish_of(wanted: ItemFilter) -> dict[str, object]:
    """A filter as the wish of an action."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in wanted.narrowed.items()
    }


def filter_of(wish: Wish) -> ItemFilter:
    """The filter that a wish says."""
    return ItemFilter(**_read(wish))  # type: ignore[arg-type]


def _read(wish: Wish) -> dict[str, object]:
    return {name: datetime.fromisoformat(str(value)) if name in _TIMES else value for name, value in wish.items()}


def begin(
    connection: Connection, name: Name, wish: Wish, by: By, *, items: int, most_nano: int | None = None
) -> tuple[int, bool]:
    """An action about many items begins: `redo`, `cancel`, `replay` or `purge`.

    It is about the items that there are now.

    Returns its id, and whether it is under way already, by whomever: then that one goes on.
    """
    written = _written(wish)
    new = fetch_value(
        connection,
        int,
        """
        INSERT INTO action (name, actor, via, reason, wish, items, most_nano, until_item)
        VALUES (:name, :actor, :via, :reason, :wish, :items, :most_nano, (SELECT last_value FROM item_id))
        ON CONFLICT (name, wish) WHERE ended_at IS NULL DO NOTHING RETURNING id
        """,
        name=name,
        wish=written,
        items=items,
        most_nano=most_nano,
        **vars(by),
    )
    if new is not None:
        return new, False
    there = "SELECT id FROM action WHERE name = :name AND wish = :wish AND ended_at IS NULL"
    return fetch_only_value(connection, int, there, name=name, wish=written), True


def under_way(connection: Connection, name: str, wish: Wish) -> ActionView | None:
    """The action of this wish that isn't over; None when there is none."""
    return fetch_one(
        connection,
        ActionView,
        f"SELECT {_SHOWN} FROM action WHERE name = :name AND wish = :wish AND ended_at IS NULL",
        name=name,
        wish=_written(wish),
    )


def note(
    connection: Connection, name: Name, wish: Wish, by: By, *, items: int = 0, most_nano: int | None = None
) -> None:
    """Something was done at once, in this transaction: a lane paused, a body looked at."""
    execute(
        connection,
        """
        INSERT INTO action (name, actor, via, reason, wish, items, done, most_nano, ended_at)
        VALUES (:name, :actor, :via, :reason, :wish, :items, :items, :most_nano, now())
        """,
        name=name,
        wish=_written(wish),
        items=items,
        most_nano=most_nano,
        **vars(by),
    )


def step(connection: Connection, action_id: int) -> Step | None:
    """Do one group of an action. None when it is over, or there is no such action.

    Two who take a step at once take two, one after the other.
    """
    action = fetch_one(
        connection,
        _Under,
        """
        SELECT name, wish, after_item, until_item, done, aborted_at, removed FROM action
        WHERE id = :id AND ended_at IS NULL FOR UPDATE
        """,
        id=action_id,
    )
    if action is None:
        return None
    done = _Done(0, 0, action.removed)
    if action.aborted_at is None:
        done = _GROUPS[action.name](connection, action, orjson.loads(action.wish))
    execute(
        connection,
        """
        UPDATE action SET done = done + :changed, after_item = greatest(after_item, :last), stepped_at = now(),
                          removed = :removed, ended_at = CASE WHEN :last = 0 THEN now() END
        WHERE id = :id
        """,
        id=action_id,
        **done._asdict(),
    )
    return Step(action.done + done.changed, done.last == 0, action.aborted_at is not None)


def standing_still(connection: Connection, *, for_s: float) -> list[int]:
    """Actions that aren't over, and of which nobody took a step for so long: whoever began them may be dead."""
    return fetch_column(
        connection,
        int,
        """
        SELECT id FROM action WHERE ended_at IS NULL AND stepped_at < now() - make_interval(secs => :for_s) ORDER BY id
        """,
        for_s=for_s,
    )


def abort(connection: Connection, action_id: int, by: str) -> bool:
    """Do no further group of an action; what is done stays done. False when it is over, or there is no such action."""
    return (
        execute(
            connection,
            """
            UPDATE action SET aborted_at = now(), aborted_by = :by, ended_at = now()
            WHERE id = :id AND ended_at IS NULL
            """,
            id=action_id,
            by=by,
        )
        == 1
    )


_SHOWN: Final = ", ".join(ActionView._fields)


def actions(
    connection: Connection, wanted: ActionFilter = EVERY_ACTION, *, before: int | None = None, limit: int = 50
) -> list[ActionView]:
    """Actions, the newest first. before: an action's id; None: from the newest on."""
    return fetch_all(
        connection,
        ActionView,
        f"""
        SELECT {_SHOWN} FROM action WHERE (CAST(:before AS bigint) IS NULL OR id < :before) AND {wanted.where}
        ORDER BY id DESC LIMIT :limit
        """,
        before=before,
        limit=limit,
        **wanted.values,
    )


def action(connection: Connection, action_id: int) -> ActionView | None:
    """One action; None when there is none of this number."""
    return fetch_one(connection, ActionView, f"SELECT {_SHOWN} FROM action WHERE id = :id", id=action_id)


def _written(wish: Wish) -> str:
    return orjson.dumps(wish, option=orjson.OPT_SORT_KEYS).decode()
