"""Answers that are of no use: asked again, reported, or a reason to stop before it costs much."""

from __future__ import annotations

from tests.stages.catalogs.conftest import Enriched, shop


def test_an_invalid_answer_is_asked_again_with_the_error_and_a_cut_off_one_with_more_room(catalog: Enriched) -> None:
    catalog.write(shop(6))
    catalog.service.api.fault("item", "invalid_output", count=1)
    assert catalog.run().state == "complete"
    assert catalog.sent == 7
    catalog.service.api.fault("item", "cut_off", count=1)
    catalog.write(shop(6, A1={"maker": "Beta"}))
    assert catalog.run().state == "complete"
    assert catalog.sent == 9
    assert [row["overnight_problem"] for row in catalog.published()] == [""] * 6
    asked = catalog.service.ledger.fetch_all(
        "SELECT params, max_tokens FROM redo JOIN item ON item.id = redo.item_id JOIN request USING (item_id)"
    )
    assert sorted(row["max_tokens"] for row in asked) == [200, 400]
    assert [row for row in asked if "That is not what was asked for" in row["params"]] != []


def test_a_refusal_is_reported_and_never_asked_again_as_it_is(catalog: Enriched) -> None:
    catalog.write(shop(5))
    catalog.service.api.fault("item", "refused", count=1)
    run = catalog.run()
    assert (run.state, catalog.sent) == ("complete", 5)
    assert [row["overnight_problem"] for row in catalog.published()].count("refused") == 1
    page = (catalog.directory / "shop.problems.html").read_text()
    assert "1 x refused" in page
    assert "The model didn&#39;t want to answer." in page
    assert "What to do:" in page
    assert page.count("<pre>Describe ") == 1, "what was asked stands beside what came"
    assert (catalog.directory / "shop.problems.parquet").exists()
    assert catalog.plan()["send"] == 0
    assert catalog.plan(retry_failed=True)["send"] == 0
    assert catalog.run().state == "complete"
    assert not (catalog.directory / "shop.problems.html").exists()


def test_a_bad_pilot_stops_the_run_with_its_small_bill(catalog: Enriched) -> None:
    catalog.declare(more="[pilot]\nrows = 20")
    catalog.write(shop(60))
    catalog.service.api.fault("item", "invalid_output", count=12)
    run = catalog.run()
    assert run.state == "stopped"
    assert "the pilot has 12 problems in 20 rows (39% to 78% of all" in str(run.reason)
    assert catalog.sent == 20
    assert not (catalog.directory / "out.csv").exists()
    assert "12 x invalid_output" in (catalog.directory / "shop.problems.html").read_text()


def test_what_a_stopped_pilot_left_is_taken_by_the_next_run_and_judged_by_no_pilot(catalog: Enriched) -> None:
    catalog.declare(more="[pilot]\nrows = 20")
    catalog.write(shop(50))
    catalog.service.api.fault("item", "invalid_output", count=12)
    assert catalog.run().state == "stopped"
    catalog.service.api.faults_are_over()
    assert catalog.run().state == "complete"
    assert catalog.sent == 50, "what was answered is paid, and comes for nothing"
    problems = [row["overnight_problem"] for row in catalog.published()]
    assert (problems.count("invalid_output"), problems.count("")) == (12, 38)
    assert catalog.run(retry_failed=True).state == "complete"
    assert catalog.sent == 62
    assert [row["overnight_problem"] for row in catalog.published()] == [""] * 50


def test_what_is_over_the_cap_is_not_sent_and_the_run_is_partial(catalog: Enriched) -> None:
    catalog.declare(more="[caps]\nmax_cost = 0.00035\n[pilot]\nrows = 0")
    catalog.write(shop(20))
    run = catalog.run()
    assert run.state == "partial"
    assert "are over the cap" in str(run.reason)
    assert 0 < catalog.sent < 20
    assert catalog.service.api.meter()["nano"] <= 350_000


def test_a_night_that_has_spent_its_cap_and_a_row_that_may_cost_too_much(catalog: Enriched) -> None:
    catalog.declare(more="[caps]\nmax_cost_a_row = 0.0001")
    catalog.write(shop(2))
    run = catalog.run()
    assert (run.state, catalog.sent) == ("complete", 0)
    assert "caps.max_cost_a_row is $0.0001" in (catalog.directory / "shop.problems.html").read_text()
    catalog.declare(more="[caps]\nmax_cost_a_night = 0.01")
    catalog.write(shop(3, A0={"maker": "Beta"}, A1={"maker": "Beta"}))
    assert catalog.run().state == "complete"
    catalog.declare(more="[caps]\nmax_cost_a_night = 0.00001")
    catalog.write(shop(3, A0={"maker": "Gamma"}))
    stopped = catalog.run()
    assert stopped.state == "stopped"
    assert "caps.max_cost_a_night leaves $0" in str(stopped.reason)
    assert catalog.sent == 3
