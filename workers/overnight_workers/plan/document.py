"""A plan as JSON: version 1, in the order of its five questions; money as decimal strings of dollars.

Every estimate is {"value", "low", "high", "how"}; for money {"usd", "low_usd", "high_usd", "how"}.
Where `how` is "unknown" a part can't be counted by anybody: the value is the least, and `high` is null.
"""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from typing import Final

from overnight_models.money.forecast import Caching
from overnight_models.wire.outcome import dollars
from overnight_workers.plan.costs import Column
from overnight_workers.plan.figure import Figure, How
from overnight_workers.plan.plan import Plan, errors
from overnight_workers.plan.schedule import Option
from overnight_workers.plan.sharing import PRIMED, Segment

VERSION: Final = 1
_BAD_LINES: Final = 100
_PREFIXES: Final = 20


def document(plan: Plan) -> dict[str, object]:
    """The whole plan."""
    survey, wish = plan.survey, plan.wish
    return {
        "v": VERSION,
        "made_at": plan.made_at.isoformat(),
        "file": str(wish.file),
        "lane": wish.lane,
        "run": wish.run,
        "by": None if wish.by is None else wish.by.isoformat(),
        "items": survey.items,
        "known": survey.known,
        "bad": survey.bad,
        "prices": {"as_of": plan.prices_as_of.isoformat(), "age_days": plan.prices_age_days},
        "ledger": plan.why_no_ledger or "read",
        "expected": {
            "tokens_in": _figure(plan.tokens_in.total),
            "tokens_out": _figure(plan.tokens_out.total),
            "cost": _money(plan.costs.expected.total),
            "cached": plan.costs.is_cached,
            "left_to_pay": _money(plan.left_nano),
        },
        "hints": [
            {"hint": hint.name, "model": hint.model or None, "items": hint.items, "text": hint.text}
            for hint in plan.hints
        ],
        "half_price": _half_price(plan),
        "counting": _counting(plan),
        "time": _time(plan),
        "caching": _caching(plan),
        "road": _road(plan),
        "past_plans": [
            {"run": run, "cost_error": round(error, 6)} for run, error in errors(plan.past, "cost_nano").items()
        ],
    }


def _half_price(plan: Plan) -> dict[str, object]:
    survey = plan.survey
    return {
        "ruled_out": [{"why": why, "lines": lines} for why, lines in survey.reasons.items()],
        "bad_lines": [{"line": bad.number, "why": bad.why} for bad in survey.bad_lines[:_BAD_LINES]],
        "unknown_prices": [{"model": model, "items": items} for model, items in survey.unpriced.items()],
        "batches": [
            {"items": batch.items, "bytes": batch.size, "why": batch.why.value, "betas": list(batch.betas)}
            for batch in plan.batches
        ],
        "waves": plan.waves,
        "queue_limit": plan.queue.limit,
        "queued_now": plan.queue.queued,
    }


def _counting(plan: Plan) -> dict[str, object]:
    into, out, costs = plan.tokens_in, plan.tokens_out, plan.costs
    return {
        "tokens_in": _figure(into.total),
        "tokens_out": _figure(out.total),
        "worst_tokens_out": out.worst,
        "looked_at": into.looked_at,
        "strata": into.strata,
        "by": into.by,
        "tokens_per_byte": round(into.per_byte, 6),
        "calls": plan.calls,
        "seconds": round(plan.took_s, 3),
        "counts_per_minute": plan.counts_per_minute,
        "by_model": [
            {
                "model": model.model,
                "inference_geo": model.geo,
                "items": model.items,
                "tokens_in": _figure(model.tokens),
                "tokens_out": _figure(out.by_model[model.model, model.geo]),
                "answers": out.basis[model.model, model.geo],
                "realtime": _money(costs.by_model[model.model, model.geo][0]),
                "batched": _money(costs.by_model[model.model, model.geo][1]),
            }
            for model in into.by_model
        ],
        "histogram": [{"from": bin_.low, "below": bin_.high, "items": bin_.items} for bin_ in into.bins],
        "longest": [{"key": key, "tokens": tokens} for key, tokens in into.longest],
        "ten_tokens_more": {"in_usd": dollars(costs.ten_more_in_nano), "out_usd": dollars(costs.ten_more_out_nano)},
        "pilot": None
        if plan.pilot is None
        else {
            "items": plan.pilot.items,
            "billed": plan.pilot.billed,
            "tokens_in": plan.pilot.tokens_in,
            "tokens_out": plan.pilot.tokens_out,
            "cost_usd": dollars(plan.pilot.cost_nano),
        },
    }


def _time(plan: Plan) -> dict[str, object]:
    return {"turnaround": plan.turnaround_basis, "options": [_option(plan, option) for option in plan.options]}


def _option(plan: Plan, option: Option) -> dict[str, object]:
    likely, sure = (
        (plan.made_at + timedelta(seconds=seconds)).isoformat() for seconds in (option.done.half_s, option.done.sure_s)
    )
    return {
        "option": option.name,
        "what": option.words,
        "batches": option.batches,
        "waves": option.waves,
        "direct_items": option.direct_items,
        "half_s": round(option.done.half_s, 1),
        "sure_s": round(option.done.sure_s, 1),
        "half_at": likely,
        "sure_at": sure,
        "chance": None if plan.deadline_s is None else round(option.done.chance(plan.deadline_s), 4),
        "cost": _money(option.total),
        "how": option.how.value,
    }


def _caching(plan: Plan) -> dict[str, object]:
    costs = plan.costs
    return {
        "realtime": _column(costs.realtime),
        "batched": _column(costs.batched),
        "cached": None if costs.cached is None else _column(costs.cached),
        "as_marked": None if costs.as_marked is None else _column(costs.as_marked),
        "worst_batched_usd": dollars(costs.worst_nano),
        "worst_realtime_usd": dollars(costs.worst_realtime_nano),
        "worst_is_a_bound": costs.batched.total.how is not How.UNKNOWN,
        "why": costs.why_cached,
        "shared_items": costs.shared_items,
        "hit_rate": {
            "value": _share(costs.hits.value),
            "low": _share(costs.hits.low),
            "high": _share(costs.hits.high),
            "how": costs.hits.how.value,
        },
        "ways": [{**_way(way.caching), "cost": _money(way.total)} for way in costs.ways],
        "break_even": [
            {
                "model": point.model,
                "lifetime": point.lifetime,
                "hit_rate": None if point.hit_rate is None else _share(point.hit_rate),
                "primed_from": point.primed_from,
            }
            for point in costs.break_even
        ],
        "prefixes": [_prefix(segment) for segment in plan.shared[:_PREFIXES]],
        "prefixes_found": len(plan.shared),
    }


def _prefix(segment: Segment) -> dict[str, object]:
    primed = segment.decide(PRIMED)
    return {
        "model": segment.model.name,
        "items": segment.load.requests,
        "tokens": round(segment.load.prefix_tokens),
        "before_tokens": segment.before_tokens,
        "marked": segment.mark,
        "primed": {"pays": primed.caching is not None, "why": primed.text, "saved_usd": dollars(round(primed.saved))},
    }


def _road(plan: Plan) -> dict[str, object] | None:
    if plan.advice is None:
        return None
    return {
        "option": plan.advice.option,
        "sure": plan.advice.sure,
        "why": plan.advice.why,
        "changes": list(plan.advice.changes),
    }


def _figure(figure: Figure) -> dict[str, object]:
    high = None if figure.how is How.UNKNOWN else figure.high
    return {"value": figure.value, "low": figure.low, "high": high, "how": figure.how.value}


def _money(figure: Figure) -> dict[str, object]:
    return {
        "usd": dollars(figure.value),
        "low_usd": dollars(figure.low),
        "high_usd": None if figure.how is How.UNKNOWN else dollars(figure.high),
        "how": figure.how.value,
    }


def _column(column: Column) -> dict[str, object]:
    return {"input": _money(column.input), "output": _money(column.output), "total": _money(column.total)}


def _way(caching: Caching) -> dict[str, object]:
    return {"lifetime": caching.lifetime, "hit_rate": _share(caching.hit_rate), "primed": caching.primed}


def _share(share: Fraction) -> float:
    return round(float(share), 4)
