"""The plan of a lane that chooses models: how many items go to each, and what that costs; the bill is the same."""

from __future__ import annotations

from pathlib import Path

import orjson
from typer.testing import CliRunner

from overnight_producers import Overnight
from overnight_workers.cli import app
from overnight_workers.stages.rescue import sweep
from tests.driving import Service, text_of
from tests.planning import accept_file, planned, written
from tests.service.ledger import Json
from tests.stages.product.conftest import answering, take_in, taking_in

HAIKU, SONNET = "claude-haiku-5-5", "claude-sonnet-5"
MOST = 1_000
MODELS = [{"model": HAIKU, "up_to_tokens": MOST}, {"model": SONNET}]


def request(key: str, length: int) -> Json:
    text = f"{text_of(key)} ".ljust(length, "x")
    return {"key": key, "params": {"max_tokens": 256, "messages": [{"role": "user", "content": text}]}}


def test_the_split_and_its_price_are_shown_and_the_bill_has_the_same_models(service: Service, tmp_path: Path) -> None:
    service.configure(lane={"models": MODELS})
    lengths = [40] * 20 + [4 * MOST + n for n in (-400, 400)] + [40 * MOST] * 5
    file = written(tmp_path / "work.jsonl", [request(f"k{n}", length) for n, length in enumerate(lengths)])
    plan = planned(file)
    by_model = {row["model"]: row for row in plan["counting"]["by_model"]}
    assert {model: row["items"] for model, row in by_model.items()} == {HAIKU: 21, SONNET: 6}
    assert by_model[SONNET]["tokens_in"]["value"] > 5 * 10 * MOST
    for model in by_model.values():
        assert float(model["batched"]["usd"]) * 2 == float(model["realtime"]["usd"])
    total = sum(float(model["batched"]["usd"]) for model in by_model.values())
    assert abs(total - float(plan["caching"]["batched"]["total"]["usd"])) < 1e-6
    (hint,) = (hint for hint in plan["hints"] if hint["hint"] == "models")
    assert (hint["items"], "1,000 tokens" in hint["text"]) == (2, True)
    page = CliRunner().invoke(app, ["plan", str(file)]).output
    assert any(line.split()[:2] == [SONNET, "6"] for line in page.splitlines())
    accept_file(service, file)
    service.round()
    billed = service.ledger.fetch_all("SELECT model, count(*) AS n FROM bill GROUP BY model")
    assert {row["model"]: row["n"] for row in billed} == {HAIKU: 21, SONNET: 6}
    assert planned(file)["known"] == 27


def test_a_product_leaves_the_model_out_where_its_lane_chooses(service: Service, tmp_path: Path) -> None:
    service.configure(lane={"models": MODELS})
    sweep()
    overnight = Overnight(service.redis_url)
    with answering(service.redis_url):
        receipt = overnight.enqueue(request("a", 40)["params"], key="a")
        take_in(service)
        service.round()
        outcome = overnight.outcome(receipt)
        file = written(tmp_path / "work.jsonl", [request("b", 40)])
        with taking_in(service):
            done = CliRunner().invoke(app, ["enqueue", str(file), "--json"])
    overnight.close()
    assert outcome is not None
    assert (outcome.ok, outcome.model) == (True, HAIKU)
    assert outcome.model_why is not None
    assert done.exit_code == 0, done.output
    assert orjson.loads(done.stdout)["accepted"] == 1
