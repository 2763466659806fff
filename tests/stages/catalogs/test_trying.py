"""Some rows are looked at before all of them, and are paid once."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from typer.testing import CliRunner

from overnight_models import routes
from overnight_models.wire.policy import LanePolicy, Policy
from overnight_workers import process
from overnight_workers.catalogs import trying
from overnight_workers.catalogs.compare import sides
from overnight_workers.catalogs.opened import opened
from overnight_workers.catalogs.reading import read_catalog
from overnight_workers.catalogs.recipe import recipe_of
from overnight_workers.catalogs.trying import Chosen
from overnight_workers.cli import app
from overnight_workers.settings import settings
from tests.driving import read_command
from tests.stages.catalogs.conftest import Enriched, Rows, shop


def of_all_lengths(number: int) -> Rows:
    rows = shop(number)
    for at, cells in enumerate(rows.values()):
        cells["maker"] = "Acme " * (at + 1)
    return rows


def tried(catalog: Enriched, rows: int) -> dict[str, Any]:
    """What the command prints once its rows are answered."""
    declared = read_catalog(catalog.directory / "shop.toml")
    with opened(declared, recipe_of(declared)) as source:
        chosen = trying.choose(declared, source, rows)
    assert trying.send(declared, chosen.items, trying.run_name(declared)).rejected == ()
    catalog.service.finish()
    file = str(catalog.directory / "shop.toml")
    return document_in(read_command(app, "catalog", "try", file, "--rows", str(rows), "--yes", "--json"))


def document_in(page: str) -> dict[str, Any]:
    """The JSON that comes after the news."""
    document: dict[str, Any] = json.loads(page[page.index("{\n") :])
    return document


def test_rows_of_every_length_are_tried_and_the_same_ones_each_time(catalog: Enriched) -> None:
    catalog.write(of_all_lengths(30))

    first = tried(catalog, 5)

    lengths = [len(row["prompt"]) for row in first["rows"]]
    assert len(lengths) == 5
    assert lengths == sorted(lengths)
    assert lengths[0] < 100 < lengths[-1]
    assert all(row["problem"] is None and '"title"' in row["answer"] for row in first["rows"])
    assert first["cost_usd"] == sum_of(first)
    assert tried(catalog, 5)["rows"] == first["rows"]
    assert catalog.sent == 5


def test_few_rows_have_one_of_the_longest_tenth_among_them(catalog: Enriched) -> None:
    rows = shop(200)
    for at, cells in enumerate(rows.values()):
        cells["maker"] = "Acme " * (200 if at >= 180 else 1)
    catalog.write(rows)
    declared = catalog.read()
    with opened(declared, recipe_of(declared)) as source:
        for wanted in (1, 2, 5, 9, 40):
            chosen = trying.choose(declared, source, wanted)
            assert len(chosen.items) == wanted
            assert len(trying.asked(chosen.items[-1].params)) > 900
        assert len(trying.choose(declared, source, 1_000).items) == 200


def sum_of(document: dict[str, Any]) -> str:
    return f"{sum(Decimal(row['cost_usd']) for row in document['rows']):f}"


def test_a_run_takes_tried_rows_for_nothing_and_publishes_them(catalog: Enriched) -> None:
    catalog.write(shop(12))
    tried(catalog, 4)

    run = catalog.run()

    assert run.state == "complete"
    assert len(catalog.published()) == 12
    assert catalog.sent == 12
    report = json.loads((catalog.directory / "shop.report.json").read_bytes())
    assert (report["counts"]["had_already"], report["bill"]["answers"]) == (4, 8)
    assert "4 of them were asked before" in (catalog.directory / "shop.report.html").read_text()
    assert "; 4 were asked before, for nothing now: $" in read_command(app, "runs", "show", run.name)


def test_rows_are_tried_in_real_time_where_the_lane_may_and_a_batch_is_said_with_its_time(
    catalog: Enriched, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog.write(shop(2))
    declared = read_catalog(catalog.directory / "shop.toml")
    assert not trying.in_real_time(declared, batch=False)
    assert trying.batch_words(declared, 2).startswith(
        "in a batch, which takes nobody knows how long: none has ended yet"
    )
    with monkeypatch.context() as real:
        # where Anthropic answers, public reports say something
        for name, workspace in settings().workspaces.items():
            real.setitem(settings().workspaces, name, replace(workspace, base_url="https://api.anthropic.com"))
        assert "in a batch, which may take 3 min as likely as not, " in trying.batch_words(declared, 2)
    catalog.service.configure(lane={"road": "by_deadline", "max_wait": "1h"})
    assert trying.in_real_time(declared, batch=False)
    assert not trying.in_real_time(declared, batch=True)
    assert "in a batch, which is sent within 1 h and takes nobody knows how long" in trying.batch_words(declared, 2)
    # the workers may have other settings than whoever types the command: what these have published is true
    published = Policy({"default": LanePolicy(max_wait_s=2.0)}, (), ())
    process.redis_client().set(routes.POLICY_KEY, published.dump())
    assert "in a batch, which is sent within 2.0 s and takes nobody" in trying.batch_words(declared, 2)
    process.redis_client().delete(routes.POLICY_KEY)
    with opened(declared, recipe_of(declared)) as source:
        items = trying.choose(declared, source, 2).items
    trying.send(declared, trying.urgent(items), trying.run_name(declared))
    catalog.service.round()
    assert [row.via for row in trying.tried(declared, Chosen(items, {i.key or "": "" for i in items}, [], 2))] == (
        ["direct"] * 2
    )


def test_the_page_shows_prompts_and_answers_and_escapes_them(catalog: Enriched) -> None:
    catalog.write(shop(3, A1={"maker": "<script>alert(1)</script>"}))

    document = tried(catalog, 3)

    page = (catalog.directory / "shop.tried.html").read_text()
    assert document["page"].endswith("shop.tried.html")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "about, for all 3 rows" in page
    assert "http" not in page.replace("http-equiv", "")  # nothing to fetch


def test_a_row_that_can_not_be_sent_is_named_and_the_others_are_tried(catalog: Enriched) -> None:
    catalog.write(shop(4, A2={"maker": ""}))

    document = tried(catalog, 4)

    assert len(document["rows"]) == 3
    assert [row["row"] for row in document["unsendable"]] == ["A2"]
    assert "maker" in document["unsendable"][0]["why"]


def compared(catalog: Enriched, *words: str, rows: int = 6) -> dict[str, Any]:
    """What `compare` prints once every side is answered."""
    declared = read_catalog(catalog.directory / "shop.toml")
    names = words[1].split(",")
    chosen = sides.models(declared, names) if words[0] == "--models" else sides.prompts(declared, names)
    with opened(declared, recipe_of(declared)) as source:
        trying.choose_rows(source, rows)
        items = [item for side in chosen for item in sides.asked(side, source).items.values()]
    trying.send(declared, items, "shop-compared")
    catalog.service.finish()
    file = str(catalog.directory / "shop.toml")
    return document_in(read_command(app, "compare", file, *words, "--rows", str(rows), "--yes", "--json"))


def test_two_prompts_are_compared_on_the_same_rows_and_paid_once(catalog: Enriched) -> None:
    catalog.declare(more='[prompts.longer]\nrow = "Describe at length, and with all that is known, {{ name }}."')
    catalog.write(shop(10))

    document = compared(catalog, "--prompts", "prompt,longer", "--gold", "title=maker")

    assert [(side["name"], side["rows"]) for side in document["sides"]] == [("prompt", 6), ("longer", 6)]
    (beside,) = document["beside"]
    assert beside["measure"] == "right"
    low, value, high = (Decimal(beside["dollars"][f"{name}_usd"]) for name in ("low", "value", "high"))
    assert low <= value <= high
    assert beside["sentence"].startswith("longer instead of prompt: ")
    assert set(beside["agreement"]) == {"title", "stars"}
    assert catalog.sent == 12
    page = (catalog.directory / "shop.compared.html").read_text()
    assert "Choose blind" in page
    assert "<b>A" in page, "a row is called by its key's cells"
    assert "[&#34;A" not in page
    assert "$0.00 " not in beside["sentence"]
    # the side that runs use is paid already
    assert catalog.run().state == "complete"
    assert catalog.sent == 16


def test_a_gold_field_that_answers_lack_is_refused_before_anything_is_paid(catalog: Enriched) -> None:
    catalog.write(shop(8))
    file = str(catalog.directory / "shop.toml")

    for gold, why in {
        "titel=maker": "answers have no field 'titel': did you mean title?",
        "title=makes": "the source has no column 'makes'",
        "title=": "--gold is FIELD=COLUMN",
    }.items():
        models = ("--models", "claude-haiku-5-5,claude-sonnet-5")
        refused = CliRunner().invoke(app, ["compare", file, *models, "--gold", gold, "--yes"])
        assert why in str(refused.exception), gold
    assert catalog.sent == 0


def test_two_models_that_answer_alike_are_no_difference_in_quality(catalog: Enriched) -> None:
    catalog.write(shop(8))

    document = compared(catalog, "--models", "claude-haiku-5-5,claude-sonnet-5")

    (beside,) = document["beside"]
    assert beside["adjusted_p"] == 1.0
    assert "no difference was seen in valid answers" in beside["sentence"]
    first, second = (Decimal(side["cost_a_row_usd"]) for side in document["sides"])
    assert second > first


def test_a_small_batch_is_said_to_take_as_long_as_the_few_before_it(catalog: Enriched) -> None:
    catalog.write(shop(4))
    tried(catalog, 2)
    said = trying.batch_words(catalog.read(), 2)
    assert "may take as long as the 1 batch so far: " in said
    assert "min" not in said.partition("so far: ")[2], (
        "the sandbox takes seconds, whatever others report of the real API"
    )


def test_what_was_tried_costs_nothing_and_the_commands_say_why(catalog: Enriched) -> None:
    catalog.write(shop(6))
    tried(catalog, 6)
    file = str(catalog.directory / "shop.toml")
    assert "nothing, since all of them were asked before" in read_command(
        app, "catalog", "try", file, "--rows", "6", "-y"
    )
    declared = catalog.read()
    both = sides.models(declared, [declared.model, "claude-sonnet-5"])
    with opened(declared, recipe_of(declared)) as source:
        trying.choose_rows(source, 6)
        items = [item for side in both for item in sides.asked(side, source).items.values()]
    assert trying.send(declared, items, trying.compared_run_name(declared)).rejected == ()
    catalog.service.finish()
    said = read_command(app, "compare", file, "--models", f"{declared.model},claude-sonnet-5", "--rows", "6", "--yes")
    assert said.count("nothing, since all of them were asked before") == 2
