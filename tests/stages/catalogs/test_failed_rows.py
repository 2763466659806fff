"""Rows that failed: asked again on a word, whatever run they failed in, and said with their price."""

from __future__ import annotations

from decimal import Decimal

import pytest

from overnight_workers.catalogs.runs import dollars
from overnight_workers.cli import app
from tests.driving import read_command
from tests.stages.catalogs.conftest import Enriched, shop
from tests.stages.catalogs.test_enriching import reasons


def test_rows_that_failed_in_a_stopped_run_are_asked_again_on_a_word(catalog: Enriched) -> None:
    catalog.declare(more="[pilot]\nrows = 20")
    catalog.write(shop(30))
    catalog.service.api.fault("item", "invalid_output", count=12)
    assert catalog.run().state == "stopped"
    catalog.service.api.faults_are_over()
    plan = catalog.plan(retry_failed=True)
    assert reasons(plan) == {"failed last time": 12, "that didn't fail": 18}
    catalog.declare(more="[pilot]\nrows = 0")
    run = catalog.run(retry_failed=True)
    assert (run.state, catalog.sent) == ("complete", 32)
    assert len(catalog.published()) == 12
    assert catalog.run().state == "complete"
    assert catalog.sent == 42, "8 of the pilot were answered and paid, 10 were never sent"
    assert [row["overnight_problem"] for row in catalog.published()] == [""] * 30


def test_rows_that_follow_the_failure_of_a_stopped_run_are_asked_again_on_a_word(catalog: Enriched) -> None:
    catalog.declare(more="[pilot]\nrows = 10")
    catalog.write(shop(12))
    catalog.service.api.fault("item", "invalid_output", count=10)
    assert catalog.run().state == "stopped"
    catalog.declare(more="[pilot]\nrows = 0")
    assert catalog.run().state == "complete"
    assert catalog.sent == 12, "what failed is known, and comes with its failure for nothing"
    assert reasons(catalog.plan()) == {"without a useful answer last time": 10, "unchanged": 2}
    assert catalog.run(retry_failed=True).state == "complete"
    assert catalog.sent == 22
    assert [row["overnight_problem"] for row in catalog.published()] == [""] * 12


def test_what_is_asked_again_has_its_price_in_the_plan(catalog: Enriched) -> None:
    catalog.write(shop(4))
    first = Decimal(catalog.plan()["usd"])
    catalog.service.api.fault("item", "expired", count=4 * 10)
    assert catalog.run().state == "partial"
    catalog.service.api.faults_are_over()
    again = catalog.plan()
    assert reasons(again) == {"failed last time": 4}
    assert Decimal(again["usd"]) >= first / 2


def test_a_template_that_fails_is_in_the_plan_with_its_reason(catalog: Enriched) -> None:
    catalog.declare(prompt="{{ name }} {{ 1 / (name | length - 5) }}")
    catalog.write({"A": {"name": "Chair"}, "B": {"name": "A stool"}, "C": {"name": "Table"}})
    new = catalog.plan()["reasons"]["new"]
    assert (new["rows"], new["unsendable"]) == (3, 2)
    assert new["why_unsendable"] == "the template fails: ZeroDivisionError: division by zero"


def test_a_row_above_its_cap_is_in_the_plan_too(catalog: Enriched) -> None:
    catalog.declare(more="[caps]\nmax_cost_a_row = 0.0000001")
    catalog.write(shop(2))
    new = catalog.plan()["reasons"]["new"]
    assert new["unsendable"] == 2
    assert "caps.max_cost_a_row" in new["why_unsendable"]


LIMIT = "max_input_tokens = 40\n"


@pytest.mark.parametrize(
    ("then", "what"),
    [
        ("", "refused"),
        ('when_longer = "cut"\ncut_column = "name"\n', "cut, at the end of name"),
        ('when_longer = "model"\nlonger_model = "claude-sonnet-5"\n', "asked of claude-sonnet-5"),
    ],
)
def test_rows_that_are_too_long_are_in_the_plan_counted_or_estimated(
    catalog: Enriched, then: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = catalog.directory / "shop.toml"
    file.write_text(file.read_text().replace("[prompt]\n", f"[prompt]\n{LIMIT}{then}"))
    catalog.write(shop(12, **{f"A{at}": {"name": "kettle " * 40} for at in range(5)}))
    assert catalog.plan()["reasons"]["new"]["longer"] == {"rows": 5, "at_least": 5, "how": "counted", "what": what}
    monkeypatch.setattr(dollars, "CHOSEN", 4)
    plan = catalog.plan()
    longer = plan["reasons"]["new"]["longer"]
    assert (longer["rows"], longer["how"]) == (5, "estimated"), "by the lengths of all cells"
    assert longer["at_least"] < 5
    said = read_command(app, "enrich", str(file), "--dry-run")
    assert f"new: an estimated 5 (at least {longer['at_least']}) longer than max_input_tokens: {what}" in said


def test_what_can_not_be_sent_is_estimated_where_only_some_rows_were_looked_at(
    catalog: Enriched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dollars, "CHOSEN", 4)
    catalog.write(shop(8) | {f"B{at}": {"name": "", "maker": "Acme"} for at in range(8)})
    new = catalog.plan()["reasons"]["new"]
    assert new["unsendable_how"] == "estimated"
    assert new["unsendable"] == new["unsendable_at_least"] * 4
