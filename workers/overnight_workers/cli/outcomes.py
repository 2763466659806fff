"""`overnight outcomes`: what came back, one JSON line an item."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from overnight_models.quantities import several
from overnight_models.wire.outcome import Problem
from overnight_workers.cli.console import fail
from overnight_workers.cli.moment import moment


def outcomes(
    lane: Annotated[str | None, typer.Option(help="Only this lane's.")] = None,
    key: Annotated[str | None, typer.Option(help="Only the item of this key.")] = None,
    run: Annotated[str | None, typer.Option(help="Only this run's.")] = None,
    problem: Annotated[
        str | None, typer.Option(help=f"Only with this problem: {', '.join(Problem)}, or `any` of them.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only what finished since then: '2h' ago, or 2026-11-23T18:00.")
    ] = None,
) -> None:
    """Outcomes as JSON Lines on standard output, in the documented shape, plus `state`.

    Items that have no outcome yet are left out, unless one is asked for by its key: then its `state` tells where it is.
    Exit code 1: some wait for an encryption key that isn't here, and are left out.
    """
    import orjson

    from overnight_models.ledger import documents
    from overnight_models.ledger.operators import item_views
    from overnight_workers.operators import filters
    from overnight_workers.process import database

    filters.check(lane=lane, run=run, key=key, problem=problem, any_problem=True)
    wanted = item_views.Wanted(lane=lane, key=key, run=run, problem=problem, since=moment(since), final=key is None)
    waiting, why = 0, None
    with database().transaction() as connection:
        for row in item_views.items(connection, wanted, waiting_for_keys=True):
            if row.without_key:
                waiting, why = waiting + 1, why or row.unreadable
                continue
            document = documents.document(row) if row.ok is not None else documents.pending(row)
            sys.stdout.buffer.write(orjson.dumps(document | {"state": row.state}, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.flush()
    if waiting:
        fail(f"{several(waiting, 'outcome')} can't be read here and {'is' if waiting == 1 else 'are'} left out: {why}")
        raise typer.Exit(1)
