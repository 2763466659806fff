"""The report of a run as JSON: what went in and why, what came of it, what it cost, and how long each step took.

Money is in dollars, as decimal texts; times are ISO 8601 in UTC; seconds are numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import accumulate
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from overnight_models.ledger.catalogs import reports as ledger
from overnight_models.ledger.catalogs import runs as runs_ledger
from overnight_models.ledger.catalogs.runs import Run
from overnight_models.ledger.money import runs as times
from overnight_models.ledger.money.costs import Costs, costs, total
from overnight_models.states import CATALOG_RUN
from overnight_models.wire.outcome import dollars
from overnight_workers import process
from overnight_workers.catalogs.declaration import Catalog
from overnight_workers.catalogs.report import before

VERSION: Final = 1
NIGHTS: Final = 30
"""Runs of the catalog that are shown beside this one, itself among them."""
_PARTS: Final = 60
_BINS: Final = 24
_CAUSES: Final = 20


@dataclass(frozen=True)
class Cause:
    """Rows without a useful answer that have one cause. examples: with `key`, `detail` and `answer`."""

    cause: str
    said: str
    """The sentence that they have in common, without what differs from row to row."""
    rows: int
    examples: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True)
class Ending:
    """How a run is about to end; its row doesn't say so yet."""

    state: str
    reason: str | None
    counts: Mapping[str, Any]
    causes: Sequence[Cause] = field(default=())


def kept(run: Run) -> dict[str, Any] | None:
    """The report that a run left; None while it isn't over, and for runs from before there were reports."""
    with process.database().transaction() as connection:
        kept_ = ledger.document(connection, run.id)
    return None if kept_ is None else dict(orjson.loads(kept_))


def made(catalog: Catalog | None, run: Run, ending: Ending) -> dict[str, object]:
    """The report of a run that ends so, or of one that is under way (then with what has come so far).

    catalog: None where its declaration can't be used any more: then without what only that says.
    """
    counts = dict(ending.counts)
    plan = orjson.loads(run.plan or "{}")
    now = datetime.now(UTC)
    with process.database().transaction() as connection:
        bill = total(costs(connection, "run", run_name=run.name))
        document = {
            "v": VERSION,
            "run": run.name,
            "catalog": run.catalog,
            "state": ending.state,
            "reason": ending.reason,
            "began_at": _iso(run.began_at),
            "ended_at": _iso(now) if ending.state in CATALOG_RUN.final else None,
            "seconds": round((now - run.began_at).total_seconds(), 3),
            "nominal_at": run.nominal_at,
            "approved_by": run.approved_by,
            "model": "" if catalog is None else catalog.model,
            "sink": None if catalog is None else _sink_words(catalog),
            "rows": plan.get("rows", 0),
            "sent": plan.get("send", 0),
            "reasons": list(plan.get("reasons", {}).values()),
            "left": list(plan.get("left", {}).values()),
            "counts": _counts(counts),
            "problems": _problems(counts, ending.causes),
            "bill": _bill(bill),
            "plan_beside_bill": _beside(plan, bill),
            "steps": _steps(run, now),
            "stages": _stages(connection, run),
            "progress": _progress(connection, run),
            "lengths": _lengths(connection, run),
            "nights": _nights(connection, run, ending, bill),
        }
    is_published = bool(counts.get("published"))
    drawn = [] if catalog is None else (before.with_now if is_published else before.with_answers)(catalog, run)
    return document | {"published": is_published, "drawn": drawn}


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _sink_words(catalog: Catalog) -> str | None:
    sink = catalog.sink
    return None if sink is None else str(sink.path or sink.table or sink.task)


def _counts(counts: Mapping[str, int]) -> dict[str, int]:
    names = ("items", "ok", "asked_again", "over_the_cap", "changed_meanwhile", "gone", "unpriced", "had_already")
    return {name: int(counts.get(name) or 0) for name in names}


def _problems(counts: Mapping[str, Any], causes: Sequence[Cause]) -> list[dict[str, object]]:
    """By cause, the most frequent first; those beyond the twentieth are one."""
    groups = sorted(causes, key=lambda group: -group.rows) or [
        Cause(str(cause), "", rows) for cause, rows in sorted(dict(counts.get("problems") or {}).items())
    ]
    rest = groups[_CAUSES:]
    shown = groups[:_CAUSES] + ([Cause("others", "", sum(group.rows for group in rest))] if rest else [])
    return [
        {"cause": group.cause, "said": group.said, "rows": group.rows, "examples": list(group.examples)}
        for group in shown
    ]


def _bill(bill: Costs) -> dict[str, object]:
    return {
        "usd": dollars(bill.cost_nano),
        "realtime_usd": dollars(bill.realtime_nano),
        "saved_usd": dollars(bill.saved_nano),
        "saved_share": round(bill.saved_nano / bill.realtime_nano, 6) if bill.realtime_nano else 0.0,
        "answers": bill.answers,
        "input_tokens": bill.input_tokens,
        "cache_read_tokens": bill.cache_read_tokens,
        "cache_write_tokens": bill.cache_write_5m_tokens + bill.cache_write_1h_tokens,
        "cache_hits": round(bill.cache_hits, 6),
        "output_tokens": bill.output_tokens,
        "thinking_tokens": bill.thinking_tokens,
        "unpriced": bill.unpriced,
        "paid_twice": bill.paid_twice,
        "paid_twice_usd": dollars(bill.paid_twice_nano),
    }


def _beside(plan: Mapping[str, str], bill: Costs) -> dict[str, object] | None:
    """What was expected beside what was billed; None without a plan."""
    if not plan:
        return None
    billed = Decimal(dollars(bill.cost_nano))
    low, expected, high = (Decimal(plan[name]) for name in ("low_usd", "usd", "high_usd"))
    return {
        "usd": plan["usd"],
        "low_usd": plan["low_usd"],
        "high_usd": plan["high_usd"],
        "how": plan["how"],
        "billed_usd": dollars(bill.cost_nano),
        "is_within": low <= billed <= high,
        "share": float(round(billed / expected, 4)) if expected else None,
    }


def _steps(run: Run, now: datetime) -> list[dict[str, object]]:
    """The states in their order, and how long each took."""
    left = [(step["state"], datetime.fromisoformat(step["left_at"])) for step in orjson.loads(run.steps)]
    began = [run.began_at, *(at for _, at in left)]
    states = [*(state for state, _ in left), *([] if run.is_over else [run.state])]
    ends = [*(at for _, at in left), now]
    return [
        {"state": state, "began_at": _iso(start), "seconds": round(max((end - start).total_seconds(), 0.0), 3)}
        for state, start, end in zip(states, began, ends, strict=False)
    ]


def _stages(connection: Connection, run: Run) -> dict[str, object]:
    """When the last of its items had passed each stage."""
    line = times.timeline(connection, run.name)
    moments = {
        "accepted_at": line.accepted_at,
        "packed_at": line.packed_at,
        "created_at": line.created_at,
        "ended_at": line.ended_at,
        "collected_at": line.collected_at,
    }
    return {name: None if at is None else _iso(at) for name, at in moments.items()} | {"batches": line.batches}


def _progress(connection: Connection, run: Run) -> list[dict[str, object]]:
    moments = ledger.progress(connection, run.name, parts=_PARTS)
    rows, ok = accumulate(moment.rows for moment in moments), accumulate(moment.ok for moment in moments)
    return [
        {"seconds": round((moment.at - run.began_at).total_seconds(), 1), "rows": came, "ok": good}
        for moment, came, good in zip(moments, rows, ok, strict=True)
    ]


def _lengths(connection: Connection, run: Run) -> dict[str, object]:
    middle = ledger.tokens(connection, run.name)
    bins = ledger.lengths(connection, run.name, parts=_BINS)
    return {
        "input_median": middle.input_median,
        "output_median": middle.output_median,
        "output_95": middle.output_95,
        "output": [{"from": part.shortest, "to": part.longest, "rows": part.rows} for part in bins],
    }


def _nights(connection: Connection, run: Run, ending: Ending, bill: Costs) -> list[dict[str, object]]:
    """The last runs of the catalog up to this one, the oldest first."""
    earlier = [
        _night(other, other.state, orjson.loads(other.counts), int(orjson.loads(other.counts).get("cost_nano") or 0))
        for other in runs_ledger.runs(connection, catalog=run.catalog, limit=NIGHTS + 1)
        if other.number < run.number
    ]
    return [*reversed(earlier[: NIGHTS - 1]), _night(run, ending.state, ending.counts, bill.cost_nano)]


def _night(run: Run, state: str, counts: Mapping[str, Any], cost_nano: int) -> dict[str, object]:
    plan = orjson.loads(run.plan or "{}")
    return {
        "run": run.name,
        "began_at": _iso(run.began_at),
        "state": state,
        "sent": plan.get("send", 0),
        "problems": sum(dict(counts.get("problems") or {}).values()),
        "usd": dollars(cost_nano),
    }
