"""Which road to take, and what would change the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from overnight_models.money.rate_limits import Tier
from overnight_models.quantities import cents
from overnight_workers.configuration.workspace_settings import Workspace
from overnight_workers.plan.figure import How
from overnight_workers.plan.schedule import Option
from overnight_workers.roads.direct_rate import DirectLoad, direct_time
from overnight_workers.roads.turnaround import SURE


@dataclass(frozen=True, slots=True)
class Advice:
    """The road that is cheapest among those that are likely enough in time."""

    option: str
    """Its name among the options."""
    sure: bool
    """It is done by the deadline in 95 of 100 cases; without a deadline there is nothing to miss."""
    why: str
    changes: tuple[str, ...]
    """What would change the answer, a sentence each."""


def advise(
    options: Sequence[Option],
    deadline_s: float | None,
    loads: Sequence[DirectLoad],
    workspace: Workspace,
    unknown: Sequence[str],
) -> Advice:
    """The road for a deadline in so many seconds, or for none.

    unknown: what the answer rests on that nobody has looked at, a sentence each.
    """
    packed, direct = options[0], next(option for option in options if option.name == "direct")
    saved = direct.total.value - packed.total.value
    if deadline_s is None:
        why = f"nothing waits for it: batched it costs {cents(saved)} less than in real time"
        changes = [f"a deadline sooner than {packed.in_words(packed.done.sure_s)} from now: then look again, with --by"]
        return Advice(packed.name, True, why, (*changes, *unknown))
    sure = [option for option in options if option.done.chance(deadline_s) >= SURE]
    if not sure:
        best = max(options, key=lambda option: (option.done.chance(deadline_s), -option.total.value))
        why = f"no road is sure to be in time; this one is in {likely(best.done.chance(deadline_s))} of cases"
        return Advice(best.name, False, why, (*_faster(direct, loads, workspace), *_later(options), *unknown))
    best = min(sure, key=lambda option: (option.total.value, options.index(option)))
    chance = best.done.chance(deadline_s)
    if best.direct_items:
        batch = min((option for option in options if not option.direct_items), key=lambda option: option.done.sure_s)
        why = f"batched, it would be in time in {likely(batch.done.chance(deadline_s))} of cases only"
        costs = best.total.value - packed.total.value
        later = batch.in_words(batch.done.sure_s)
        change = f"a deadline {later} from now or later: batched is sure enough then, and {cents(costs)} cheaper"
        return Advice(best.name, True, why, (change, *unknown))
    why = f"in time in {likely(chance)} of cases, for {cents(saved)} less than in real time"
    change = f"a deadline sooner than {best.in_words(best.done.sure_s)} from now"
    return Advice(best.name, True, why, (change, *unknown))


def _faster(direct: Option, loads: Sequence[DirectLoad], workspace: Workspace) -> list[str]:
    """What the tier's own limits, or a higher tier, would do."""
    here = direct.in_words(direct.done.sure_s)
    if direct_time(loads, workspace).is_set:
        faster = direct_time(loads, replace(workspace, limits={}))
        there = direct.in_words(faster.seconds)
        return [f"without `limits` of the workspace: in real time it takes {there} then, not {here}"]
    above: dict[Tier, Tier] = {"start": "build", "build": "scale"}
    higher = above.get(workspace.tier)
    if higher is None:
        return []
    faster = direct_time(loads, replace(workspace, tier=higher))
    return [f"the {higher} tier: in real time it takes {direct.in_words(faster.seconds)} there, not {here}"]


def _later(options: Sequence[Option]) -> list[str]:
    soonest = min(options, key=lambda option: option.done.sure_s)
    cheapest = min(options, key=lambda option: (option.total.value, option.done.sure_s))
    changes = [f"a deadline {soonest.in_words(soonest.done.sure_s)} from now: sure enough as {soonest.name!r}"]
    if cheapest.name != soonest.name:
        changes.append(
            f"a deadline {cheapest.in_words(cheapest.done.sure_s)} from now: sure enough as {cheapest.name!r},"
            " the cheapest"
        )
    return changes


def assumptions(tokens_in: How, tokens_out: How, times: How) -> list[str]:
    """What the answer rests on that nobody has looked at."""
    assumptions_made = []
    if tokens_out is How.ASSUMED:
        assumptions_made.append(
            "how long answers are is assumed: `--pilot 50` measures it, and those items are done then"
        )
    if tokens_in is How.ASSUMED:
        assumptions_made.append("tokens are assumed from bytes: without `--offline` they are counted, for free")
    if times is How.ASSUMED:
        assumptions_made.append("how long batches take is assumed: from 8 batches of your own on it is learned")
    return assumptions_made


def likely(chance: float) -> str:
    """A chance in percent; nothing here is certain, nor impossible."""
    if chance > 0.99:
        return "more than 99%"
    return "less than 1%" if chance < 0.01 else f"{chance:.0%}"
