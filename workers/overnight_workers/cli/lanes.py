"""`overnight lanes`: the policy in force on each host, who paused what and why, and what is in each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from overnight_models.quantities import spoken
from overnight_workers.cli import console
from overnight_workers.operators import words

if TYPE_CHECKING:
    from overnight_models.ledger.operators.lanes import LaneState
    from overnight_workers.operators.lane_policies import HostPolicy

_ALWAYS: Final = ("workspace", "road", "max_items", "max_wait", "submit_window")
"""Options that have a column; of the others, those that aren't as they are by default are listed."""


def lanes(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON Lines, a lane of a host each.")] = False,
) -> None:
    """Lanes: the policy in force on each host, whether each is paused or drained, by whom and why.

    A lane that two hosts know differently has two rows: which of them takes a message is chance.
    """
    import redis

    from overnight_models.ledger.operators import lanes as ledger
    from overnight_workers.operators import lane_policies
    from overnight_workers.process import database, redis_client

    policies, fault = [], None
    try:
        policies = lane_policies.read(redis_client())
    except redis.RedisError as error:
        fault = f"Overnight's own Redis can't be read, so no policy is shown: {error}; `overnight doctor` says more"
    with database().transaction() as connection:
        states = {state.name: state for state in ledger.states(connection)}
    rows = _rows(policies, states)
    if as_json:
        console.as_json(rows)
    else:
        if not policies and fault is None:
            console.say("no worker shows its policy: is one running with -Q overnight.rescue, and a beat?")
        console.OUT.print(_table(rows))
    if fault is not None:
        console.fail(fault)
        raise typer.Exit(1)


def _rows(policies: list[HostPolicy], states: dict[str, LaneState]) -> list[dict[str, object]]:
    from overnight_workers.configuration import showing
    from overnight_workers.settings import Lane

    default = showing.options(Lane())
    rows = [
        {
            "lane": name,
            "host": policy.host,
            "file": policy.file,
            "options": options,
            "not_default": {option: value for option, value in options.items() if value != default.get(option)},
            **_said(states.get(name)),
        }
        for policy in policies
        for name, options in policy.lanes.items()
    ]
    known = {row["lane"] for row in rows}
    rows += [
        {"lane": name, "host": None, "file": None, "options": None, "not_default": {}, **_said(state)}
        for name, state in states.items()
        if name not in known
    ]
    return sorted(rows, key=lambda row: (row["lane"], row["host"] or ""))


def _said(state: LaneState | None) -> dict[str, object]:
    return {
        "paused_at": None if state is None else state.paused_at,
        "paused_by": None if state is None else state.paused_by,
        "paused_reason": None if state is None else state.paused_reason,
        "drained_by": None if state is None else state.drained_by,
        "waiting": 0 if state is None else state.waiting,
    }


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("lane", "host", "workspace", "road", "packed at", "hours", "waiting", "state", "other options"):
        table.add_column(title, justify="right" if title == "waiting" else "left", no_wrap=title in ("lane", "host"))
    for row in rows:
        options = row["options"]
        rest = {name: value for name, value in row["not_default"].items() if name not in _ALWAYS}
        table.add_row(
            Text(row["lane"]),
            Text(row["host"] or "", style="" if options else "yellow"),
            *(
                (Text(options["workspace"]), Text(options["road"]), _packed_at(options), Text(_hours(options)))
                if options
                else (Text("no host has it: its items wait", style="yellow"), "", "", "")
            ),
            f"{row['waiting']:,}",
            Text(_state(row), style="yellow" if row["paused_at"] or row["drained_by"] else ""),
            Text(", ".join(words.option(name, value) for name, value in rest.items())),
        )
    return table


def _packed_at(options: dict[str, Any]) -> str:
    return f"{options['max_items']:,} items or {spoken(float(options['max_wait']))}"


def _hours(options: dict[str, str]) -> str:
    return options["submit_window"] or "any"


def _state(row: dict[str, object]) -> str:
    if row["paused_at"] is not None:
        who = row["paused_by"] or "Overnight"
        return f"paused by {who} on {row['paused_at']:%Y-%m-%d %H:%M} UTC: {row['paused_reason'] or 'no reason given'}"
    return f"drained by {row['drained_by']}: paused when it is empty" if row["drained_by"] else "goes"
