"""What a plan asks the API to count: no faster than it may, again after a failure; what is not counted."""

from __future__ import annotations

import time
from pathlib import Path

from typer.testing import CliRunner

from overnight_workers.anthropic_api import api
from overnight_workers.cli import app
from tests.driving import MODEL, Service, params
from tests.planning import planned, refused, texts, written
from tests.sandboxes import forked_sandbox
from tests.service.ledger import Json


def test_how_long_counting_all_takes_is_said_before(service: Service, tmp_path: Path) -> None:
    file = written(tmp_path / "work.jsonl", texts(40))
    done = CliRunner().invoke(app, ["plan", str(file), "--exact"])
    assert "counting all 40 items, 2,000 a minute, takes 1.2 s" in done.stderr


def test_the_account_is_asked_no_faster_than_it_may_be(service: Service, tmp_path: Path) -> None:
    file = written(tmp_path / "work.jsonl", texts(400))
    with forked_sandbox(tmp_path / "slow", "--counts-per-minute", "600") as slow:
        service.configure(workspaces={"default": {"base_url": slow.url, "counts_per_minute": 600}})
        began = time.monotonic()
        plan = planned(file, "--sample", "40")
        took_s = time.monotonic() - began
        other = service.api.http.get(f"{slow.url}/sandbox/meter").json()["calls"]["count_tokens"]
    assert plan["counting"]["counts_per_minute"] == 600
    # ten at once, then ten a second
    assert took_s >= (plan["counting"]["calls"] - 10) / 10
    assert other == {"200": plan["counting"]["calls"]}


def test_an_account_that_may_less_than_was_said_is_waited_for(service: Service, tmp_path: Path) -> None:
    file = written(tmp_path / "work.jsonl", texts(60))
    with forked_sandbox(tmp_path / "slow", "--counts-per-minute", "30") as slow:
        service.configure(workspaces={"default": {"base_url": slow.url, "tier": "scale"}})
        # a minute's calls are there at once; these are two more, and one comes back every two seconds
        for _ in range(10):
            api.count_tokens("default", {"model": MODEL, "messages": [{"role": "user", "content": "x"}]}, headers={})
        plan = planned(file, "--sample", "22")
        other = service.api.http.get(f"{slow.url}/sandbox/meter").json()["calls"]["count_tokens"]
    assert plan["counting"]["counts_per_minute"] == 8_000
    assert other["200"] == 10 + plan["counting"]["calls"]
    assert other["429"] >= 1


def test_a_call_that_fails_is_made_again(hasty: Service, tmp_path: Path) -> None:
    file = written(tmp_path / "work.jsonl", texts(100))
    hasty.api.fault("count_tokens", "status", status=529, count=3)
    hasty.api.fault("count_tokens", "close_before_body", count=2)
    whole = planned(file, "--exact")
    hasty.api.faults_are_over()
    assert whole["expected"]["tokens_in"] == planned(file, "--exact")["expected"]["tokens_in"]
    hasty.api.fault("count_tokens", "status", status=500)
    assert isinstance(refused(str(file)), api.ApiUnavailable)
    hasty.api.faults_are_over()
    hasty.api.fault("count_tokens", "status", status=401)
    before = hasty.api.calls("count_tokens").get("401", 0)
    assert "401" in str(refused(str(file)))
    assert hasty.api.calls("count_tokens")["401"] - before < 40


def test_what_the_api_refuses_is_told_before_it_is_paid_for(hasty: Service, tmp_path: Path) -> None:
    prefilled = params() | {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    file = written(tmp_path / "work.jsonl", texts(40) + [prefilled] * 10)
    # one line each, or they would be the same key
    lines = file.read_bytes().splitlines()
    assert len(set(lines)) == 50
    plan = planned(file, "--exact")
    hints = {hint["hint"]: hint for hint in plan["hints"]}
    assert (hints["refused"]["items"], hints["prefill"]["items"]) == (10, 10)
    assert "does not support assistant message prefill" in hints["refused"]["text"]
    assert plan["counting"]["by_model"][0]["tokens_out"]["high"] == (40 * 2_000 + 10 * 256) * 8 // 10


FILE = {"type": "document", "source": {"type": "file", "file_id": "file_1"}}


def with_file(n: int) -> Json:
    return params() | {"messages": [{"role": "user", "content": [FILE, {"type": "text", "text": f"Summarise {n}"}]}]}


def test_of_what_the_api_does_not_count_the_cost_is_unknown_and_no_sum_is_taken_for_all(
    hasty: Service, tmp_path: Path
) -> None:
    searching = params(tools=[{"type": "web_search_20260318", "name": "web_search"}])
    file = written(tmp_path / "work.jsonl", [searching, *(with_file(n) for n in range(5))])
    plan = planned(file)
    into, cost = plan["expected"]["tokens_in"], plan["expected"]["cost"]
    assert (into["how"], into["high"], cost["how"], cost["high_usd"]) == ("unknown", None, "unknown", None)
    assert into["value"] > 0, "the rest is counted"
    hints = {hint["text"].partition(":")[0]: hint["items"] for hint in plan["hints"] if hint["hint"] == "uncounted"}
    assert hints == {
        "the API doesn't count document blocks by file": 5,
        "the API doesn't count the tool web_search_20260318": 1,
    }
    page = CliRunner().invoke(app, ["plan", str(file)]).output
    assert "batched at least $0.00" in page
    assert "At worst" not in page
    assert "With the longest answers all of it costs at least $0.00" in " ".join(page.split())
    assert plan["caching"]["worst_is_a_bound"] is False
    assert "what that costs is unknown" in " ".join(page.split())


def test_one_file_among_thousands_makes_its_models_sums_the_least_though_no_sample_met_it(
    hasty: Service, tmp_path: Path
) -> None:
    plain = texts(1_000) + texts(30, model="claude-sonnet-5")
    plan = planned(written(tmp_path / "work.jsonl", [*plain, with_file(1)]), "--sample", "30")
    hows = {row["model"]: row["tokens_in"]["how"] for row in plan["counting"]["by_model"]}
    assert hows == {MODEL: "unknown", "claude-sonnet-5": "sampled"}
    assert plan["expected"]["tokens_in"]["how"] == "unknown"


def test_a_refusal_to_count_that_says_nothing_about_the_request_is_unknown_too(hasty: Service, tmp_path: Path) -> None:
    hasty.api.fault("count_tokens", "status", status=400, message="not counted by this endpoint: a_tool_of_tomorrow")
    plan = planned(written(tmp_path / "work.jsonl", texts(3)))
    assert plan["expected"]["tokens_in"]["how"] == "unknown"
    (uncounted,) = [hint for hint in plan["hints"] if hint["hint"] == "uncounted"]
    assert uncounted["items"] == 3
    assert "a_tool_of_tomorrow" in uncounted["text"]


def test_what_has_to_be_counted_before_it_is_packed_is_told(hasty: Service, tmp_path: Path) -> None:
    hasty.configure(lane={"max_input_tokens": 3_000, "when_longer": "cut"})
    short, long = (params("y" + str(n)) for n in range(40)), (params("x" * 4_000 + str(n)) for n in range(3))
    file = written(tmp_path / "work.jsonl", [*short, *long])
    (too_long,) = [hint for hint in planned(file)["hints"] if hint["hint"] == "max_input_tokens"]
    assert too_long["items"] == 3
    assert "more than max_input_tokens (3,000)" in too_long["text"]
    assert "those that are longer are cut" in too_long["text"]
