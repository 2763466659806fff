"""`overnight redo`: what failed or was canceled is tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from overnight_models.errors import PermanentError
from overnight_models.wire.outcome import Problem, dollars
from overnight_workers.cli import console

if TYPE_CHECKING:
    from overnight_models.ledger.operators.redoing import Prospect, Wish

_AT_ONCE: Final = 1000


def redo(
    lane: Annotated[str | None, typer.Option(help="Only this lane's.")] = None,
    run: Annotated[str | None, typer.Option(help="Only this run's.")] = None,
    key: Annotated[str | None, typer.Option(help="Only the item of this key.")] = None,
    problem: Annotated[str | None, typer.Option(help=f"Only with this problem: {', '.join(Problem)}.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that ever failed or was canceled.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; asks nothing, so it needs --yes.")] = False,
) -> None:
    """Try items again that failed or were canceled: how many, and what that may cost, is said first.

    Each is sent and paid for again, as it was enqueued; its earlier bill stays. Its outcome comes to its callback with
    a new delivery id, and its receipt and key stand for the new try.
    """
    from overnight_models.ledger.operators import redoing
    from overnight_workers.operators import filters
    from overnight_workers.process import database, prices

    filters.check(lane=lane, run=run, key=key, problem=problem)
    wish = redoing.Wish(lane=lane, run=run, key=key, problem=problem)
    if wish.is_everything and not everything:
        narrower = "--lane, --run, --key, --problem"
        raise PermanentError(f"everything that ever failed? Narrow it down ({narrower}), or say --all")
    with database().transaction() as connection:
        prospect, until = redoing.prospect(connection, wish, prices()), redoing.newest(connection)
    if not as_json:
        console.OUT.print(_said(prospect), markup=False)
    asked = yes or (not as_json and prospect.items > 0 and typer.confirm("try them again?", default=False))
    redone = _redo(wish, until) if asked else 0
    if as_json:
        console.as_json(
            {
                "redone": redone,
                "items": prospect.items,
                "billed_usd": dollars(prospect.billed_nano),
                "most_usd": dollars(prospect.most_nano),
                "unpriced": prospect.unpriced,
            }
        )
    elif asked:
        console.OUT.print(f"{redone:,} items wait to be tried again", markup=False)


def _said(prospect: Prospect) -> str:
    if prospect.items == 0:
        return "nothing failed or was canceled that fits"
    unpriced = f", beside {prospect.unpriced:,} whose model has no price" if prospect.unpriced else ""
    return (
        f"{prospect.items:,} items: their last tries were billed ${dollars(prospect.billed_nano)};"
        f" another costs ${dollars(prospect.most_nano)} at the most{unpriced}"
    )


def _redo(wish: Wish, until: int) -> int:
    from overnight_models.ledger.operators import redoing
    from overnight_workers.process import database

    redone = last = 0
    with console.interruptible():
        # a group is a transaction: a million of them take no memory, and hold nobody up
        while True:
            with database().transaction() as connection:
                number, last = redoing.redo_group(connection, wish, after=last, until=until, limit=_AT_ONCE)
            redone += number
            if not last:
                return redone
