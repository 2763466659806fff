"""Unknown prices: refused unless the lane says otherwise; then unknown everywhere, never nothing and never a guess."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from overnight_models.wire.policy import Policy
from overnight_workers import held, process
from overnight_workers.cli import app
from overnight_workers.flower_tab.document import document
from overnight_workers.operators import operator_overrides, words
from overnight_workers.operators.snapshot import Look, take_snapshot
from overnight_workers.settings import settings
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.submit.submit import submit
from tests.budgeting import budget, seen
from tests.driving import Service, callback, item, params, read_command
from tests.sandboxes import forked_sandbox
from tests.service.ledger import Json

MODEL = "claude-tomorrow"
PRICES = f"""
[models.{MODEL}]
input = 7.00
write_5m = 8.75
write_1h = 14.00
cache_read = 0.70
output = 35.00
context_tokens = 200_000
max_output_tokens = 64_000
min_cacheable_tokens = 1_024
"""


@pytest.fixture
def service(tmp_path: Path, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A service whose API has a model that the price list doesn't have yet."""
    (tmp_path / "prices.toml").write_text(PRICES)
    with forked_sandbox(tmp_path / "sandbox", "--instant", "--prices", str(tmp_path / "prices.toml")) as sandbox:
        service = Service(tmp_path, database_url, redis_url, sandbox, monkeypatch)
        service.configure(lane={"unknown_price": "accept"})
        yield service
        service.close()


def of_tomorrow(key: str, **more: Any) -> Json:
    return item(key, params=params(f"Describe {key}") | {"model": MODEL}, **more)


def costs(*words: str) -> Json:
    document: Json = json.loads(read_command(app, "costs", "--json", *words))
    return document


def test_by_default_it_is_refused_with_the_nearest_names(service: Service) -> None:
    service.configure()
    verdict = service.accept(of_tomorrow("a"))
    assert verdict["accepted"] == 0
    assert f"unknown model '{MODEL}'" in verdict["rejected"][0]["why"]


def test_accepted_its_cost_is_unknown_in_its_outcome(service: Service) -> None:
    service.accept(of_tomorrow("a", callback=callback()))
    service.finish()
    assert service.ledger.item("a")["cost_nano"] is None
    (message,) = service.queue()
    (document, *_), _, _ = json.loads(message["body"])
    assert (document["ok"], document["cost_usd"], document["realtime_cost_usd"]) == (True, None, None)
    assert document["usage"]["output_tokens"] > 0
    assert "unknown" in read_command(app, "items")


def test_sums_say_how_many_they_leave_out(service: Service) -> None:
    service.accept(of_tomorrow("a"), of_tomorrow("b"), item("c"))
    service.finish()
    priced = service.ledger.item("c")["cost_nano"]
    total = costs()["total"]
    assert (total["answers"], total["unpriced"], Decimal(total["cost_usd"]).scaleb(9)) == (3, 2, priced)
    page = read_command(app, "costs", "--by", "model")
    (line,) = [line for line in page.splitlines() if line.startswith(MODEL)]
    assert line.split()[1:4] == ["2", "unknown", "unknown"]
    assert "2 answers are in no sum: the price of the model is unknown" in page
    assert "+ 2 unknown" in read_command(app, "status")
    assert "+ 2 unknown" in read_command(app, "batches")
    seen = take_snapshot(process.database())
    assert words.billed(seen.lanes[0]).endswith("+ 2 answers without a price")
    money: Any = document(Look(seen, None), settings())["money"]
    assert money["unpriced"] == 2
    assert service.api.meter()["billed"] == 3


def test_a_double_of_it_is_unpriced_too(service: Service) -> None:
    service.api.fault("create", "lose_answer", count=1)
    service.accept(of_tomorrow("a"))
    pack()
    submit()
    operator_overrides.never_created(int(service.ledger.fetch_one("SELECT id FROM batch")["id"]), "a test")
    service.api.faults_are_over()
    service.finish()
    service.clock.quiet_is_over()
    for _ in range(4):
        service.clock.pauses_are_over()
        service.round()
    total = costs()["total"]
    assert (total["answers"], total["paid_twice"], total["unpriced"]) == (2, 1, 2)
    assert service.ledger.fetch_one("SELECT cost_nano FROM double")["cost_nano"] is None


@pytest.mark.parametrize("strict", [True, False])
def test_a_budget_holds_it_since_nothing_can_be_reserved(service: Service, strict: bool) -> None:
    budget(strict=strict)
    service.accept(of_tomorrow("a"), item("b"))
    pack()
    assert (service.ledger.item("a")["state"], service.ledger.item("b")["state"]) == ("held", "batched")
    assert seen().held == {"no price": 1}
    assert "no price: lane default, a day" in read_command(app, "items", "--state", "held")


def test_with_prices_of_its_own_it_is_priced_from_then_on(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERNIGHT_PRICES", str(tmp_path / "prices.toml"))
    service.restart()
    held.close()
    service.accept(of_tomorrow("a"))
    service.finish()
    assert service.ledger.item("a")["cost_nano"] == service.api.meter()["nano"] > 0
    held.close()


def test_a_plan_leaves_it_out_and_says_so(service: Service, tmp_path: Path) -> None:
    file = tmp_path / "work.jsonl"
    lines = [{"key": f"k{n}", "params": params(f"text {n}")} for n in range(5)]
    lines += [{"key": f"t{n}", "params": params(f"text {n}") | {"model": MODEL}} for n in range(3)]
    file.write_text("\n".join(map(json.dumps, lines)))
    for more in ((), ("--exact",)):
        printed = read_command(app, "plan", str(file), "--json", *more)
        plan = json.loads(printed[printed.index("{") :])
        assert (plan["items"], plan["bad"]) == (5, 0)
        assert plan["half_price"]["unknown_prices"] == [{"model": MODEL, "items": 3}]
    page = read_command(app, "plan", str(file))
    assert f"the price of {MODEL} is unknown, they are in no sum" in " ".join(page.split())


def test_products_hear_of_it_by_the_policy_and_an_older_one_refuses(service: Service) -> None:
    published = json.loads(process.policy().dump())
    assert Policy.load(json.dumps(published).encode()).lanes["default"].unknown_price == "accept"
    del published["lanes"]["default"]["unknown_price"]
    assert Policy.load(json.dumps(published).encode()).lanes["default"].unknown_price == "refuse"
