"""The report of a run: as a page that needs no network, as JSON, and to a callback."""

from __future__ import annotations

import re
import stat
from decimal import Decimal
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from overnight_models.ledger.catalogs import reports as ledger
from overnight_models.ledger.operators.actions import By
from overnight_workers import process
from overnight_workers.catalogs import steering
from overnight_workers.catalogs.report import sending
from overnight_workers.cli import app
from tests.driving import item
from tests.stages.catalogs.conftest import Enriched, shop

REPORT_TO = '[report]\ntask = "shop.read_report"\nqueue = "shop.reports"'


def report(catalog: Enriched) -> dict[str, Any]:
    """That of the last run, from its file."""
    return dict(orjson.loads((catalog.directory / "shop.report.json").read_bytes()))


def test_a_report_says_what_went_in_what_came_out_and_what_it_cost(catalog: Enriched) -> None:
    catalog.write(shop(8))
    assert catalog.run().state == "complete"
    first = report(catalog)
    assert (first["run"], first["state"], first["rows"], first["sent"]) == ("shop-1", "complete", 8, 8)
    assert [(reason["words"], reason["rows"]) for reason in first["reasons"]] == [("new", 8)]
    assert first["counts"]["ok"] == 8
    assert Decimal(first["bill"]["usd"]) * 10**9 == catalog.service.api.meter()["nano"]
    assert Decimal(first["bill"]["saved_usd"]) == Decimal(first["bill"]["realtime_usd"]) / 2
    assert first["plan_beside_bill"]["billed_usd"] == first["bill"]["usd"]
    assert [step["state"] for step in first["steps"]] == ["planned", "sending", "retrying", "publishing"]
    assert sum(step["seconds"] for step in first["steps"]) == pytest.approx(first["seconds"], abs=0.1)
    assert first["progress"][-1]["rows"] == 8
    assert sum(part["rows"] for part in first["lengths"]["output"]) == 8
    assert [row["before"] for row in first["drawn"]] == [None] * 8
    assert all(row["now"]["title"] for row in first["drawn"])
    catalog.write(shop(9, A1={"maker": "Beta"}))
    catalog.run()
    second = report(catalog)
    assert [(reason["words"], reason["rows"]) for reason in second["reasons"]] == [("new", 1), ("row changed", 1)]
    drawn = {row["key"][0]: row for row in second["drawn"]}
    assert drawn["A8"]["before"] is None
    assert (drawn["A1"]["before"]["overnight_run"], drawn["A1"]["now"]["overnight_run"]) == ("1", "2")
    assert [(night["run"], night["sent"]) for night in second["nights"]] == [("shop-1", 8), ("shop-2", 2)]
    assert second["nights"][0]["usd"] == first["bill"]["usd"]


def test_the_page_fetches_nothing_is_private_and_escapes_what_stands_in_rows(catalog: Enriched) -> None:
    catalog.write({"<b>A0</b>": {"name": "<script>alert(1)</script>", "maker": "Acme"}})
    catalog.run()
    path = catalog.directory / "shop.report.html"
    page = path.read_text()
    assert "&lt;b&gt;A0&lt;/b&gt;" in page
    assert "<b>A0</b>" not in page
    assert re.findall(r"(?:src|href)\s*=\s*[\"'](?!#)[^\"']*", page) == []
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("<svg") == 4
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not [file for file in catalog.directory.iterdir() if file.name.endswith(".aside")]


def test_a_stopped_pilot_has_a_report_with_its_causes_and_its_small_bill(catalog: Enriched) -> None:
    catalog.declare(more="[pilot]\nrows = 20")
    catalog.write(shop(60))
    catalog.service.api.fault("item", "invalid_output", count=12)
    assert catalog.run().state == "stopped"
    stopped = report(catalog)
    assert stopped["state"] == "stopped"
    assert "the pilot has 12 problems in 20 rows" in stopped["reason"]
    assert sum(problem["rows"] for problem in stopped["problems"]) == 12
    assert len(stopped["problems"][0]["examples"]) == 3
    assert Decimal(stopped["bill"]["usd"]) * 10**9 == catalog.service.api.meter()["nano"]
    assert len(stopped["drawn"]) == 10
    assert {row["before"] for row in stopped["drawn"]} == {None}
    assert {"title", "overnight_problem"} <= {name for row in stopped["drawn"] for name in row["now"]}
    page = (catalog.directory / "shop.report.html").read_text().replace("'", "&#39;")
    assert "which isn&#39;t published" in page
    assert "<b>60</b>of 60 rows were to be sent" in page
    assert "<b>20</b>of them were sent" in page
    assert "Why rows were to be sent" in page


def test_runs_show_gives_the_kept_report_and_that_of_a_run_under_way(catalog: Enriched) -> None:
    catalog.write(shop(3))
    catalog.run()
    target = catalog.directory / "elsewhere.html"
    shown = CliRunner().invoke(app, ["runs", "show", "shop-1", "--html", str(target)])
    assert shown.exit_code == 0, shown.output
    assert target.read_text() == (catalog.directory / "shop.report.html").read_text()
    asked = CliRunner().invoke(app, ["runs", "show", "shop-1", "--json"])
    assert orjson.loads(asked.stdout)["report"] == report(catalog)
    catalog.write(shop(4))
    run = catalog.begin()
    catalog.finish(run, until="sending")
    under_way = orjson.loads(CliRunner().invoke(app, ["runs", "show", "shop-2", "--json"]).stdout)["report"]
    assert (under_way["state"], under_way["ended_at"], under_way["sent"]) == ("sending", None, 1)


def test_runs_show_of_a_name_that_items_were_enqueued_with_says_where_they_are(catalog: Enriched) -> None:
    catalog.service.accept(item("k1"), run="friday")
    asked = CliRunner().invoke(app, ["runs", "show", "friday"])
    assert asked.exit_code == 1
    assert "overnight items --run friday" in str(asked.exception)
    asked = CliRunner().invoke(app, ["runs", "show", "saturday"])
    assert "no catalog was ever run" in str(asked.exception)


def test_the_report_goes_to_the_callback_that_the_catalog_names(catalog: Enriched) -> None:
    catalog.declare(more=REPORT_TO)
    catalog.write(shop(2))
    catalog.run()
    redis = process.redis_client()
    (message,) = redis.lrange("shop.reports", 0, -1)
    envelope = orjson.loads(message)
    assert envelope["headers"]["task"] == "shop.read_report"
    assert envelope["headers"]["id"] == "report-shop-1"
    arguments, _, _ = orjson.loads(envelope["body"])
    assert arguments == [report(catalog)]


def test_a_report_whose_broker_is_away_ends_the_run_and_is_sent_by_a_worker_later(catalog: Enriched) -> None:
    catalog.declare(more=REPORT_TO)
    catalog.write(shop(2))
    redis = process.redis_client()
    redis.set("shop.reports", "isn't a list, so a message is turned down")
    assert catalog.run().state == "complete"
    with process.database().transaction() as connection:
        assert len(ledger.unsent(connection)) == 1
    redis.delete("shop.reports")
    assert sending.send_all() == 1
    assert sending.send_all() == 0
    assert redis.llen("shop.reports") == 1


def test_a_person_who_stops_a_run_gets_its_report(catalog: Enriched) -> None:
    catalog.write(shop(3))
    run = catalog.begin()
    steering.stop(run.name, By("a person"))
    assert catalog.finish(run).state == "stopped"
    assert report(catalog)["reason"] == "a person stopped it"


def test_drawn_rows_of_a_table_show_what_each_variant_had(catalog: Enriched) -> None:
    declaration = catalog.directory / "shop.toml"
    sink = f'[sink]\ntable = "described"\nurl = "sqlite:///{catalog.directory}/shop.db"'
    variants = '[variants]\nde = {language = "German"}\nfr = {language = "French"}'
    prompt = "In {{ variant.language }}: {{ name }} of {{ maker }}"
    for maker in ("Acme", "Beta"):
        catalog.declare(prompt=prompt, more=variants)
        declaration.write_text(declaration.read_text().replace('[sink]\npath = "out.csv"', sink))
        catalog.write(shop(1, A0={"maker": maker}))
        assert catalog.run().state == "complete"
    drawn = {row["variant"]: row for row in report(catalog)["drawn"]}
    assert drawn.keys() == {"de", "fr"}
    assert [(row["before"]["overnight_run"], row["now"]["overnight_run"]) for row in drawn.values()] == [(1, 2)] * 2
    assert "German" in drawn["de"]["now"]["title"]
