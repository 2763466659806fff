"""When a file is done on each road, and which road that makes the right one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from overnight_models.ledger.money.history import Turnaround
from overnight_workers.configuration.workspace_settings import Limits, Workspace
from overnight_workers.plan.advice import Advice, advise, assumptions, likely
from overnight_workers.plan.figure import How, exactly
from overnight_workers.plan.hints import slow_to_enqueue
from overnight_workers.plan.packing import Full, PackedBatch
from overnight_workers.plan.schedule import Option, Work, options
from overnight_workers.roads.direct_rate import DirectLoad, direct_time
from overnight_workers.roads.turnaround import EXPIRES_S, Turnarounds, best_hours, prior_median_s

NOW = datetime(2026, 11, 25, 18, 0, tzinfo=UTC)
HOUR = 3600.0
HAIKU = "claude-haiku-5-5"
START = Workspace()


def past(took_s: float, *, items: int = 1_000, hour: int = 12, n: int = 10) -> list[Turnaround]:
    return [Turnaround(items, took_s, NOW.replace(hour=hour)) for _ in range(n)]


def work(
    items: int = 100_000, *, batches: list[int] | None = None, max_wait_s: float = 0, workspace: Workspace = START
) -> Work:
    sizes = batches or [items]
    return Work(
        items=items,
        size=items * 1_000,
        batches=[PackedBatch(size, size * 1_000, Full.WAIT) for size in sizes],
        loads=[DirectLoad(HAIKU, items, items * 500, items * 100)],
        loads_how=How.SAMPLED,
        max_wait_s=max_wait_s,
        queue_limit=200_000,
        workspace=workspace,
        batched=exactly(50),
        realtime=exactly(100),
    )


def by_name(all_options: list[Option]) -> dict[str, Option]:
    return {option.name: option for option in all_options}


def test_the_stated_prior_is_what_the_reports_say() -> None:
    assert prior_median_s(1_000) == pytest.approx(5 * 60)
    assert prior_median_s(100_000) == pytest.approx(164 * 60)
    assert prior_median_s(1) == 3 * 60
    prior = Turnarounds([], 1_000)
    assert (prior.is_learned, "assumed from public reports" in prior.basis) == (False, True)
    done = prior.times([1_000], 200_000)
    assert done.half_s == pytest.approx(5 * 60, rel=0.1)
    # 1 of 20 takes five times as long
    assert done.sure_s == pytest.approx(5 * 60 * 5.2, rel=0.2)
    assert done.draws[-1] <= EXPIRES_S


def test_batches_of_about_the_same_size_teach_first() -> None:
    mixed = past(60, items=1_000) + past(9_000, items=100_000)
    small = Turnarounds(mixed, 2_000)
    assert (small.is_learned, small.basis) == (True, "learned from 10 earlier batches of about this size")
    assert small.times([1_000], 200_000).half_s == pytest.approx(60)
    # ten small ones say how much faster than the prior this account is
    other = Turnarounds(past(30, items=1_000), 100_000)
    assert other.basis == "learned from 10 earlier batches of other sizes"
    assert other.times([100_000], 200_000).half_s == pytest.approx(164 * 60 / 10)
    assert not Turnarounds(past(60, n=7), 1_000).is_learned


def test_batches_wait_for_room_in_the_queue() -> None:
    learned = Turnarounds(past(100, items=100_000), 100_000)
    assert learned.times([100_000] * 2, 200_000).sure_s == pytest.approx(100)
    assert learned.times([100_000] * 5, 200_000).sure_s == pytest.approx(300)
    assert learned.times([100_000] * 5, 500_000, after_s=7).half_s == pytest.approx(107)


def test_the_slowest_batch_decides() -> None:
    prior = Turnarounds([], 10_000)
    assert prior.times([10_000] * 10, 200_000).half_s > 2 * prior.times([10_000], 200_000).half_s


def test_hours_are_told_apart_only_from_enough_batches() -> None:
    assert best_hours([]) is None
    assert best_hours(past(600, hour=12, n=40)) is None
    hours = best_hours(past(600, hour=14, n=20) + past(150, hour=3, n=20))
    assert hours is not None
    hour, factor = hours
    assert (3 - hour) % 24 < 6
    assert factor == pytest.approx(0.5)


def test_real_time_is_as_fast_as_the_first_limit_that_is_used_up() -> None:
    many = direct_time([DirectLoad(HAIKU, 10_000, 1_000_000, 10_000)], START)
    assert (many.seconds, many.limit) == (600, "requests")
    long = direct_time([DirectLoad(HAIKU, 100, 40_000_000, 10_000)], START)
    assert (long.seconds, long.limit) == (1_200, "input tokens")
    wordy = direct_time([DirectLoad(HAIKU, 100, 1_000, 4_000_000)], Workspace(tier="scale"))
    assert (wordy.seconds, wordy.limit) == (120, "output tokens")
    # two models of one pool share its limit; two pools go side by side
    pooled = direct_time([DirectLoad(f"claude-opus-4-{n}", 1_000, 0, 0) for n in (7, 8)], START)
    apart = direct_time([DirectLoad(f"claude-opus-{name}", 1_000, 0, 0) for name in ("5", "5-5")], START)
    assert (pooled.seconds, apart.seconds) == (120, 60)
    assert direct_time([], START).seconds == 0


def test_every_road_has_its_time_and_its_price() -> None:
    ways = by_name(options(work(150_000, batches=[100_000, 50_000], max_wait_s=300), past(600, items=100_000), NOW))
    assert list(ways) == ["as packed", "smaller", "off-peak", "half direct", "direct"]
    # 300 s of max_wait and 150,000 items at 500 a second before the last batch goes
    assert ways["as packed"].done.half_s == pytest.approx(600 + 300 + 300)
    assert {name: option.total.value for name, option in ways.items() if option.total.value != 50} == {
        "half direct": 75,
        "direct": 100,
    }
    assert ways["direct"].done.half_s == pytest.approx(150 * 60)
    assert ways["half direct"].done.half_s == pytest.approx(75 * 60)
    # 18:00 to 01:00, and no hour is known to be faster
    assert ways["off-peak"].done.half_s == pytest.approx(ways["as packed"].done.half_s + 7 * HOUR)
    assert (ways["off-peak"].how, ways["as packed"].how) == (How.ASSUMED, How.LEARNED)


def test_a_file_that_fits_into_one_batch_is_also_shown_as_one() -> None:
    ways = by_name(options(work(90_000, batches=[45_000, 45_000]), [], NOW))
    assert (ways["as packed"].batches, ways["one batch"].batches, ways["smaller"].batches) == (2, 1, 10)
    assert "one batch" not in by_name(options(work(100_000), [], NOW))
    assert "smaller" not in by_name(options(work(800), [], NOW))


def test_the_direct_road_is_as_sure_as_what_limits_it() -> None:
    requests, tokens = work(1_000), replace(work(1_000), loads=[DirectLoad(HAIKU, 1_000, 10**9, 100)])
    assert [by_name(options(limit, [], NOW))["direct"].how for limit in (requests, tokens)] == [
        How.COUNTED,
        How.SAMPLED,
    ]


def test_a_lane_that_packs_before_the_file_has_arrived_is_told() -> None:
    assert slow_to_enqueue(100_000, max_wait_s=300) == []
    (hint,) = slow_to_enqueue(200_000, max_wait_s=20)
    assert "take 40 s, and the lane packs what it has after 20 s" in hint.text


def advice(hours: float | None, *, took_s: float = 2 * HOUR, workspace: Workspace = START) -> Advice:
    file = work(workspace=workspace)
    ways = options(file, past(took_s, items=100_000), NOW)
    return advise(ways, None if hours is None else hours * HOUR, file.loads, workspace, ())


def test_without_a_deadline_it_is_batched() -> None:
    advised = advice(None)
    assert (advised.option, advised.sure) == ("as packed", True)
    assert "less than in real time" in advised.why


def test_the_cheapest_road_that_is_sure_enough_is_taken() -> None:
    assert advice(3).option == "as packed"
    # a batch takes two hours, and real time 100 minutes; half of it 50, beside a batch of 50,000
    tight = advice(1.8)
    assert (tight.option, tight.sure) == ("smaller", True)
    slow = advice(1.8, took_s=20 * HOUR)
    assert (slow.option, slow.sure) == ("direct", True)
    assert "in less than 1% of cases only" in slow.why
    assert slow.changes[0].startswith("a deadline")


def test_when_no_road_is_sure_it_is_said_and_what_would_help() -> None:
    advised = advice(0.5, took_s=20 * HOUR)
    assert not advised.sure
    assert "no road is sure" in advised.why
    assert advised.changes[0] == "the build tier: in real time it takes 20 min there, not 1 h 40 min"
    assert any("sure enough as 'direct'" in change for change in advised.changes)
    assert any("the cheapest" in change for change in advised.changes)
    assert not any(
        "tier" in change for change in advice(0.05, took_s=20 * HOUR, workspace=Workspace(tier="scale")).changes
    )


def test_the_workspaces_own_limits_say_how_fast_real_time_is() -> None:
    slow = Workspace(limits={HAIKU: Limits(requests=100)})
    assert direct_time([DirectLoad(HAIKU, 1_000, 0, 0)], slow).seconds == 600
    assert direct_time([DirectLoad("claude-opus-5", 1_000, 0, 0)], slow).seconds == 60, "other models have their tier's"
    everywhere = Workspace(limits={"*": Limits(output_tokens=10_000)})
    kept = direct_time([DirectLoad(HAIKU, 10, 0, 20_000)], everywhere)
    assert (kept.seconds, kept.limit, kept.is_set) == (120, "output tokens", True)
    direct = by_name(options(work(1_000, workspace=slow), [], NOW))["direct"]
    assert (direct.done.sure_s, direct.words) == (
        600,
        "all in real time, as fast as the workspace's own requests a minute allow",
    )
    advised = advice(0.5, took_s=20 * HOUR, workspace=slow)
    assert advised.changes[0].startswith(
        "without `limits` of the workspace: in real time it takes 1 h 40 min then, not 16 h"
    )


def test_what_the_answer_rests_on_is_said() -> None:
    assert len(assumptions(How.ASSUMED, How.ASSUMED, How.ASSUMED)) == 3
    assert assumptions(How.SAMPLED, How.LEARNED, How.LEARNED) == []
    assert (likely(1), likely(0), likely(0.5)) == ("more than 99%", "less than 1%", "50%")


def test_the_wait_for_the_quiet_hour_may_end_tomorrow() -> None:
    early = NOW.replace(hour=0, minute=30)
    ways = by_name(options(work(1_000), past(60), early))
    assert ways["off-peak"].done.half_s == pytest.approx(
        ways["as packed"].done.half_s + timedelta(minutes=30).total_seconds()
    )
