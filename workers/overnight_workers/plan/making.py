"""Making a plan: the file is read, its prompts are counted, the ledger is asked; the rest is arithmetic."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import IO, Final

from overnight_models.errors import PermanentError
from overnight_models.money.prices import Prices
from overnight_models.quantities import spoken
from overnight_models.wire.item_check import lane_faults
from overnight_workers import process
from overnight_workers.item_file import Checker, open_file
from overnight_workers.plan import tokens
from overnight_workers.plan.advice import Advice, advise, assumptions
from overnight_workers.plan.answers import Asked, Past, TokensOut, tokens_out
from overnight_workers.plan.costs import Costs, Sharing, costs
from overnight_workers.plan.counting import Counter
from overnight_workers.plan.figure import weakest
from overnight_workers.plan.hints import Hint, asked_again, between_models, counted_first, hints, slow_to_enqueue
from overnight_workers.plan.looking import Looker
from overnight_workers.plan.memory import Memory, known, remember
from overnight_workers.plan.packing import Packer, waves
from overnight_workers.plan.pilot import Pilot, run_pilot
from overnight_workers.plan.plan import Plan, Queue, Wish
from overnight_workers.plan.sampling import Stratum
from overnight_workers.plan.schedule import Option, Work, known_how, options
from overnight_workers.plan.sharing import DOCUMENTED, PRIMING, Hits, learned_hits, marked, segments, unshared_marks
from overnight_workers.plan.strata import groups
from overnight_workers.plan.sums import Of
from overnight_workers.plan.survey import OfKind, Survey, survey
from overnight_workers.plan.tokens import IMAGE_TOKENS, TokensIn
from overnight_workers.roads.direct_rate import DirectLoad
from overnight_workers.roads.turnaround import EXPIRES_S, Turnarounds
from overnight_workers.settings import Lane, settings
from overnight_workers.sizes.chooser import Chooser

MOST_COUNTED: Final = 2_000
"""Items of a sample that chooses its own size."""
_BEGINNINGS: Final = 10
"""Shared beginnings that are counted; the tokens of the others follow from their bytes."""


@dataclass(frozen=True)
class News:
    """Where the making of a plan tells how far it is."""

    reading: Callable[[int], None] = lambda offset: None
    """Bytes of the file that were read."""
    counting: Callable[[int], None] = lambda items: None
    """Items that were counted."""
    pilot: Callable[[int, int], None] = lambda final, all_: None
    """How many of its items are final."""
    say: Callable[[str], None] = lambda text: None
    """What takes long, before it begins."""


def make(wish: Wish, news: News, now: datetime) -> Plan:
    """Make the plan of a file.

    Raises PermanentError when there is no such file or lane, or nothing in it can be enqueued; BadSettings without a
    key, unless offline; ApiUnavailable when the API doesn't answer; DatabaseUnavailable only for a pilot or a run.
    """
    wrong_lane = lane_faults(wish.lane, settings().policy)
    if wrong_lane:
        raise PermanentError(wrong_lane[0])
    prices = process.prices()
    memory = remember(wish.lane, prices)
    if memory.why_empty and (wish.run is not None or wish.pilot):
        raise PermanentError(f"{'--pilot' if wish.pilot else '--run'} needs the ledger, but {memory.why_empty}")
    seen = _look(wish, news, memory, prices)
    lane, survey, tokens_in = settings().lanes[wish.lane], seen.survey, seen.tokens_in
    workspace = settings().workspaces[lane.workspace]
    asked = _asked(survey, tokens_in)
    out = _tokens_out(wish, seen, asked, memory)
    sharing = _sharing(survey, tokens_in, seen.beginnings, memory, prices, PRIMING if lane.prime else DOCUMENTED)
    max_tokens = {of: model.max_tokens for of, model in asked.items()}
    caches = lane.caching != "off"
    money = costs(tokens_in.by_model, out.by_model, max_tokens, sharing, prices, lane_caches=caches)
    times = _times(wish, seen, out, money, memory, now)
    return Plan(
        wish=wish,
        made_at=now,
        prices_as_of=prices.as_of,
        survey=survey,
        batches=survey.batches,
        waves=len(waves([batch.items for batch in survey.batches], workspace.queue_limit)),
        queue=Queue(workspace.queue_limit, memory.queued),
        tokens_in=tokens_in,
        tokens_out=out,
        calls=seen.calls,
        took_s=seen.took_s,
        counts_per_minute=workspace.counting_rate,
        options=times.options,
        turnaround_basis=times.basis,
        costs=money,
        shared=sharing.segments,
        advice=times.advice,
        pilot=seen.pilot,
        past=memory.past,
        hints=_hints(wish, seen, prices, now, times.done_by),
        why_no_ledger=memory.why_empty,
    )


@dataclass(frozen=True)
class _Seen:
    """What the file and the API's counting said."""

    survey: Survey
    pilot: Pilot | None
    tokens_in: TokensIn
    beginnings: list[int | None]
    """Tokens of the first shared beginnings."""
    calls: int
    """Prompts that were counted."""
    took_s: float


def _look(wish: Wish, news: News, memory: Memory, prices: Prices) -> _Seen:
    """Read the file, pay for the pilot if one is wished, count."""
    lane = settings().lanes[wish.lane]
    rate = settings().workspaces[lane.workspace].counting_rate
    with open_file(wish.file) as source:
        surveyed = _survey(source, wish, lane, prices, memory, news)
        pilot = _pilot(source, surveyed, wish, news) if wish.pilot and surveyed.items else None
        began = time.monotonic()
        with Counter(lane.workspace, lane.api_version, rate, news.counting) as counter:
            looker = Looker(source, counter, settings().redis_url, Chooser(wish.lane, lane))
            tokens_in = tokens.at_least(_tokens_in(looker, surveyed, wish, lane, memory, news), surveyed.unknown)
            beginnings = [] if wish.offline else looker.beginnings(surveyed.prefixes[:_BEGINNINGS])
        return _Seen(surveyed, pilot, tokens_in, beginnings, counter.calls, time.monotonic() - began)


@dataclass(frozen=True)
class _Timed:
    """When it may be done, and what is best."""

    options: Sequence[Option]
    advice: Advice | None
    done_by: datetime
    """When all is done as the lane packs it, at the latest that is likely."""
    basis: str
    """How the times are known."""


def _times(wish: Wish, seen: _Seen, out: TokensOut, money: Costs, memory: Memory, now: datetime) -> _Timed:
    lane, survey = settings().lanes[wish.lane], seen.survey
    workspace = settings().workspaces[lane.workspace]
    loads = _loads(seen.tokens_in, out)
    work = Work(
        items=survey.items,
        size=sum(batch.size for batch in survey.batches),
        batches=survey.batches,
        loads=loads,
        loads_how=weakest(seen.tokens_in.total.how, out.total.how),
        max_wait_s=lane.max_wait,
        queue_limit=workspace.queue_limit,
        workspace=workspace,
        batched=money.expected.total,
        realtime=money.realtime.total,
    )
    ways = options(work, memory.turnarounds, now)
    turnaround = Turnarounds(memory.turnarounds, max((batch.items for batch in survey.batches), default=1))
    unknown = assumptions(seen.tokens_in.total.how, out.total.how, known_how(turnaround))
    deadline_s = None if wish.by is None else (wish.by - now).total_seconds()
    return _Timed(
        options=ways,
        advice=advise(ways, deadline_s, loads, workspace, unknown) if survey.items else None,
        done_by=now + timedelta(seconds=max(ways[0].done.sure_s, EXPIRES_S)),
        basis=turnaround.basis,
    )


def _hints(wish: Wish, seen: _Seen, prices: Prices, now: datetime, done_by: datetime) -> list[Hint]:
    lane = settings().lanes[wish.lane]
    return [
        *slow_to_enqueue(seen.survey.items, lane.max_wait),
        *counted_first(seen.survey.unmeasured, lane, settings().workspaces[lane.workspace].counting_rate),
        *between_models(seen.survey.between_models, lane, settings().workspaces[lane.workspace].counting_rate),
        *asked_again(seen.survey.of_schema, lane.retry_invalid),
        *hints(seen.survey, seen.tokens_in, prices, now, done_by),
    ]


def _survey(source: IO[bytes], wish: Wish, lane: Lane, prices: Prices, memory: Memory, news: News) -> Survey:
    packer = Packer(max_items=lane.max_items, max_bytes=int(lane.max_bytes))
    chooser = Chooser(wish.lane, lane)
    with Checker(wish.lane, settings().policy, settings().redis_url, lane.max_input_tokens, chooser) as checker:
        surveyed = survey(
            source,
            checker,
            prices,
            packer,
            known=lambda items: known(wish.lane, memory, items),
            seed=wish.seed,
            most_chosen=max(MOST_COUNTED, wish.sample or 0, wish.pilot),
            progress=news.reading,
        )
    if not surveyed.items and not surveyed.known:
        first = "; ".join(f"line {bad.number}: {bad.why}" for bad in surveyed.bad_lines[:3])
        raise PermanentError(f"nothing in {wish.file} can be enqueued: {first or 'it is empty'}")
    return surveyed


def _pilot(source: IO[bytes], survey: Survey, wish: Wish, news: News) -> Pilot:
    news.say(f"pilot: {min(wish.pilot, survey.items):,} items are enqueued and paid for; waiting for their answers")
    return run_pilot(
        source,
        survey,
        wish.pilot,
        lane=wish.lane,
        run=wish.run,
        within_s=wish.pilot_wait_s,
        progress=news.pilot,
    )


def _tokens_in(looker: Looker, survey: Survey, wish: Wish, lane: Lane, memory: Memory, news: News) -> TokensIn:
    prices = process.prices()
    keys = {long.unit: long.key for long in survey.longest}
    strata = groups(survey.cells, survey.longest)
    if wish.offline:
        return tokens.assumed(strata, keys, prices)
    if not wish.exact:
        return tokens.sampled(
            strata, keys, looker.look, prices, within=wish.within, at_most=MOST_COUNTED, asked=wish.sample
        )
    rate = settings().workspaces[lane.workspace].counting_rate
    news.say(f"counting all {survey.items:,} items, {rate:,} a minute, takes {spoken(survey.items / rate * 60)}")
    with Checker(wish.lane, settings().policy, settings().redis_url, chooser=Chooser(wish.lane, lane)) as checker:
        return tokens.counted(looker.every(checker, lambda items: known(wish.lane, memory, items), prices), prices)


def _tokens_out(wish: Wish, seen: _Seen, asked: dict[Of, Asked], memory: Memory) -> TokensOut:
    """Tokens of the answers: measured by a pilot, remembered, or a share of what they may have."""
    measured = {} if seen.pilot is None else seen.pilot.measured
    past = Past(memory.answers, wish.alike)
    return tokens_out(asked, past, measured, Fraction(wish.output_share).limit_denominator(1000))


def _asked(survey: Survey, tokens_in: TokensIn) -> dict[Of, Asked]:
    """What bounds the answers, by model; items that the API doesn't take have none."""
    asked = {}
    for model in tokens_in.by_model:
        cells = [cell for name, cell in survey.cells.items() if (name.model, name.geo) == (model.model, model.geo)]
        answered = sum((row.items for row in model.rows), Fraction(0))
        asked[model.model, model.geo] = Asked(
            items=round(model.items * answered),
            max_tokens=round(sum(cell.max_tokens for cell in cells) * answered),
            stratum=Stratum(sum(cell.units for cell in cells), sum(cell.size for cell in cells)),
            kinds={
                kind: OfKind(round(of_kind.items * answered), round(of_kind.max_tokens * answered))
                for kind, of_kind in survey.kinds[model.model, model.geo].items()
            },
        )
    return asked


def _loads(tokens_in: TokensIn, out: TokensOut) -> list[DirectLoad]:
    return [
        DirectLoad(model.model, model.items, model.tokens.value, out.by_model[model.model, model.geo].value)
        for model in tokens_in.by_model
    ]


def _sharing(
    survey: Survey, tokens_in: TokensIn, counted: Sequence[int | None], memory: Memory, prices: Prices, unmeasured: Hits
) -> Sharing:
    """unmeasured: the hits that are expected where none were measured."""
    by_bytes = [
        round(prefix.size * tokens_in.per_byte)
        + (IMAGE_TOKENS if prefix.media and (prefix.model, prefix.geo) not in tokens_in.unknown else 0)
        for prefix in survey.prefixes
    ]
    lengths = [
        assumed if at >= len(counted) or (length := counted[at]) is None else length
        for at, assumed in enumerate(by_bytes)
    ]
    prompts = {
        (model.model, model.geo): Fraction(model.tokens.value, max(model.items, 1)) for model in tokens_in.by_model
    }
    cached = marked(survey.prefixes, lengths, prompts, prices)
    past = [batch for batches in memory.answers.values() for batch in batches]
    return Sharing(
        segments=segments(survey.prefixes, lengths, prompts, prices),
        marked=cached,
        unshared_marks=unshared_marks(survey.marks, cached, tokens_in.per_byte, prices),
        hits=learned_hits(past) or unmeasured,
    )
