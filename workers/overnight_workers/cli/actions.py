"""`overnight actions` and `overnight abort`: who did what, to how many items, and why; ending one that is under way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.table import Table
from rich.text import Text

from overnight_models.errors import PermanentError
from overnight_models.quantities import several
from overnight_models.wire.outcome import dollars
from overnight_workers.cli import console
from overnight_workers.cli.decide import user

if TYPE_CHECKING:
    from overnight_models.ledger.operators.actions import ActionView


def actions(
    who: Annotated[str | None, typer.Option(help="Only what this person did.")] = None,
    act: Annotated[str | None, typer.Option(help="Only what is called so: redo, cancel, pause, budget, …")] = None,
    target: Annotated[
        str | None, typer.Option(help="Only what names this lane, run, tenant, key, batch or item.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only what began since then: '2h' ago, or 2026-11-23T18:00.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Only what began before then.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 30,
    before: Annotated[int | None, typer.Option(help="Only older ones than this action.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON Lines, an action each.")] = False,
) -> None:
    """What people did, the newest first: who, when, what, to how many items, why; how far those are that go on."""
    from overnight_models.ledger.operators import actions as ledger
    from overnight_workers.operators import action_filter
    from overnight_workers.process import database

    given = {"who": who, "act": act, "target": target, "since": since, "until": until}
    wanted = action_filter.read(
        {word: text for word, text in given.items() if text is not None}, spoken_as=lambda word: f"--{word}"
    )
    with database().transaction() as connection:
        shown = ledger.actions(connection, wanted, before=before, limit=limit)
    if as_json:
        console.as_json([_document(action) for action in shown])
        return
    if not shown:
        console.OUT.print("Nobody has done anything yet." if wanted == ledger.EVERY_ACTION else "No such action.")
        return
    console.OUT.print(_table(shown))


def _table(shown: Sequence[ActionView]) -> Table:
    """An action a line."""
    from overnight_workers.operators import words

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("action", "when", "who", "what", "to which", "items", "state", "why"):
        table.add_column(title, justify="right" if title in ("action", "items") else "left")
    for action in shown:
        table.add_row(
            str(action.id),
            f"{action.began_at:%Y-%m-%d %H:%M:%S}",
            Text(f"{action.actor} ({action.via})"),
            action.name,
            Text(words.wish(action)),
            f"{action.done:,}",
            Text(_state(action), style="yellow" if action.ended_at is None else ""),
            Text(action.reason or ""),
        )
    return table


def abort(number: Annotated[int, typer.Argument(metavar="ACTION", help="Its number in `overnight actions`.")]) -> None:
    """End an action that is under way: what it has done stays done, and the rest isn't."""
    from overnight_models.ledger.operators import actions as ledger
    from overnight_workers.process import database

    with database().transaction() as connection:
        aborted = ledger.abort(connection, number, user())
        action = ledger.action(connection, number)
    if action is None:
        raise PermanentError(f"there is no action {number}: `overnight actions` lists them")
    if not aborted:
        raise PermanentError(f"action {number} is over: {action.name}, {several(action.done, 'item')}")
    done = several(action.done, "item is", "items are")
    console.OUT.print(f"action {number} is aborted: {action.name}, {done} done", markup=False)


def _state(action: ActionView) -> str:
    if action.aborted_at is not None:
        return f"aborted by {action.aborted_by}"
    return "done" if action.ended_at is not None else f"under way, of {action.items:,}"


def _document(action: ActionView) -> dict[str, object]:
    from overnight_workers.stages.purging import counts

    document = {name: value for name, value in action._asdict().items() if name not in ("wish", "most_nano", "removed")}
    most_usd = None if action.most_nano is None else dollars(action.most_nano)
    removed = {"removed": counts(action)} if action.removed is not None else {}
    return document | {"wish": orjson.loads(action.wish), "most_usd": most_usd} | removed
