"""`overnight plan` against the API: what it asks, what it says, and what the bill says afterwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import orjson
import pytest

from overnight_models.errors import BadSettings, PermanentError
from overnight_workers import held
from overnight_workers.cli import app
from overnight_workers.plan.hints import asked_again
from overnight_workers.settings import settings
from tests.driving import MODEL, Service, params, read_command
from tests.planning import RULES, accept_file, calls, planned, refused, texts, written
from tests.service.ledger import Json


def test_a_plan_asks_a_sample_and_spends_nothing(hasty: Service, tmp_path: Path) -> None:
    file = written(tmp_path / "work.jsonl", texts(2_000))
    before = calls(hasty)
    plan = planned(file)
    assert calls(hasty) - before == plan["counting"]["calls"]
    assert 20 <= plan["counting"]["looked_at"] < 400
    assert (plan["counting"]["by"], plan["expected"]["tokens_in"]["how"]) == ("ratio", "sampled")
    assert (plan["items"], plan["bad"], plan["known"]) == (2_000, 0, 0)
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
        {"key": f"x{n}", "params": text} for n, text in enumerate(texts(60))
    ]
    file = written(tmp_path / "work.jsonl", items)
    exact, some = planned(file, "--exact"), planned(file, "--sample", "60")
    assert some["counting"]["strata"] > 2
    assert some["expected"]["tokens_in"]["value"] == pytest.approx(exact["expected"]["tokens_in"]["value"], rel=0.02)
    accept_file(hasty, file, run="pictures")
    hasty.finish()
    billed = hasty.ledger.fetch_one("SELECT sum(input_tokens) AS tokens FROM bill")
    assert billed["tokens"] == exact["expected"]["tokens_in"]["value"]


def test_turnarounds_are_learned_from_the_ledger(hasty: Service, tmp_path: Path) -> None:
    file = written(tmp_path / "work.jsonl", texts(20))
    assert planned(file)["time"]["options"][0]["how"] == "assumed"
    for n in range(9):
        hasty.accept({"id": str(uuid4()), "key": f"t{n}", "params": params(f"t{n}")})
        hasty.finish()
    hasty.ledger.execute("UPDATE submission SET ended_at = api_created_at + interval '40 s'")
    plan = planned(file)
    assert plan["time"]["options"][0]["how"] == "learned"
    assert "9 earlier batches" in plan["time"]["turnaround"]


def test_what_asking_again_may_cost_is_told(hasty: Service, tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    asked = [{**text, "output_config": {"format": {"type": "json_schema", "schema": schema}}} for text in texts(3)]
    file = written(tmp_path / "work.jsonl", [*asked, *(params("y" + str(n)) for n in range(4))])
    hasty.configure(lane={"retry_invalid": 2})
    (told_hint,) = [hint for hint in planned(file)["hints"] if hint["hint"] == "retry_invalid"]
    assert told_hint["items"] == 3
    assert "would cost 3 times as much" in told_hint["text"]
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
    plan = planned(file)
    assert (plan["items"], plan["bad"]) == (26, 5)
    ruled = {option["why"]: option["lines"] for option in plan["half_price"]["ruled_out"]}
    assert ruled["a batch can't stream: leave `stream` out"] == 2
    assert [bad["line"] for bad in plan["half_price"]["bad_lines"]] == [4, 5, 6, 7, 31]
    assert plan["half_price"]["unknown_prices"] == [{"model": "claude-haiku-5.5", "items": 1}]
    (unpriced,) = [hint for hint in plan["hints"] if hint["hint"] == "unpriced"]
    assert "did you mean claude-haiku-5-5" in unpriced["text"]
    shown = read_command(app, "plan", str(file))
    assert "5 lines can't be enqueued as they are" in shown
    assert "the price of claude-haiku-5.5 is unknown, they are in no sum" in shown


def test_batches_and_waves_are_the_lanes(service: Service, tmp_path: Path) -> None:
    service.configure(
        lane={"max_items": 40, "max_wait": "3m"}, workspaces={"default": {"queue_limit": 100, "tier": "build"}}
    )
    file = written(tmp_path / "work.jsonl", texts(250))
    plan = planned(file, "--sample", "30")
    batches = [(batch["items"], batch["why"]) for batch in plan["half_price"]["batches"]]
    assert batches == [(40, "max_items")] * 6 + [(10, "max_wait")]
    assert (plan["half_price"]["waves"], plan["half_price"]["queue_limit"]) == (3, 100)
    assert plan["counting"]["counts_per_minute"] == 4_000
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
    plan = planned(written(tmp_path / "work.jsonl", items), "--exact")
    (prefix,) = plan["caching"]["prefixes"]
    assert (prefix["items"], prefix["tokens"]) == (100, 2_700)
    assert prefix["primed"]["pays"]
    ways = {(w["lifetime"], w["hit_rate"], w["primed"]): Decimal(w["cost"]["usd"]) for w in plan["caching"]["ways"]}
    batched = Decimal(plan["caching"]["batched"]["total"]["usd"])
    # $3, a write at $6 and a read at $0.30, halved
    each = Decimal(2_700) / 10**6 / 2
    assert batched - ways["1h", 0.98, False] == each * (300 - 2 * 6 - 98 * Decimal("0.3"))
    assert batched - ways["1h", 1.0, True] == each * (300 - 6 - 99 * Decimal("0.3"))
    assert ways["1h", 0.3, False] > batched > ways["5m", 0.3, False]
    assert {(row["lifetime"], row["hit_rate"]) for row in plan["caching"]["break_even"]} == {
        ("5m", 0.2174),
        ("1h", 0.5263),
    }


def test_a_lane_that_primes_is_planned_as_one(hasty: Service, tmp_path: Path) -> None:
    hasty.configure(lane={"prime": True})
    items = [{"key": f"m{n}", "params": params(f"Clause {n}?", system=RULES, max_tokens=300)} for n in range(200)]
    plan = planned(written(tmp_path / "work.jsonl", items), "--exact")
    assert (plan["caching"]["hit_rate"]["value"], plan["caching"]["hit_rate"]["how"]) == (0.87, "assumed")
    assert "for 1h" in plan["caching"]["why"]


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
    plan = planned(file)
    assert "no ledger is known here" in plan["ledger"]
    assert plan["expected"]["tokens_in"]["how"] == "sampled"
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
    plan = planned(file, "--offline")
    assert service.api.calls("count_tokens") == before
    assert (plan["expected"]["tokens_in"]["how"], plan["counting"]["by"]) == ("assumed", "bytes")
    error = refused(str(file))
    assert isinstance(error, BadSettings)
    assert "--offline" in str(error)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "name a file"),
        (["nowhere.jsonl"], "can't be read"),
        (["work.jsonl", "--lane", "nowhere"], "there is no lane"),
        (["work.jsonl", "--by", "soon"], "is no time"),
        (["work.jsonl", "--by", "2020-01-01T00:00"], "is over"),
        (["work.jsonl", "--exact", "--offline"], "one of --exact, --offline and --sample"),
        (["empty.jsonl"], "it is empty"),
        (["bad.jsonl"], "line 1: not JSON"),
        (["night.toml"], "overnight enrich night.toml --dry-run"),
        (["--compare", "nobody"], "no plan of a run 'nobody' is kept"),
    ],
)
def test_what_cannot_be_planned_is_said(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "work.jsonl", texts(3))
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "bad.jsonl").write_text("{\n")
    (tmp_path / "night.toml").write_text('key = "sku"\n')
    assert sentence in str(refused(*words))


def test_the_page_fits_into_80_columns_and_answers_five_questions(hasty: Service, tmp_path: Path) -> None:
    hasty.configure(lane={"max_items": 300})
    items = texts(900, system=RULES) + texts(100, model="claude-sonnet-5", stop_sequences=["x"])
    file = written(tmp_path / "work.jsonl", items)
    shown = read_command(app, "plan", str(file), "--by", "8h", "--run", "page")
    assert max(len(line) for line in shown.splitlines()) <= 80
    for question in ("Half price", "Counting is free", "24 hours is long", "Does caching stack", "Which road"):
        assert question in shown
    for words in ("sampled", "assumed", "items by tokens in", "the longest", "Ten tokens more", "real time", "batched"):
        assert words in shown
    assert "half direct" in shown
    assert "prices of 2026-11-12" in shown
    assert "overnight plan --compare page" in shown


PARTS_OF_THE_JSON = {
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
        "worst_is_a_bound",
        "worst_realtime_usd",
    ],
    "road": ["changes", "option", "sure", "why"],
}


def test_the_json_is_complete_and_stable(hasty: Service, tmp_path: Path) -> None:
    file = written(tmp_path / "work.jsonl", texts(60, system=RULES))
    plan = planned(file, "--by", "8h")
    assert plan["v"] == 1
    assert {part: sorted(plan[part]) for part in PARTS_OF_THE_JSON} == PARTS_OF_THE_JSON
    # a plan that was kept is the plan that was printed
    kept = planned(file, "--run", "r")
    assert orjson.loads(hasty.ledger.fetch_one("SELECT document FROM plan")["document"]) == kept
