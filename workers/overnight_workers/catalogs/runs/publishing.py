"""The last step: answers go into the sink, and the memory learns what is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import orjson
from sqlalchemy import Connection

from overnight_models.crash_points import reach
from overnight_models.ledger.bodies.encryption import NoKey
from overnight_models.ledger.catalogs import answers, published
from overnight_models.ledger.catalogs import memory as ledger
from overnight_models.ledger.catalogs.published import Answer
from overnight_models.states import CATALOG_RUN
from overnight_models.wire.outcome import Problem
from overnight_workers import process
from overnight_workers.catalogs import memory
from overnight_workers.catalogs.declaration import Valid
from overnight_workers.catalogs.diff import Reason
from overnight_workers.catalogs.memory import Came, Hashes, Learned
from overnight_workers.catalogs.opened import duck
from overnight_workers.catalogs.report import before
from overnight_workers.catalogs.report.document import Cause
from overnight_workers.catalogs.rows import read_item_key
from overnight_workers.catalogs.runs import ending, problems
from overnight_workers.catalogs.runs.pilot import Verdicts, verdicts_of
from overnight_workers.catalogs.runs.taken import AT_ONCE, Step, TakenRun, planned
from overnight_workers.catalogs.sinks import Answered, Publication, Reply, Sink, sink_of
from overnight_workers.telemetry import logs

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from overnight_workers.catalogs.memory import Entries

USELESS: Final = (Problem.INVALID_OUTPUT, Problem.CUT_OFF, Problem.TOO_LONG)
UNSENT: Final = ("can't be sent", "turned down")


log = logs.get(__name__)

_LOST: Final = "sink_lost_meanwhile"


def came(ok: bool, problem: str | None) -> Came:
    """What an outcome means for the next run."""
    if ok:
        return Came.OK
    if problem == Problem.REFUSED:
        return Came.REFUSED
    if problem in UNSENT:
        return Came.UNSENT
    return Came.USELESS if problem in USELESS else Came.FAILED


def why_not(taken: TakenRun) -> str | None:
    """Why a run's answers aren't published; None when they are."""
    wanted = taken.catalog.publish
    if not isinstance(wanted, Valid) or not taken.plan["send"]:
        return None
    share = verdicts_of(taken.run.name, taken.run.id).ok / taken.plan["send"]
    if share >= wanted.valid:
        return None
    return f"{share:.1%} of its rows are valid, publish wants {wanted.valid:.1%}: nothing was published"


def publish(taken: TakenRun) -> Step:
    """Write into the sink, then end the run with the memory of it. Raises Taken, and what the sink raises."""
    gone, learned = _gone(taken), Learned()
    if not write(taken, gone, learned):
        _learn(taken, learned)
    verdicts = verdicts_of(taken.run.name, taken.run.id)
    causes = leave_problems(taken, verdicts)
    states = {problem: came(False, problem) for problem in verdicts.problems}
    may_do_better = sum(n for problem, n in verdicts.problems.items() if states[problem] is Came.FAILED)
    missed = taken.plan["send"] - verdicts.items - sum(verdicts.problems[cause] for cause in UNSENT)
    is_whole = not may_do_better and missed <= 0 and not taken.counts.get("over_the_cap")
    counts = taken.counts | verdicts.document()
    counts |= {"gone": len(gone), "changed_meanwhile": max(missed, 0), "published": True}
    move = CATALOG_RUN.finish if is_whole else CATALOG_RUN.fall_short
    reason = None if is_whole else _short_of(may_do_better, max(missed, 0), counts)
    with came_back(taken, learned) as changed:
        reach("before the memory is written")

        def write_memory(connection: Connection) -> None:
            remember(connection, taken, changed, has_gone=len(gone) > 0)

        return ending.end(taken, move, reason=reason, counts=counts, causes=causes, within=write_memory)


def remember(connection: Connection, taken: TakenRun, changed: DuckDBPyConnection, *, has_gone: bool) -> None:
    """Write the memory, some parts at a time. changed: has the table `changed` of what came back.

    has_gone: some of the planned entries are of rows that are gone from the source.
    """
    catalog_id = taken.run.catalog_id
    sizes = ledger.size(connection, catalog_id), ledger.planned_size(connection, taken.run.id)
    is_lost = "sink_lost" in taken.plan or _LOST in taken.counts
    for parts in memory.groups(max(sizes)):
        if is_lost:  # nothing is in it but what this run has written
            ledger.replace_entries(connection, catalog_id, dict.fromkeys(parts, b""))
        some = memory.made(
            changed.execute(f"SELECT * EXCLUDE (n) FROM changed WHERE {memory.is_in(parts)}").fetchnumpy()
        )
        known = ledger.entries(connection, catalog_id, parts)
        gone = _gone_of(memory.entries(ledger.planned(connection, taken.run.id, parts))) if has_gone else None
        ledger.replace_entries(connection, catalog_id, memory.merged(known, some, gone))
    ledger.forget_planned(connection, taken.run.id)


def _short_of(may_do_better: int, missed: int, counts: dict[str, object]) -> str:
    said = [f"{may_do_better:,} rows failed in a way that another try may not"] if may_do_better else []
    said += [f"{missed:,} rows changed or left the source meanwhile"] if missed else []
    said += [f"{counts['over_the_cap']:,} rows are over the cap"] if counts.get("over_the_cap") else []
    return "; ".join(said) + ": the next run sends them"


def write(taken: TakenRun, gone: Hashes, learned: Learned | None = None) -> bool:
    """Write what has come back into the sink, and take out or mark what is gone. Repeating it changes nothing.

    learned: gets what the memory learns of each row. Returns False where there is no sink to be written.
    """
    sink = sink_of(taken.catalog)
    if sink is None:
        return False
    before.note(taken.catalog, taken.run)
    _note_lost(taken, sink)
    sink.publish(Publication(taken.run.number, answered(taken, learned), gone))
    return True


def _note_lost(taken: TakenRun, sink: Sink) -> None:
    """A sink that was lost since the plan has nothing but what this run writes: the next run sends the others.

    Noted before it is written, since whoever publishes again after a death sees what was written before it.
    """
    if "sink_lost" in taken.plan or _LOST in taken.counts or sink.latest_run() is not None:
        return
    with process.database().transaction() as connection:
        is_known = ledger.size(connection, taken.run.catalog_id) > 0
    if is_known:
        log.warning("nothing is in a run's sink any more", run=taken.run.name)
        taken.note_enqueued(**{_LOST: True})


def leave_problems(taken: TakenRun, verdicts: Verdicts) -> Sequence[Cause]:
    """Write what has no useful answer beside the declaration. A place that can't be written is no reason to wait."""
    left = answered(taken, only_problems=True) if verdicts.bad else iter(())
    try:
        return problems.write(taken.catalog, taken.run.name, taken.run.number, left)
    except (OSError, NoKey) as error:
        log.warning("the problems of a run can't be written", run=taken.run.name, error=str(error))
        return []


def answered(taken: TakenRun, learned: Learned | None = None, *, only_problems: bool = False) -> Iterator[Answered]:
    """What came back, page by page; then the rows that couldn't be sent.

    learned: gets what the memory learns of each row that is given.
    """
    learned = Learned() if learned is None else learned
    after: int | None = 0
    while after is not None:
        with process.database().transaction() as connection:
            page, after = published.page(connection, taken.run.name, only_problems=only_problems, after=after)
        for row in page:
            entry, variant, sent = read_item_key(row.key)
            came_ = came(bool(row.ok), row.problem)
            learned.add(entry, sent, came_)
            key = tuple(orjson.loads(row.cells or "[]"))
            yield Answered(key, variant, sent.hex(), row.problem, _reply(row), came_ is Came.FAILED, None, row.id)
    with process.database().transaction() as connection:
        unsent = answers.unsent(connection, taken.run.id)
    for given in unsent:
        learned.add(given.entry, b"", Came.UNSENT)
        if given.key != "[]":
            yield Answered(tuple(orjson.loads(given.key)), given.variant, None, given.cause, None, False, given.detail)


def _reply(row: Answer) -> Reply:
    """What came back for a row, as far as a sink takes it."""
    return Reply(
        bool(row.ok),
        None if row.message is None else orjson.loads(row.message),
        row.detail,
        row.model,
        None if row.cost_nano is None else Decimal(row.cost_nano).scaleb(-9),
        None if row.finished_at is None else row.finished_at.astimezone(UTC),
    )


def _gone(taken: TakenRun) -> Hashes:
    gone = Hashes()
    for piece in planned(taken):
        gone.add(memory.hashes_of(_gone_of(piece)))
    return gone


def _gone_of(planned_entries: Entries) -> Entries:
    gone: Entries = planned_entries[planned_entries["state"] == Reason.GONE]
    return gone


def _learn(taken: TakenRun, learned: Learned) -> None:
    """What the memory learns of a run whose answers go into no sink here."""
    after = 0
    while True:
        with process.database().transaction() as connection:
            page = answers.verdicts(connection, taken.run.name, after=after, limit=AT_ONCE)
        if not page:
            break
        after = page[-1].id
        for verdict in page:
            entry, _, sent = read_item_key(verdict.key)
            if verdict.ok is not None:
                learned.add(entry, sent, came(verdict.ok, verdict.problem))
    with process.database().transaction() as connection:
        for row in answers.unsent(connection, taken.run.id):
            learned.add(row.entry, b"", Came.UNSENT)


@contextmanager
def came_back(taken: TakenRun, learned: Learned) -> Iterator[DuckDBPyConnection]:
    """The planned entries of rows that came back, with what came of them: a table `changed`, while it is open."""
    with duck() as joining:
        memory.load(joining, "planned", planned(taken))
        memory.load(joining, "came_back", learned.pieces())
        joining.execute(f"""
            CREATE TABLE changed AS
            SELECT {memory.HASH} AS n, low, high, planned.* EXCLUDE (low, high, sent, state),
                   came_back.sent, came_back.state
            FROM came_back JOIN planned USING (low, high)
        """)
        yield joining
