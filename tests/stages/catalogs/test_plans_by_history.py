"""What a plan learns from earlier answers, and what it must not; what was asked before isn't priced again."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from overnight_workers.catalogs import trying
from overnight_workers.catalogs.opened import opened
from overnight_workers.catalogs.recipe import recipe_of
from overnight_workers.cli import app
from tests.driving import MODEL, read_command
from tests.stages.catalogs.conftest import SCHEMA, Enriched, shop

WIDER = json.loads(SCHEMA)
WIDER["properties"] |= {f"aspect{at}": {"type": "string"} for at in range(6)}
WIDER["required"] = list(WIDER["properties"])


def try_rows(catalog: Enriched, rows: int) -> None:
    declared = catalog.read()
    with opened(declared, recipe_of(declared)) as source:
        chosen = trying.choose(declared, source, rows)
    assert trying.send(declared, chosen.items, trying.run_name(declared)).rejected == ()
    catalog.service.finish()


def is_inside(plan: dict[str, Any], billed: int) -> bool:
    """Whether a bill lies in the plan's interval."""
    return Decimal(plan["low_usd"]) * 10**9 <= billed <= Decimal(plan["high_usd"]) * 10**9


def billed(catalog: Enriched, **wish: Any) -> int:
    """What a run costs, in nano-dollars, by the API's own meter."""
    before = int(catalog.service.api.meter()["nano"])
    assert catalog.run(approved=True, **wish).state in ("complete", "partial")
    return int(catalog.service.api.meter()["nano"]) - before


def test_answers_to_another_schema_teach_nothing_about_this_one(catalog: Enriched) -> None:
    catalog.write(shop(60))
    first = catalog.plan()
    assert first["how"] == "assumed"
    assert is_inside(first, billed(catalog))
    (catalog.directory / "answer.json").write_text(json.dumps(WIDER))
    changed = catalog.plan()
    assert changed["reasons"]["schema"]["how"] == "assumed"
    assert "not known yet" in changed["reasons"]["schema"]["answers"]
    said = read_command(app, "enrich", str(catalog.directory / "shop.toml"), "--dry-run")
    assert "not known yet, since nothing has answered this prompt and schema" in said
    assert is_inside(changed, billed(catalog))


def test_tried_rows_are_the_first_that_is_known_of_a_changed_prompt(catalog: Enriched) -> None:
    catalog.write(shop(60))
    catalog.run(approved=True)
    catalog.declare(prompt="Describe for a child {{ name }} of {{ maker }}")
    (catalog.directory / "answer.json").write_text(json.dumps(WIDER))
    assert catalog.plan()["how"] == "assumed"
    try_rows(catalog, 20)
    plan = catalog.plan()
    (reason,) = (reason for name, reason in plan["reasons"].items() if name != "answered")
    assert (reason["how"], reason["answers"]) == ("learned", "learned from 20 answers to this prompt and schema")
    said = read_command(app, "enrich", str(catalog.directory / "shop.toml"), "--dry-run")
    assert "not known yet" not in said
    assert reason["rows"] + plan["reasons"]["answered"]["rows"] == 60
    assert is_inside(plan, billed(catalog))


def test_two_catalogs_in_a_lane_are_learned_by_themselves(catalog: Enriched) -> None:
    catalog.write(shop(60))
    catalog.run(approved=True)
    longer = Enriched(catalog.service, catalog.directory / "longer", catalog.declared | {})
    longer.directory.mkdir()
    longer.declare(model=f'{MODEL}"\nname = "longer')
    (longer.directory / "answer.json").write_text(json.dumps(WIDER))
    longer.write(shop(120))
    assert longer.plan()["how"] == "assumed", "what the other catalog was answered says nothing about this one"
    longer.run(approved=True)
    catalog.write(shop(90))
    plan = catalog.plan()
    assert plan["reasons"]["new"]["how"] == "learned"
    assert is_inside(plan, billed(catalog))


def test_what_was_tried_or_sent_by_a_stopped_run_is_not_priced_again(catalog: Enriched) -> None:
    catalog.declare(more="[pilot]\nrows = 10")
    catalog.write(shop(40))
    try_rows(catalog, 6)
    plan = catalog.plan()
    assert {name: reason["rows"] for name, reason in plan["reasons"].items()} == {"new": 34, "answered": 6}
    assert (plan["reasons"]["answered"]["usd"], plan["answered"]) == ("0", 6)
    assert "asked before" in read_command(app, "enrich", str(catalog.directory / "shop.toml"), "--dry-run")

    catalog.service.api.fault("item", "invalid_output", rate=1)
    stopped = catalog.run()
    assert stopped.state == "stopped"
    catalog.service.api.faults_are_over()
    sent = catalog.sent
    plan = catalog.plan()
    assert plan["answered"] == sent, "the pilot's rows too: good ones, and bad ones that come as they are"
    # the whole price is that of the rows that are really sent
    assert Decimal(plan["usd"]) > 0
    catalog.declare(more='[pilot]\nrows = 10\nmax_problems = "90%"')
    cost = billed(catalog)
    assert catalog.sent == 40
    assert is_inside(plan, cost)


def test_a_changed_row_that_was_tried_before_it_changed_is_sent(catalog: Enriched) -> None:
    catalog.write(shop(5))
    try_rows(catalog, 5)
    assert catalog.plan()["answered"] == 5
    catalog.write(shop(5, A1={"maker": "Other"}))
    plan = catalog.plan()
    assert {name: reason["rows"] for name, reason in plan["reasons"].items()} == {"new": 1, "answered": 4}
    assert Decimal(plan["usd"]) > 0
