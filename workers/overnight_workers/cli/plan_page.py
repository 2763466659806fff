"""A plan as a page of 80 columns: five questions, each answered in a section of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from itertools import groupby
from typing import Final

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from overnight_models.quantities import cents, coarse, several, spoken
from overnight_workers.plan.advice import likely
from overnight_workers.plan.costs import Costs
from overnight_workers.plan.figure import Figure, How
from overnight_workers.plan.packing import Full, PackedBatch
from overnight_workers.plan.plan import Plan, errors
from overnight_workers.plan.schedule import Option
from overnight_workers.plan.sharing import PRIMED, WAYS, Segment

WIDTH: Final = 80
QUESTIONS: Final = (
    "1  Half price: what are the limits?",
    "2  Counting is free: what is in it?",
    "3  24 hours is long: can it be faster?",
    "4  Does caching stack, and what is saved in the end?",
    "5  Which road for this?",
)
_SHOWN: Final = 5
_BAR: Final = 34
_BY: Final = {"ratio": "raised by tokens per byte", "mean": "raised by their mean", "all": "all of them"}
_WHY: Final = {
    Full.ITEMS: "full by items (max_items)",
    Full.BYTES: "full by bytes (max_bytes)",
    Full.WAIT: "what is left, packed after max_wait",
}


def page(plan: Plan) -> RenderableType:
    """The whole plan."""
    parts: list[RenderableType] = [*_head(plan)]
    sections = (_half_price, _counting, _time, _caching, _road)
    for title, section in zip(QUESTIONS, sections, strict=True):
        parts += [Text(), Rule(Text(title, style="bold"), align="left"), *section(plan)]
    return Group(*parts, Text(), *_foot(plan))


def _head(plan: Plan) -> Iterable[RenderableType]:
    survey, expected = plan.survey, plan.costs.expected.total
    yield Text(f"{plan.wish.file.name}: {several(survey.items, 'item')} for lane {plan.wish.lane}", style="bold")
    if survey.known:
        yield Text(f"{survey.known:,} more are in the lane already: they cost nothing again")
    if survey.items:
        realtime, road = _least(plan.costs.realtime.total), "batched"
        if plan.costs.is_cached:
            road = "batched and cached, as the lane does it,"
        yield Text.assemble(f"{road} ", (_least(expected), "bold green"), f"; in real time {realtime}")
        yield Text(f"{road} {_doubt(expected, cents)}", style="dim")
    if plan.pilot is not None:
        yield Text(
            f"of it paid by the pilot: {cents(plan.pilot.cost_nano)}; left to pay: {cents(plan.left_nano.value)}"
        )


def _half_price(plan: Plan) -> Iterable[RenderableType]:
    survey = plan.survey
    if not survey.bad:
        yield Text("Nothing is ruled out: no streams, no fast mode, no parameter that batches refuse.")
    else:
        yield Text(f"{survey.bad:,} lines can't be enqueued as they are:", style="bold yellow")
        yield _listed((f"{lines:,}", why) for why, lines in list(survey.reasons.items())[:_SHOWN])
        first = ", ".join(str(bad.number) for bad in survey.bad_lines[:10])
        yield Text(f"lines {first}{' …' if survey.bad > 10 else ''}; more with --json", style="dim")
    yield Text(
        "Batched, requests and answers stay at Anthropic for up to 29 days (no zero data retention), and answers may"
        " take up to 24 hours."
    )
    yield _listed(_batch_lines(plan.batches))
    if plan.batches:
        waves = "One wave" if plan.waves == 1 else f"{plan.waves:,} waves, one after the other"
        there = f"; {plan.queue.queued:,} are in it now" if plan.queue.queued else ""
        yield Text(f"{waves}: the API's queue takes {plan.queue.limit:,} requests of this account{there}.")
    for hint in plan.hints:
        items = f"{several(hint.items, 'item')}: " if hint.items else ""
        yield _bullet(Text("!", style="bold yellow"), f"{items}{hint.text}")


def _batch_lines(batches: Sequence[PackedBatch]) -> Iterable[tuple[str, str]]:
    for kind, together in groupby(sorted(batches, key=_kind), key=_kind):
        group = list(together)
        items = sorted(batch.items for batch in group)
        size = f"{items[0]:,}" if items[0] == items[-1] else f"{items[0]:,} to {items[-1]:,}"
        betas = f", with {', '.join(kind[1])}" if kind[1] else ""
        megabytes = f"{max(batch.size for batch in group) / 1e6:,.1f} MB"
        plural = "batch" if len(group) == 1 else "batches"
        yield f"{len(group):,}", f"{plural} of {size} items, {megabytes}: {_WHY[group[0].why]}{betas}"


def _kind(batch: PackedBatch) -> tuple[int, tuple[str, ...]]:
    return list(_WHY).index(batch.why), batch.betas


def _counting(plan: Plan) -> Iterable[RenderableType]:
    into, out, costs = plan.tokens_in, plan.tokens_out, plan.costs
    table = _grid("left", "right", "left")
    table.add_row("tokens in", f"{into.total.value:,}", Text(_doubt(into.total), style="dim"))
    table.add_row("tokens out", f"{out.total.value:,}", Text(_doubt(out.total), style="dim"))
    table.add_row("at worst", f"{out.worst:,}", Text("out, if every answer took all of its max_tokens", style="dim"))
    yield table
    if into.looked_at:
        strata = f" in {into.strata} strata" if into.strata > 1 else ""
        raised = f"{_BY[into.by]} ({into.per_byte:.3f} tokens a byte)"
        calls = f"{several(plan.calls, 'call')} in {spoken(plan.took_s)}, {plan.counts_per_minute:,} a minute allowed"
        yield Text(f"in: {into.looked_at:,} of {plan.survey.items:,} items counted{strata}, {raised}; {calls}", "dim")
    else:
        yield Text("in: nobody was asked; 4 bytes are taken for a token, it may be 2.5 to 5", style="dim")
    if len(into.by_model) > 1:
        yield _by_model(plan)
    for words, models in _by_words(plan).items():
        yield Text(f"out: {words} ({', '.join(models)})", style="dim")
    if plan.pilot is not None:
        items = f"pilot: {several(plan.pilot.items, 'item')}, {plan.pilot.billed:,} of them billed"
        yield Text(f"{items}, {cents(plan.pilot.cost_nano)}; they are done, and free when enqueued again", style="dim")
    yield Text()
    fullest = max((bin_.items for bin_ in into.bins), default=1)
    bars = _grid("right", "left", "right")
    for bin_ in into.bins:
        bar = "█" * round(_BAR * bin_.items / fullest) or ("▏" if bin_.items else "")
        bars.add_row(f"{bin_.low:,} to {bin_.high:,}", Text(bar, style="cyan"), f"{bin_.items:,}")
    yield Text("items by tokens in", style="dim")
    yield bars
    if into.longest:
        yield Text("the longest", style="dim")
        yield _listed((f"{tokens:,}", key) for key, tokens in into.longest[:_SHOWN])
    yield Text(
        f"Ten tokens more in every prompt cost {cents(costs.ten_more_in_nano)}, in every answer"
        f" {cents(costs.ten_more_out_nano)}. {_worst(costs)}"
    )


def _worst(costs: Costs) -> str:
    """What all of it costs when every answer is as long as it may be."""
    if costs.batched.total.how is How.UNKNOWN:
        return (
            f"With the longest answers all of it costs at least {cents(costs.worst_nano)}, batched: what nobody can"
            " count beforehand has no bound."
        )
    return f"At worst, all of it costs {cents(costs.worst_nano)}, batched."


def _by_model(plan: Plan) -> Table:
    """What goes to each model, and what that costs."""
    table = _grid("left", "right", "right", "right", "right", "right")
    heads = ("model", "items", "tokens in", "tokens out", "in real time", "batched")
    table.add_row(*(Text(head, style="bold") for head in heads))
    for row in plan.tokens_in.by_model:
        of = row.model, row.geo
        realtime, batched = plan.costs.by_model[of]
        out = plan.tokens_out.by_model[of].value
        name = row.model if row.geo is None else f"{row.model} ({row.geo})"
        table.add_row(name, f"{row.items:,}", f"{row.tokens.value:,}", f"{out:,}", _least(realtime), _least(batched))
    return table


def _by_words(plan: Plan) -> dict[str, list[str]]:
    lines: dict[str, list[str]] = {}
    for (model, _), words in plan.tokens_out.basis.items():
        lines.setdefault(words, []).append(model)
    return lines


def _time(plan: Plan) -> Iterable[RenderableType]:
    yield Text(
        f"One batch's time is {plan.turnaround_basis}; several are taken not to slow each other down.", style="dim"
    )
    in_time = "in time" if plan.deadline_s is not None else ""
    width = 20 if any(option.total.how is How.UNKNOWN for option in plan.options) else 12
    yield Text(f"{'':14}{'half by':>15}{'95 of 100 by':>17}{in_time:>15}{'price':>{width}}", style="bold")
    for option in plan.options:
        chance = "" if plan.deadline_s is None else likely(option.done.chance(plan.deadline_s))
        times = f"{option.in_words(option.done.half_s):>15}{option.in_words(option.done.sure_s):>17}"
        chosen = plan.advice is not None and plan.advice.option == option.name
        name = (f"{option.name:14}", "bold green" if chosen else "")
        yield Text.assemble(name, times, f"{chance:>15}", f"{_least(option.total):>{width}}")
        yield Text(f"  {_what(option)}", style="dim")


def _what(option: Option) -> str:
    waves = f", {option.waves:,} waves" if option.waves > 1 else ""
    return f"{option.words}{waves}: {option.how.value}"


def _caching(plan: Plan) -> Iterable[RenderableType]:
    costs = plan.costs
    columns = [("real time", costs.realtime), ("batched", costs.batched)]
    columns += [] if costs.as_marked is None else [("as you mark it", costs.as_marked)]
    columns += [] if costs.cached is None else [("and cached", costs.cached)]
    table = _grid("left", *("right" for _ in columns))
    table.add_row("", *(Text(name, style="bold") for name, _ in columns))
    for part in ("input", "output", "total"):
        figures = [getattr(column, part) for _, column in columns]
        table.add_row(part, *(cents(figure.value) for figure in figures), style="bold" if part == "total" else "")
        table.add_row("", *(Text(_interval(figure), style="dim") for figure in figures))
    yield table
    if not plan.shared:
        yield Text("No two prompts begin with the same 1,000 bytes or more: there is nothing to cache.")
    for segment in plan.shared[:_SHOWN]:
        yield _bullet(Text("•", style="dim"), _prefix(segment, plan))
    if len(plan.shared) > _SHOWN:
        yield Text(f"  and {len(plan.shared) - _SHOWN:,} more beginnings that several prompts share", style="dim")
    if costs.ways:
        hits = f"{_percent(costs.hits.value)}, {costs.hits.how.value}"
        yield Text(
            f"Every miss writes anew, so it depends on the share of hits ({hits}; batches are best effort, 30% to 98%"
            " by the documentation). The whole file, batched, with that cached:"
        )
        yield _ways(plan)
        for point in costs.break_even[:6]:
            rate = "never pays" if point.hit_rate is None else f"pays above {_percent(point.hit_rate)} of hits"
            primed = "" if point.primed_from is None else f", primed from {point.primed_from} requests on"
            yield Text(f"{point.model}: a {point.lifetime} write {rate}{primed}", style="dim")


def _prefix(segment: Segment, plan: Plan) -> str:
    load = segment.load
    deeper = f" after {segment.before_tokens:,} shared ones" if segment.before_tokens else ""
    marked = f", marked by you for {segment.mark}" if segment.mark else ""
    decision = segment.decide(plan.costs.hits.ways)
    saved = f", saves {cents(round(decision.saved))}" if decision.caching else ""
    shared = f"{load.requests:,} prompts to {segment.model.name} share {round(load.prefix_tokens):,} tokens"
    return f"{shared}{deeper}{marked}: {decision.text}{saved}"


def _ways(plan: Plan) -> Table:
    by_way = {way.caching: way.total.value for way in plan.costs.ways}
    table = _grid("left", "right", "right", "right", "right", "right")
    rates = sorted({way.hit_rate for way in WAYS})
    heads = ["", "not cached", *(f"{_percent(rate)} hits" for rate in rates), "primed"]
    table.add_row(*(Text(head, style="bold") for head in heads))
    plain = plan.costs.batched.total.value
    for primed in PRIMED:
        row = sorted((way for way in WAYS if way.lifetime == primed.lifetime), key=lambda way: way.hit_rate)
        values = [plain, *(by_way[way] for way in row), by_way[primed]]
        cells = [Text(cents(value), style="red" if value > plain else "") for value in values]
        table.add_row(f"{primed.lifetime} writes", *cells)
    return table


def _road(plan: Plan) -> Iterable[RenderableType]:
    advice = plan.advice
    if advice is None:
        yield Text("Everything in this file is in the lane already: enqueuing it again is free.")
        return
    chosen = next(option for option in plan.options if option.name == advice.option)
    if plan.wish.by is not None and plan.deadline_s is not None:
        yield Text(f"To be done by {plan.wish.by.astimezone():%Y-%m-%d %H:%M %Z}, {spoken(plan.deadline_s)} from now.")
    half = _moment(plan, chosen)
    style = "bold green" if advice.sure else "bold yellow"
    yield Text.assemble((f"{chosen.name}", style), f": {chosen.words}; {advice.why}.")
    yield Text(f"As likely done before {half:%Y-%m-%d %H:%M %Z} as after it, roughly.")
    yield Text("what would change the answer:", style="dim")
    for change in advice.changes:
        yield _bullet(Text("•", style="dim"), change)


def _moment(plan: Plan, option: Option) -> datetime:
    """When a road is as likely done as not; a round time, since nobody knows it to the minute."""
    step_s = max(coarse(option.done.half_s), 300)
    at = plan.made_at.timestamp() + option.done.half_s
    return datetime.fromtimestamp(round(at / step_s) * step_s, UTC).astimezone()


def _foot(plan: Plan) -> Iterable[RenderableType]:
    prices = f"prices of {plan.prices_as_of}, {plan.prices_age_days} days old (OVERNIGHT_PRICES goes over them)"
    yield Text(prices, style="dim")
    if plan.why_no_ledger:
        yield Text(plan.why_no_ledger, style="dim")
    off = errors(plan.past, "cost_nano")
    if off:
        shares = ", ".join(f"{error:+.1%}" for error in off.values())
        plans = "the last plan" if len(off) == 1 else f"the last {len(off)} plans"
        yield Text(
            f"{plans} of this lane {'was' if len(off) == 1 else 'were'} off by {shares} of the bill", style="dim"
        )
    if plan.wish.run and plan.survey.items:
        yield Text(f"kept: `overnight plan --compare {plan.wish.run}` puts the bill beside it", style="dim")


def _doubt(figure: Figure, shown: object = "{:,}".format) -> str:
    """How sure a number is, and how it is known."""
    assert callable(shown)
    if figure.how is How.UNKNOWN:
        return "at least: how much more is unknown"
    if figure.exact:
        return figure.how.value
    if figure.how is How.ASSUMED or not figure.value:
        return f"{shown(figure.low)} to {shown(figure.high)}, {figure.how.value}"
    off = max(figure.high - figure.value, figure.value - figure.low) / figure.value
    return f"± {off:.1%}, {figure.how.value}" if off >= 0.001 else f"± less than 0.1%, {figure.how.value}"


def _least(figure: Figure) -> str:
    return f"{'at least ' if figure.how is How.UNKNOWN else ''}{cents(figure.value)}"


def _interval(figure: Figure) -> str:
    if figure.how is How.UNKNOWN:
        return "at least"
    return figure.how.value if figure.exact else f"{cents(figure.low)} to {cents(figure.high)}"


def _percent(share: Fraction) -> str:
    return f"{float(share):.0%}"


def _grid(*justify: str) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for justification in justify:
        table.add_column(justify="right" if justification == "right" else "left")
    return table


def _listed(rows: Iterable[tuple[str, str]]) -> Table:
    """Numbers and what they are of, a little to the right."""
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 1))
    table.add_column(justify="right")
    table.add_column()
    for number, text in rows:
        table.add_row(number, Text(text))
    return table


def _bullet(mark: Text, text: str) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(width=1)
    table.add_column()
    table.add_row(mark, Text(text))
    return table
