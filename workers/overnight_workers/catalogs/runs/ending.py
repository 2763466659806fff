"""A run ends: with its report, and with what else has to be so from that moment on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import orjson
from sqlalchemy import Connection

from overnight_models.crash_points import reach
from overnight_models.ledger.catalogs import reports, runs
from overnight_models.ledger.catalogs.runs import Run
from overnight_models.states import CATALOG_RUN, Move
from overnight_workers import process
from overnight_workers.catalogs.report import document, sending, writing
from overnight_workers.catalogs.report.document import Cause, Ending
from overnight_workers.catalogs.runs.taken import Step, TakenRun


def end(
    taken: TakenRun,
    move: Move,
    *,
    reason: str | None,
    counts: Mapping[str, object],
    causes: Sequence[Cause] = (),
    within: Callable[[Connection], None] = lambda connection: None,
) -> Step:
    """Write the report, then end the run, then send the report to its callback. Taken again, it does the same.

    counts: all that came of it. within: what is written in the transaction that ends it.

    Raises Taken.
    """
    report = document.made(taken.catalog, taken.run, Ending(move.after, reason, counts, causes))
    writing.write(taken.catalog.directory, report)
    dumped, callback = orjson.dumps(counts).decode(), sending.callback_of(taken.catalog)
    reach("before the run ends")
    with process.database().transaction() as connection:
        taken.must(runs.move(connection, taken.run.id, taken.owner, move, reason=reason, counts=dumped))
        reports.keep(connection, taken.run.id, orjson.dumps(report).decode(), callback)
        within(connection)
    reach("after the run has ended")
    if callback is not None:
        sending.send(taken.run.id)
    return Step(move.after if reason is None else f"{move.after}: {reason}", is_over=True)


def stop(taken: TakenRun, reason: str, *, causes: Sequence[Cause] = (), **counts: object) -> Step:
    """End a run unpublished."""
    return end(taken, CATALOG_RUN.stop, reason=reason, counts=taken.counts | counts, causes=causes)


def stop_without_declaration(run: Run, owner: int, reason: str, counts: Mapping[str, object]) -> bool:
    """End a run whose declaration can't be used here any more. False when it isn't this process's.

    Its report is without what only the declaration says, and goes to the callback that this names all the same.
    """
    counts = orjson.loads(run.counts) | dict(counts)
    report = document.made(None, run, Ending(CATALOG_RUN.stop.after, reason, counts))
    writing.write(Path(run.path).parent, report)
    dumped, callback = orjson.dumps(counts).decode(), sending.callback_in(run.declaration)
    with process.database().transaction() as connection:
        if not runs.move(connection, run.id, owner, CATALOG_RUN.stop, reason=reason, counts=dumped):
            return False
        reports.keep(connection, run.id, orjson.dumps(report).decode(), callback)
    if callback is not None:
        sending.send(run.id)
    return True
