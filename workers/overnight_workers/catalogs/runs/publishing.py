"""The last step: answers go into the sink, and the memory learns what is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, cast

import orjson
from sqlalchemy import Connection

from overnight_models.crash_points import reach
from overnight_models.ledger import answer
from overnight_models.ledger.catalogs import answers
from overnight_models.ledger.catalogs import memory as ledger
from overnight_models.ledger.documents import ItemRow
from overnight_models.states import CATALOG_RUN
from overnight_models.wire.outcome import Outcome, Problem, ProblemName
from overnight_workers import logs, process
from overnight_workers.catalogs import memory
from overnight_workers.catalogs.declaration import Valid
from overnight_workers.catalogs.diff import Reason
from overnight_workers.catalogs.memory import Came
from overnight_workers.catalogs.opened import duck
from overnight_workers.catalogs.report import before
from overnight_workers.catalogs.report.document import Cause
from overnight_workers.catalogs.rows import read_item_key
from overnight_workers.catalogs.runs import ending, problems
from overnight_workers.catalogs.runs.pilot import Verdicts, verdicts_of
from overnight_workers.catalogs.runs.taken import AT_ONCE, Step, TakenRun
from overnight_workers.catalogs.sinks import Answered, Publication, sink_of

if TYPE_CHECKING:
    from overnight_workers.catalogs.memory import Entries

USELESS: Final = (Problem.INVALID_OUTPUT, Problem.CUT_OFF, Problem.TOO_LONG)
UNSENT: Final = ("can't be sent", "turned down")


_PAGE: Final = 2_000

log = logs.get(__name__)

NONE_GONE: Final = memory.entries(b"")


def came(ok: bool, problem: str | None) -> Came:
    """What an outcome means for the next run."""
    if ok:
        return Came.OK
    if problem == Problem.REFUSED:
        return Came.REFUSED
    if problem in UNSENT:
        return Came.UNSENT
    return Came.USELESS if problem in USELESS else Came.FAILED


def why_not(taken: TakenRun, verdicts: Verdicts) -> str | None:
    """Why a run's answers aren't published; None when they are."""
    wanted = taken.catalog.publish
    if not isinstance(wanted, Valid) or not taken.plan["send"]:
        return None
    share = verdicts.ok / taken.plan["send"]
    if share >= wanted.valid:
        return None
    return f"{share:.1%} of its rows are valid, publish wants {wanted.valid:.1%}: nothing was published"


def publish(taken: TakenRun) -> Step:
    """Write into the sink, then end the run with the memory of it. Raises Taken, and what the sink raises."""
    gone = _gone(taken)
    write(taken, gone)
    causes = leave_problems(taken)
    verdicts = verdicts_of(taken.run.name, taken.run.id)
    states = {problem: came(False, problem) for problem in verdicts.problems}
    may_do_better = sum(n for problem, n in verdicts.problems.items() if states[problem] is Came.FAILED)
    missed = taken.plan["send"] - verdicts.items - sum(verdicts.problems[cause] for cause in UNSENT)
    is_whole = not may_do_better and missed <= 0 and not taken.counts.get("over_the_cap")
    counts = taken.counts | verdicts.document()
    counts |= {"gone": len(gone), "changed_meanwhile": max(missed, 0), "published": True}
    move = CATALOG_RUN.finish if is_whole else CATALOG_RUN.fall_short
    reason = None if is_whole else _short_of(may_do_better, max(missed, 0), counts)
    changed = _entries(taken)
    reach("before the memory is written")

    def remember(connection: Connection) -> None:
        merged = memory.merged(ledger.entries(connection, taken.run.catalog_id), changed, gone)
        ledger.replace_entries(connection, taken.run.catalog_id, merged)
        ledger.forget_planned(connection, taken.run.id)

    return ending.end(taken, move, reason=reason, counts=counts, causes=causes, within=remember)


def _short_of(may_do_better: int, missed: int, counts: dict[str, object]) -> str:
    said = [f"{may_do_better:,} rows failed in a way that another try may not"] if may_do_better else []
    said += [f"{missed:,} rows changed or left the source meanwhile"] if missed else []
    said += [f"{counts['over_the_cap']:,} rows are over the cap"] if counts.get("over_the_cap") else []
    return "; ".join(said) + ": the next run sends them"


def write(taken: TakenRun, gone: Entries) -> None:
    """Write what has come back into the sink, and take out or mark what is gone. Repeating it changes nothing."""
    sink = sink_of(taken.catalog)
    if sink is None:
        return
    before.note(taken.catalog, taken.run)
    entries = {memory_entry.tobytes()[:16] for memory_entry in gone}
    sink.publish(Publication(taken.run.number, answered(taken), entries))


def leave_problems(taken: TakenRun) -> Sequence[Cause]:
    """Write what has no useful answer beside the declaration. A place that can't be written is no reason to wait."""
    try:
        return problems.write(taken.catalog, taken.run.name, taken.run.number, answered(taken, "any"))
    except OSError as error:
        log.warning("the problems of a run can't be written", run=taken.run.name, error=str(error))
        return []


def answered(taken: TakenRun, problem: str | None = None) -> Iterator[Answered]:
    """What came back, page by page; then the rows that couldn't be sent. problem: "any" for those that have one."""
    after: int | None = 0
    while after is not None:
        with process.database().transaction() as connection:
            page, after = answer.outcomes_page(
                connection, run=taken.run.name, lane=None, problem=problem, after=after, limit=_PAGE
            )
        for outcome in map(_outcome, page):
            _, variant, sent = read_item_key(outcome.key)
            key = tuple(orjson.loads(outcome.trace_id or "[]"))
            may_do_better = came(outcome.ok, outcome.problem) is Came.FAILED
            yield Answered(key, variant, sent.hex(), outcome.problem, outcome, may_do_better)
    with process.database().transaction() as connection:
        unsent = answers.unsent(connection, taken.run.id)
    for row in unsent:
        if row.key != "[]":
            yield Answered(tuple(orjson.loads(row.key)), row.variant, None, row.cause, None, False, row.detail)


def _outcome(row: ItemRow) -> Outcome:
    """What came back for an item, as a product reads it: made of its row, without JSON between them."""
    message: dict[str, Any] | None = None if row.message is None else orjson.loads(row.message)
    return Outcome(
        item_id=str(row.receipt),
        key=row.key,
        lane=row.lane,
        ok=bool(row.ok),
        problem=cast("ProblemName | None", row.problem),
        detail=row.detail,
        retryable=bool(row.retryable),
        message=message,
        model=row.model,
        usage=None if message is None else message.get("usage"),
        cost_usd=_usd(row.cost_nano),
        realtime_cost_usd=_usd(row.realtime_nano),
        earlier_cost_usd=_usd(row.cost_before_nano),
        run=row.run,
        finished_at=None if row.finished_at is None else row.finished_at.astimezone(UTC),
        trace_id=row.trace_id,
    )


def _usd(nano: int | None) -> Decimal | None:
    return None if nano is None else Decimal(nano).scaleb(-9)


def _gone(taken: TakenRun) -> Entries:
    with process.database().transaction() as connection:
        planned = memory.entries(ledger.planned(connection, taken.run.id))
    gone: Entries = planned[planned["state"] == Reason.GONE]
    return gone


def _entries(taken: TakenRun) -> Entries:
    """What the memory learns: the planned entries of rows that came back, with what came of them."""
    import numpy as np

    columns: dict[str, list[int]] = {"low": [], "high": [], "sent": [], "state": []}

    def add(entry: bytes, sent: bytes, state: Came) -> None:
        low, high = memory.halves(entry)
        columns["low"].append(low)
        columns["high"].append(high)
        columns["sent"].append(int.from_bytes(sent, "little"))
        columns["state"].append(state)

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
                add(entry, sent, came(verdict.ok, verdict.problem))
    with process.database().transaction() as connection:
        for row in answers.unsent(connection, taken.run.id):
            add(row.entry, b"", Came.UNSENT)
        planned = memory.entries(ledger.planned(connection, taken.run.id))
    types = {"low": np.uint64, "high": np.uint64, "sent": np.uint64, "state": np.uint8}
    came_back = memory.made({name: np.array(values, dtype=types[name]) for name, values in columns.items()})
    with duck() as joining:
        memory.register(joining, "planned", planned)
        memory.register(joining, "came_back", came_back)
        return memory.made(
            joining.execute("""
                SELECT low, high, planned.input, came_back.sent, planned.recipe, planned.run, came_back.state
                FROM came_back JOIN planned USING (low, high)
            """).fetchnumpy()
        )
