"""`overnight replay`: outcomes go to their callbacks again."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import typer

from overnight_models.errors import PermanentError
from overnight_workers.cli import console
from overnight_workers.cli.moment import moment

_AT_ONCE: Final = 5000


def replay(
    delivered: Annotated[
        bool, typer.Option("--delivered", help="Those that were delivered, and not those that were given up.")
    ] = False,
    lane: Annotated[str | None, typer.Option(help="Only this lane's.")] = None,
    run: Annotated[str | None, typer.Option(help="Only this run's.")] = None,
    key: Annotated[str | None, typer.Option(help="Only the item of this key.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Only what finished since then: '2h' ago, or 2026-11-23T18:00.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="With --delivered: all that there ever was.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Send outcomes to their callbacks again: the dead ones, or delivered ones that a product has lost.

    Nothing is paid for again. Each comes with the same delivery id as before: a product that has it already can tell.
    """
    from overnight_models.ledger.deliver import replay as ledger
    from overnight_workers.operators import filters
    from overnight_workers.process import database

    filters.check(lane=lane, run=run, key=key)
    state: Literal["delivered", "dead"] = "delivered" if delivered else "dead"
    wanted = ledger.Replayed(state=state, lane=lane, run=run, key=key, since=moment(since))
    if delivered and wanted.is_everything and not everything:
        raise PermanentError(
            "every outcome ever delivered? Narrow it down (--lane, --run, --key, --since), or say --all"
        )
    replayed = last = 0
    with console.interruptible():
        # a group is a transaction: a million of them take no memory, and hold nobody up
        while True:
            with database().transaction() as connection:
                number, last = ledger.replay(connection, wanted, after=last, limit=_AT_ONCE)
            replayed += number
            if number < _AT_ONCE:
                break
    if as_json:
        console.as_json({"replayed": replayed, "state": state})
        return
    console.OUT.print(f"{replayed:,} {state} deliveries are due again", markup=False)
