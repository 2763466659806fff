"""`overnight plan` against the API: what it asks, what it says, and what the bill says afterwards."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
from typer.testing import CliRunner

from overnight_models.errors import BadSettings, PermanentError
from overnight_workers import api, held
from overnight_workers.cli import app
from overnight_workers.plan.hints import asked_again
from overnight_workers.sandbox.process import running
from overnight_workers.settings import settings
from tests.driving import MODEL, Service, params, read_command
from tests.planning import RULES, accept_file, calls, planned, texts, written
from tests.service.ledger import Json


def refused(*words: str) -> BaseException:
    done = CliRunner().invoke(app, ["plan", *words])
    assert done.exit_code != 0
    assert done.exception is not None
    return done.exception


def test_a_plan_asks_a_sample_and_spends_nothing(hasty: Service, tmp_path: Path) -> None:
    file = written(tmp_path / "work.jsonl", texts(2_000))
    before = calls(hasty)
    found = planned(file)
    assert calls(hasty) - before == found["counting"]["calls"]
    assert 20 <= found["counting"]["looked_at"] < 400
    assert (found["counting"]["by"], found["expected"]["tokens_in"]["how"]) == ("ratio", "sampled")
    assert (found["items"], found["bad"], found["known"]) == (2_000, 0, 0)
    assert hasty.api.meter()["creates"] == hasty.api.meter()["billed"] == 0
    assert hasty.ledger.fetch_all("SELECT 1 FROM item") == hasty.ledger.fetch_all("SELECT 1 FROM plan") == []


def test_the_interval_of_the_sample_holds_what_counting_all_says(hasty: Service, tmp_path: Path) -> None:
    file = written(tmp_path / "work.jsonl", texts(600) + texts(200, model="claude-sonnet-5"))
    before = calls(hasty)
    exact = planned(file, "--exact")
    assert calls(hasty) - before == exact["counting"]["calls"] == 800
    truth = exact["expected"]["tokens_in"]
    assert truth["low"] == truth["value"] == truth["high"]
    assert truth["how"] == "counted"
    for seed in ("1", "2", "3"):
        into = planned(file, "--sample", "120", "--seed", seed)["expected"]["tokens_in"]
        assert into["low"] <= truth["value"] <= into["high"]
        assert into["value"] == pytest.approx(truth["value"], rel=0.02)
    again = planned(file, "--sample", "120", "--seed", "1")
    assert again["expected"] == planned(file, "--sample", "120", "--seed", "1")["expected"]


def test_images_are_counted_as_they_are_billed(hasty: Service, tmp_path: Path) -> None:
    def pictured(n: int) -> Json:
        source = {"type": "base64", "media_type": "image/png", "data": "A" * (1_000 + 700 * n)}
        image = {"type": "image", "source": source}
        content = [image, {"type": "text", "text": f"What is on picture {n}? " + "Look closely. " * n}]
        return params(max_tokens=500) | {"messages": [{"role": "user", "content": content}]}

    items = [{"key": f"i{n}", "params": pictured(n)} for n in range(60)] + [
        {"key": f"x{n}", "params": one} for n, one in enumerate(texts(60))
    ]
    file = written(tmp_path / "work.jsonl", items)
    exact, some = planned(file, "--exact"), planned(file, "--sample", "60")
    assert some["counting"]["strata"] > 2
    assert some["expected"]["tokens_in"]["value"] == pytest.approx(exact["expected"]["tokens_in"]["value"], rel=0.02)
    accept_file(hasty, file, run="pictures")
    hasty.finish()
    billed = hasty.ledger.fetch_one("SELECT sum(input_tokens) AS tokens FROM bill")
    assert billed["tokens"] == exact["expected"]["tokens_in"]["value"]


def test_how_long_counting_all_takes_is_said_before(service: Service, tmp_path: Path) -> None:
    file = written(tmp_path / "work.jsonl", texts(40))
    done = CliRunner().invoke(app, ["plan", str(file), "--exact"])
    assert "counting all 40 items, 2,000 a minute, takes 1.2 s" in done.stderr


def test_turnarounds_are_learned_from_the_ledger(hasty: Service, tmp_path: Path) -> None:
    file = written(tmp_path / "work.jsonl", texts(20))
    assert planned(file)["time"]["options"][0]["how"] == "assumed"
    for n in range(9):
        hasty.accept({"id": str(uuid4()), "key": f"t{n}", "params": params(f"t{n}")})
        hasty.finish()
    hasty.ledger.execute("UPDATE submission SET ended_at = api_created_at + interval '40 s'")
    found = planned(file)
    assert found["time"]["options"][0]["how"] == "learned"
    assert "9 earlier batches" in found["time"]["turnaround"]


def test_the_account_is_asked_no_faster_than_it_may_be(service: Service, tmp_path: Path) -> None:
    file = written(tmp_path / "work.jsonl", texts(400))
    with running(tmp_path / "slow", "--counts-per-minute", "600") as slow:
        service.configure(workspaces={"default": {"base_url": slow.url, "counts_per_minute": 600}})
        began = time.monotonic()
        found = planned(file, "--sample", "40")
        took_s = time.monotonic() - began
        other = service.api.http.get(f"{slow.url}/sandbox/meter").json()["calls"]["count_tokens"]
    assert found["counting"]["counts_per_minute"] == 600
    # ten at once, then ten a second
    assert took_s >= (found["counting"]["calls"] - 10) / 10
    assert other == {"200": found["counting"]["calls"]}


def test_an_account_that_may_less_than_was_said_is_waited_for(service: Service, tmp_path: Path) -> None:
    file = written(tmp_path / "work.jsonl", texts(60))
    with running(tmp_path / "slow", "--counts-per-minute", "30") as slow:
        service.configure(workspaces={"default": {"base_url": slow.url, "tier": "scale"}})
        # a minute's calls are there at once; these are two more, and one comes back every two seconds
        for _ in range(10):
            api.count_tokens("default", {"model": MODEL, "messages": [{"role": "user", "content": "x"}]}, headers={})
        found = planned(file, "--sample", "22")
        other = service.api.http.get(f"{slow.url}/sandbox/meter").json()["calls"]["count_tokens"]
    assert found["counting"]["counts_per_minute"] == 8_000
    assert other["200"] == 10 + found["counting"]["calls"]
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
    found = planned(file, "--exact")
    hints = {hint["hint"]: hint for hint in found["hints"]}
    assert (hints["refused"]["items"], hints["prefill"]["items"]) == (10, 10)
    assert "does not support assistant message prefill" in hints["refused"]["text"]
    assert found["counting"]["by_model"][0]["tokens_out"]["high"] == (40 * 2_000 + 10 * 256) * 8 // 10


FILE = {"type": "document", "source": {"type": "file", "file_id": "file_1"}}


def with_file(n: int) -> Json:
    return params() | {"messages": [{"role": "user", "content": [FILE, {"type": "text", "text": f"Summarise {n}"}]}]}


def test_of_what_the_api_does_not_count_the_cost_is_unknown_and_no_sum_is_taken_for_all(
    hasty: Service, tmp_path: Path
) -> None:
    searching = params(tools=[{"type": "web_search_20260318", "name": "web_search"}])
    file = written(tmp_path / "work.jsonl", [searching, *(with_file(n) for n in range(5))])
    found = planned(file)
    into, cost = found["expected"]["tokens_in"], found["expected"]["cost"]
    assert (into["how"], into["high"], cost["how"], cost["high_usd"]) == ("unknown", None, "unknown", None)
    assert into["value"] > 0, "the rest is counted"
    told = {hint["text"].partition(":")[0]: hint["items"] for hint in found["hints"] if hint["hint"] == "uncounted"}
    assert told == {
        "the API doesn't count document blocks by file": 5,
        "the API doesn't count the tool web_search_20260318": 1,
    }
    page = CliRunner().invoke(app, ["plan", str(file)]).output
    assert "batched at least $0.00" in page
    assert "what that costs is unknown" in " ".join(page.split())


def test_one_file_among_thousands_makes_its_models_sums_the_least_though_no_sample_met_it(
    hasty: Service, tmp_path: Path
) -> None:
    plain = texts(1_000) + texts(30, model="claude-sonnet-5")
    found = planned(written(tmp_path / "work.jsonl", [*plain, with_file(1)]), "--sample", "30")
    hows = {one["model"]: one["tokens_in"]["how"] for one in found["counting"]["by_model"]}
    assert hows == {MODEL: "unknown", "claude-sonnet-5": "sampled"}
    assert found["expected"]["tokens_in"]["how"] == "unknown"


def test_a_refusal_to_count_that_says_nothing_about_the_request_is_unknown_too(hasty: Service, tmp_path: Path) -> None:
    hasty.api.fault("count_tokens", "status", status=400, message="not counted by this endpoint: a_tool_of_tomorrow")
    found = planned(written(tmp_path / "work.jsonl", texts(3)))
    assert found["expected"]["tokens_in"]["how"] == "unknown"
    (told,) = [hint for hint in found["hints"] if hint["hint"] == "uncounted"]
    assert told["items"] == 3
    assert "a_tool_of_tomorrow" in told["text"]


def test_what_has_to_be_counted_before_it_is_packed_is_told(hasty: Service, tmp_path: Path) -> None:
    hasty.configure(lane={"max_input_tokens": 3_000, "when_longer": "cut"})
    short, long = (params("y" + str(n)) for n in range(40)), (params("x" * 4_000 + str(n)) for n in range(3))
    file = written(tmp_path / "work.jsonl", [*short, *long])
    (told,) = [hint for hint in planned(file)["hints"] if hint["hint"] == "max_input_tokens"]
    assert told["items"] == 3
    assert "more than max_input_tokens (3,000)" in told["text"]
    assert "those that are longer are cut" in told["text"]


def test_what_asking_again_may_cost_is_told(hasty: Service, tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    asked = [{**one, "output_config": {"format": {"type": "json_schema", "schema": schema}}} for one in texts(3)]
    file = written(tmp_path / "work.jsonl", [*asked, *(params("y" + str(n)) for n in range(4))])
    hasty.configure(lane={"retry_invalid": 2})
    (told,) = [hint for hint in planned(file)["hints"] if hint["hint"] == "retry_invalid"]
    assert told["items"] == 3
    assert "would cost 3 times as much" in told["text"]
    assert asked_again(3, 0) == asked_again(0, 2) == []


def test_what_is_ruled_out_is_listed_by_line_and_by_reason(hasty: Service, tmp_path: Path) -> None:
    items = texts(30)
    items[3] |= {"stream": True}
    items[4] |= {"speed": "fast"}
    items[5] |= {"temperature": 0.5, "stream": True}
    items[6] |= {"model": "claude-haiku-5.5"}
    file = written(tmp_path / "work.jsonl", items)
    with file.open("ab") as out:
        out.write(b"{not json\n")
    found = planned(file)
    assert (found["items"], found["bad"]) == (26, 5)
    ruled = {one["why"]: one["lines"] for one in found["half_price"]["ruled_out"]}
    assert ruled["a batch can't stream: leave `stream` out"] == 2
    assert [bad["line"] for bad in found["half_price"]["bad_lines"]] == [4, 5, 6, 7, 31]
    assert found["half_price"]["unknown_prices"] == [{"model": "claude-haiku-5.5", "items": 1}]
    (unpriced,) = [hint for hint in found["hints"] if hint["hint"] == "unpriced"]
    assert "did you mean claude-haiku-5-5" in unpriced["text"]
    shown = read_command(app, "plan", str(file))
    assert "5 lines can't be enqueued as they are" in shown
    assert "the price of claude-haiku-5.5 is unknown, they are in no sum" in shown


def test_batches_and_waves_are_the_lanes(service: Service, tmp_path: Path) -> None:
    service.configure(
        lane={"max_items": 40, "max_wait": "3m"}, workspaces={"default": {"queue_limit": 100, "tier": "build"}}
    )
    file = written(tmp_path / "work.jsonl", texts(250))
    found = planned(file, "--sample", "30")
    batches = [(one["items"], one["why"]) for one in found["half_price"]["batches"]]
    assert batches == [(40, "max_items")] * 6 + [(10, "max_wait")]
    assert (found["half_price"]["waves"], found["half_price"]["queue_limit"]) == (3, 100)
    assert found["counting"]["counts_per_minute"] == 4_000
    shown = read_command(app, "plan", str(file), "--sample", "30")
    assert "6  batches of 40 items" in shown
    assert "3 waves, one after the other: the API's queue takes 100 requests" in shown
    accept_file(service, file)
    service.ledger.execute("UPDATE item SET waiting_since = waiting_since - interval '3 minutes'")
    service.finish()
    assert sorted(row["items"] for row in service.ledger.fetch_all("SELECT items FROM batch")) == [10] + [40] * 6


def test_shared_beginnings_are_found_counted_and_priced(hasty: Service, tmp_path: Path) -> None:
    contract = [{"type": "text", "text": "The parties agree on this. " * 400}]
    items = [params(f"Clause {n}?", model="claude-sonnet-4-6", system=contract) for n in range(100)]
    found = planned(written(tmp_path / "work.jsonl", items), "--exact")
    (prefix,) = found["caching"]["prefixes"]
    assert (prefix["items"], prefix["tokens"]) == (100, 2_700)
    assert prefix["primed"]["pays"]
    ways = {(w["lifetime"], w["hit_rate"], w["primed"]): Decimal(w["cost"]["usd"]) for w in found["caching"]["ways"]}
    batched = Decimal(found["caching"]["batched"]["total"]["usd"])
    # $3, a write at $6 and a read at $0.30, halved
    each = Decimal(2_700) / 10**6 / 2
    assert batched - ways["1h", 0.98, False] == each * (300 - 2 * 6 - 98 * Decimal("0.3"))
    assert batched - ways["1h", 1.0, True] == each * (300 - 6 - 99 * Decimal("0.3"))
    assert ways["1h", 0.3, False] > batched > ways["5m", 0.3, False]
    assert {(one["lifetime"], one["hit_rate"]) for one in found["caching"]["break_even"]} == {
        ("5m", 0.2174),
        ("1h", 0.5263),
    }


def test_a_lane_that_primes_is_planned_as_one(hasty: Service, tmp_path: Path) -> None:
    hasty.configure(lane={"prime": True})
    items = [{"key": f"m{n}", "params": params(f"Clause {n}?", system=RULES, max_tokens=300)} for n in range(200)]
    found = planned(written(tmp_path / "work.jsonl", items), "--exact")
    assert (found["caching"]["hit_rate"]["value"], found["caching"]["hit_rate"]["how"]) == (0.87, "assumed")
    assert "for 1h" in found["caching"]["why"]


def test_a_model_that_retires_is_told(hasty: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "prices.toml"
    today = datetime.now(UTC).date()
    own.write_text(
        f"[models.claude-sonnet-4-5]\nend_of_life = {today + timedelta(days=1)}\n"
        f"[models.claude-haiku-5-5]\nend_of_life = {today + timedelta(days=20)}\nprice_ends = {today}\n"
    )
    monkeypatch.setenv("OVERNIGHT_PRICES", str(own))
    hasty.restart()
    held.close()
    file = written(tmp_path / "work.jsonl", texts(10, model="claude-sonnet-4-5") + texts(10))
    hints = {hint["hint"]: hint for hint in planned(file, "--offline")["hints"]}
    held.close()
    assert "in 1 day: what waits then fails" in hints["retires"]["text"]
    assert hints["retires_soon"]["model"] == MODEL
    assert hints["price_ends"]["model"] == MODEL


def test_without_services_it_works_and_says_what_it_cannot_know(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path / "work.jsonl", texts(50))
    monkeypatch.setenv("OVERNIGHT_DATABASE_URL", "")
    monkeypatch.setenv("OVERNIGHT_REDIS_URL", "")
    settings.cache_clear()
    found = planned(file)
    assert "no ledger is known here" in found["ledger"]
    assert found["expected"]["tokens_in"]["how"] == "sampled"
    assert isinstance(refused(str(file), "--run", "x"), PermanentError)
    monkeypatch.setenv("OVERNIGHT_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")
    settings.cache_clear()
    held.close()
    assert "the ledger can't be read" in planned(file)["ledger"]


def test_offline_nobody_is_asked_and_no_key_is_needed(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path / "work.jsonl", texts(50))
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    before = service.api.calls("count_tokens")
    found = planned(file, "--offline")
    assert service.api.calls("count_tokens") == before
    assert (found["expected"]["tokens_in"]["how"], found["counting"]["by"]) == ("assumed", "bytes")
    error = refused(str(file))
    assert isinstance(error, BadSettings)
    assert "--offline" in str(error)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "name a file"),
        (["nowhere.jsonl"], "can't be read"),
        (["work.jsonl", "--lane", "nowhere"], "there is no lane"),
        (["work.jsonl", "--by", "soon"], "is no time"),
        (["work.jsonl", "--by", "2020-01-01T00:00"], "is over"),
        (["work.jsonl", "--exact", "--offline"], "one of --exact, --offline and --sample"),
        (["empty.jsonl"], "it is empty"),
        (["bad.jsonl"], "line 1: not JSON"),
        (["--compare", "nobody"], "no plan of a run 'nobody' is kept"),
    ],
)
def test_what_cannot_be_planned_is_said(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "work.jsonl", texts(3))
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "bad.jsonl").write_text("{\n")
    assert told in str(refused(*words))


def test_the_page_fits_into_80_columns_and_answers_five_questions(hasty: Service, tmp_path: Path) -> None:
    hasty.configure(lane={"max_items": 300})
    items = texts(900, system=RULES) + texts(100, model="claude-sonnet-5", stop_sequences=["x"])
    file = written(tmp_path / "work.jsonl", items)
    shown = read_command(app, "plan", str(file), "--by", "8h", "--run", "page")
    assert max(len(line) for line in shown.splitlines()) <= 80
    for question in ("Half price", "Counting is free", "24 hours is long", "Does caching stack", "Which road"):
        assert question in shown
    for told in ("sampled", "assumed", "items by tokens in", "the longest", "Ten tokens more", "real time", "batched"):
        assert told in shown
    assert "half direct" in shown
    assert "prices of 2026-11-12" in shown
    assert "overnight plan --compare page" in shown


def test_the_json_is_complete_and_stable(hasty: Service, tmp_path: Path) -> None:
    file = written(tmp_path / "work.jsonl", texts(60, system=RULES))
    found = planned(file, "--by", "8h")
    assert found["v"] == 1
    assert {part: sorted(found[part]) for part in ("half_price", "counting", "time", "caching", "road")} == {
        "half_price": [
            "bad_lines",
            "batches",
            "queue_limit",
            "queued_now",
            "ruled_out",
            "unknown_prices",
            "waves",
        ],
        "counting": [
            "by",
            "by_model",
            "calls",
            "counts_per_minute",
            "histogram",
            "longest",
            "looked_at",
            "pilot",
            "seconds",
            "strata",
            "ten_tokens_more",
            "tokens_in",
            "tokens_out",
            "tokens_per_byte",
            "worst_tokens_out",
        ],
        "time": ["options", "turnaround"],
        "caching": [
            "as_marked",
            "batched",
            "break_even",
            "cached",
            "hit_rate",
            "prefixes",
            "prefixes_found",
            "realtime",
            "shared_items",
            "ways",
            "why",
            "worst_batched_usd",
            "worst_realtime_usd",
        ],
        "road": ["changes", "option", "sure", "why"],
    }
    # a plan that was kept is the plan that was printed
    kept = planned(file, "--run", "r")
    assert orjson.loads(hasty.ledger.fetch_one("SELECT document FROM plan")["document"]) == kept
