"""What `overnight plan` said, and what the bill says afterwards."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from overnight_workers.cli import app
from tests.driving import Service, params, read_command
from tests.planning import RULES, accept_file, calls, planned, texts, written


def billed_nano(kept: dict[str, Any]) -> int:
    """What a run was billed, in nano-dollars."""
    return int(Decimal(kept["billed"]["cost_usd"]) * 10**9)


def is_inside(kept: dict[str, Any]) -> bool:
    """Whether what was billed lies in the interval of the estimate."""
    estimate = kept["estimates"]["cost"]
    return Decimal(estimate["low_usd"]) <= Decimal(kept["billed"]["cost_usd"]) <= Decimal(estimate["high_usd"])


def test_the_bill_is_what_counting_said_and_the_answers_are_learned(hasty: Service, tmp_path: Path) -> None:
    first, second = (
        written(tmp_path / "a.jsonl", texts(300)),
        written(tmp_path / "b.jsonl", [{"key": f"b{n}", "params": text} for n, text in enumerate(texts(300, seed=2))]),
    )
    plan = planned(first, "--run", "one", "--exact")
    assert plan["expected"]["tokens_out"]["how"] == "assumed"
    accept_file(hasty, first, run="one")
    hasty.finish()
    kept = planned("--compare", "one")
    assert kept["billed"]["tokens_in"] == plan["expected"]["tokens_in"]["value"]
    assert (
        kept["estimates"]["tokens_out"]["low"]
        <= kept["billed"]["tokens_out"]
        <= kept["estimates"]["tokens_out"]["high"]
    )
    assert billed_nano(kept) == hasty.api.meter()["nano"]

    later = planned(second, "--run", "two", "--exact")
    assert later["expected"]["tokens_out"]["how"] == "learned"
    assert "learned from 300 answers in 1 batch" in later["counting"]["by_model"][0]["answers"]
    (error,) = later["past_plans"]
    estimate = Decimal(plan["expected"]["cost"]["usd"])
    assert error["run"] == "one"
    assert error["cost_error"] == pytest.approx(float(estimate * 10**9 / billed_nano(kept)) - 1, abs=1e-5)
    accept_file(hasty, second, run="two")
    hasty.finish()
    printed = read_command(app, "plan", "--compare", "two")
    assert printed.count("inside") == 3
    assert "300 answers billed" in printed

    # enqueued already: nothing is left to pay, and nobody is asked
    before = calls(hasty)
    done = planned(second)
    assert (done["items"], done["known"], done["road"], calls(hasty)) == (0, 300, None, before)
    assert "already" in read_command(app, "plan", str(second))
    # the same keys with other content are no known items: enqueuing would turn them down
    other = written(tmp_path / "c.jsonl", [{"key": f"b{n}", "params": params(f"Other {n}")} for n in range(295, 305)])
    conflicting = planned(other)
    assert (conflicting["items"], conflicting["known"], conflicting["bad"]) == (5, 0, 5)
    assert "with other content" in conflicting["half_price"]["bad_lines"][0]["why"]


def test_what_the_lane_caches_is_billed_as_the_plan_says(hasty: Service, tmp_path: Path) -> None:
    items = [{"key": f"m{n}", "params": params(f"Clause {n}?", system=RULES, max_tokens=300)} for n in range(200)]
    file = written(tmp_path / "work.jsonl", items)
    plan = planned(file, "--run", "cached", "--exact")
    assert plan["expected"]["cached"]
    assert plan["expected"]["cost"] == plan["caching"]["cached"]["total"]
    assert "batched and cached, as the lane does it, $" in " ".join(read_command(app, "plan", str(file)).split())
    accept_file(hasty, file, run="cached")
    hasty.finish()
    kept = planned("--compare", "cached")
    assert is_inside(kept)
    assert billed_nano(kept) == hasty.api.meter()["nano"]
    assert Decimal(plan["expected"]["cost"]["usd"]) < Decimal(plan["caching"]["batched"]["total"]["usd"])

    hasty.configure(lane={"caching": "off"})
    more = [{"key": f"n{n}", "params": wire_item["params"]} for n, wire_item in enumerate(items)]
    plain = planned(written(tmp_path / "more.jsonl", more), "--exact")
    assert not plain["expected"]["cached"]
    assert plain["expected"]["cost"] == plain["caching"]["batched"]["total"]


def test_a_file_that_caches_by_itself_is_billed_as_the_plan_says(hasty: Service, tmp_path: Path) -> None:
    rules = [{"type": "text", "text": RULES, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    items = [{"key": f"m{n}", "params": params(f"Clause {n}?", system=rules, max_tokens=300)} for n in range(200)]
    file = written(tmp_path / "work.jsonl", items)
    plan = planned(file, "--run", "marked", "--exact")
    assert plan["caching"]["as_marked"] is not None
    accept_file(hasty, file, run="marked")
    hasty.finish()
    kept = planned("--compare", "marked")
    assert kept["billed"]["tokens_in"] == plan["expected"]["tokens_in"]["value"]
    assert is_inside(kept)
    # the next plan has learned how often the prefix is found
    more = [{"key": f"n{n}", "params": params(f"Other {n}?", system=rules, max_tokens=300)} for n in range(200)]
    hasty.ledger.execute(
        "UPDATE outcome SET cache_read_tokens = cache_read_tokens * 10,"
        " cache_write_1h_tokens = cache_write_1h_tokens * 10"
    )
    later = planned(written(tmp_path / "more.jsonl", more), "--exact")
    assert later["caching"]["hit_rate"]["how"] == "learned"
    assert later["caching"]["hit_rate"]["value"] == pytest.approx(0.6, abs=0.1)
