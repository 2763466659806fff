"""Costs: what the ledger says was billed is what the API's meter says, to the nano-dollar, whosever it was."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from overnight_models.errors import PermanentError
from overnight_models.ledger.cancel import cancel
from overnight_models.ledger.money import costs as ledger
from overnight_models.money.prices import Usage
from overnight_workers import process
from overnight_workers.cli import app
from overnight_workers.operators import operator_overrides
from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.submit.submit import submit
from tests.budgeting import budget
from tests.driving import MODEL, Service, item, params, read_command
from tests.sums import nano

Json = dict[str, Any]
COUNTERS = ("input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens", "output_tokens")


def costs(*words: str) -> Json:
    document: Json = json.loads(read_command(app, "costs", "--json", *words))
    return document


def after_much_trouble(service: Service) -> None:
    """Retries, expiries, cancels, refusals, answers that are cut off, and a batch that is paid twice."""
    service.configure(lane={"max_attempts": 2}, lanes={"night": {"max_wait": "0s"}})
    service.api.fault("create", "lose_answer", count=1)
    service.accept(item("twice", tenant="acme"))
    pack()
    submit()
    operator_overrides.never_created(int(service.ledger.fetch_one("SELECT id FROM batch")["id"]), "a test")
    service.api.faults_are_over()
    troubles = ("errored:overloaded_error:1", "expired:1", "expired", "canceled:1", "refused", "cut_off", "reject")
    service.accept(*(item(trouble, fault=trouble, tenant="acme") for trouble in troubles), run="r1")
    service.accept(item("plain"), item("taken back"), lane="night", run="r1")
    with process.database().transaction() as connection:
        cancel(connection, service.ledger.item("taken back")["id"])
    service.finish()
    service.clock.quiet_is_over()
    for _ in range(4):
        service.clock.pauses_are_over()
        poll()
        collect()


def test_they_are_the_apis_meter_to_the_nano_dollar_after_much_trouble(service: Service) -> None:
    after_much_trouble(service)
    meter = service.api.meter()
    document = costs()
    assert nano(document["total"]["cost_usd"]) == meter["nano"] > 0
    assert nano(document["total"]["realtime_cost_usd"]) == meter["realtime_nano"]
    assert nano(document["total"]["saved_usd"]) == meter["realtime_nano"] - meter["nano"]
    assert document["total"]["answers"] == meter["billed"]
    assert document["total"]["paid_twice"] == 1
    assert (
        nano(document["total"]["paid_twice_usd"])
        == service.ledger.fetch_one("SELECT cost_nano FROM double")["cost_nano"]
    )


SCHEMA: Json = {
    "type": "object",
    "properties": {"t": {"type": "string"}},
    "required": ["t"],
    "additionalProperties": False,
}
SHAPES = (
    "compacted",
    "advised",
    "preamble",
    "compaction",
    "tool_call",
    "empty",
    "thought_only",
    "paused",
    "window_full",
)


def test_compactions_an_advisor_and_searches_are_billed_as_the_apis_meter_has_them(service: Service) -> None:
    asked: Json = {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}
    service.accept(
        item("plain"),
        *(item(shape, params=params(shape, fault=shape, **asked), output=SCHEMA) for shape in SHAPES),
        *(item(f"{shape} us", params=params(shape, fault=shape, inference_geo="us")) for shape in SHAPES),
    )
    service.finish()
    meter = service.api.meter()
    document = costs()["total"]
    assert (nano(document["cost_usd"]), nano(document["realtime_cost_usd"])) == (meter["nano"], meter["realtime_nano"])
    assert [document[name] for name in ("input_tokens", "output_tokens")] == [meter["tokens_in"], meter["tokens_out"]]
    assert service.ledger.item("compacted")["cost_nano"] > 350 * 250, "350 tokens of a summary, by Haiku"
    assert service.ledger.item("advised")["cost_nano"] > 500 * 10_000, "500 tokens of advice, by Opus"
    assert service.ledger.item("preamble")["cost_nano"] > 10_000_000, "a search"
    problems = {shape: service.ledger.item(shape)["problem"] for shape in SHAPES}
    ok = dict.fromkeys(("compacted", "advised", "preamble", "tool_call"))
    cut = dict.fromkeys(("compaction", "paused", "window_full"), "cut_off")
    assert problems == ok | cut | dict.fromkeys(("empty", "thought_only"), "invalid_output")


WHOSE = {
    "lane": "lane.name",
    "tenant": "coalesce(tenant.name, '')",
    "model": "bill.model",
    "run": "coalesce(run.name, '')",
    "day": "to_char(bill.finished_at, 'YYYY-MM-DD')",
}


def test_by_whatever_they_add_up_to_the_bill_and_so_does_a_run(service: Service) -> None:
    after_much_trouble(service)
    for by, whose in WHOSE.items():
        assert_they_add_up(service, by, whose)
    (run,) = [row for row in costs("--by", "run")["costs"] if row["name"] == "r1"]
    with process.database().transaction() as connection:
        bill = ledger.total(ledger.costs(connection, "model", run_name="r1"))
    assert bill.answers == run["answers"] < costs()["total"]["answers"]
    assert (bill.cost_nano, bill.output_tokens) == (nano(run["cost_usd"]), run["output_tokens"])


def assert_they_add_up(service: Service, by: str, whose: str) -> None:
    document = costs("--by", by)
    counters = ", ".join(f"sum(bill.{name})::bigint AS {name}" for name in (*COUNTERS, "thinking_tokens"))
    bill = service.ledger.fetch_all(
        f"""
        SELECT {whose} AS name, count(*) AS answers, sum(bill.cost_nano)::bigint AS nano, {counters}
        FROM bill JOIN item ON item.id = bill.item_id JOIN lane ON lane.id = lane_id
        LEFT JOIN tenant ON tenant.id = tenant_id LEFT JOIN run ON run.id = run_id GROUP BY 1
        """
    )
    assert {row["name"]: row for row in bill} == {
        row["name"]: {
            "name": row["name"],
            "answers": row["answers"],
            "nano": nano(row["cost_usd"]),
            **{name: row[name] for name in (*COUNTERS, "thinking_tokens")},
        }
        for row in document["costs"]
    }, by


def test_what_was_thought_is_priced_answer_by_answer(service: Service) -> None:
    american = params("Think of a kettle", inference_geo="us")
    service.accept(
        *(item(f"i{n}") for n in range(60)),
        item("us", params=american),
        *(item(f"us{n}", params=params(f"Think of {n} kettles", inference_geo="us")) for n in range(30)),
    )
    service.finish()
    model = process.prices().model(MODEL)
    assert model is not None
    worth = 0
    for message in service.ledger.answers().values():
        usage = Usage.of(json.loads(message)["usage"])
        output = Fraction(model.rates.output) * usage.thinking_tokens
        exact = output * model.batch_factor * model.geography.get(usage.inference_geo or "", 1)
        worth += int(exact + Fraction(1, 2))
    document = costs()["total"]
    assert nano(document["thinking_usd"]) == worth > 0
    assert nano(document["thinking_usd"]) < nano(document["cost_usd"])
    assert (
        document["thinking_tokens"] == service.ledger.fetch_one("SELECT sum(thinking_tokens)::int AS n FROM bill")["n"]
    )
    assert f"{document['thinking_tokens']:,} (${Decimal(worth).scaleb(-9):.6f})" in read_command(app, "costs")
    (row,) = csv.DictReader(read_command(app, "costs", "--csv").splitlines())
    assert nano(row["thinking_usd"]) == worth


def test_since(service: Service) -> None:
    service.accept(item("a"))
    service.finish()
    service.ledger.execute("UPDATE spending SET at = at - interval '2 d'")
    service.accept(item("b"))
    service.finish()
    assert costs()["total"]["answers"] == 2
    assert costs("--since", "1d")["total"]["answers"] == 1
    assert len(costs("--by", "day")["costs"]) == 2


def test_what_budgets_have_left_and_how_old_the_prices_are(service: Service) -> None:
    budget(nano=5_000_000_000)
    service.accept(item("a"))
    service.finish()
    document = costs()
    (lane,) = document["budgets"]
    assert nano(lane["spent_usd"]) == nano(document["total"]["cost_usd"])
    assert nano(lane["left_usd"]) == 5_000_000_000 - nano(lane["spent_usd"])
    assert document["prices_as_of"] == process.prices().as_of.isoformat()
    page = read_command(app, "costs")
    for words in ("thinking", "cache hits", "saved", "lane default, a day", f"prices of {document['prices_as_of']}"):
        assert words in page


def test_as_csv(service: Service) -> None:
    service.accept(item("a", tenant="acme"))
    service.finish()
    (row,) = csv.DictReader(read_command(app, "costs", "--by", "tenant", "--csv").splitlines())
    assert (row["tenant"], nano(row["cost_usd"])) == ("acme", service.api.meter()["nano"])


def test_nothing_billed(service: Service) -> None:
    assert "Nothing was billed" in read_command(app, "costs")
    assert costs()["total"]["cost_usd"] == "0"


def test_as_a_plot(service: Service, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    service.accept(item("a"))
    service.finish()
    read_command(app, "costs", "--by", "day", "--plot", str(tmp_path / "costs.png"))
    assert (tmp_path / "costs.png").read_bytes().startswith(b"\x89PNG")


def test_a_plot_without_matplotlib_says_what_to_install(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    done = CliRunner().invoke(app, ["costs", "--plot", "costs.png"])
    assert isinstance(done.exception, PermanentError)
    assert "overnight[plot]" in str(done.exception)
