"""Redo: what failed or was canceled is tried again, by its product or an operator, with the same content or another."""

from __future__ import annotations

from decimal import Decimal

import orjson
import pytest

from overnight_models.money.prices import load
from overnight_models.request.worst_case import ADDED_TOKENS
from overnight_producers import Overnight, Rejected, UnknownItem, task
from overnight_workers.cli import app
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.submit.submit import submit
from tests.driving import MODEL, Service, callback, item, params, read_command
from tests.service.ledger import Json
from tests.stages.product.conftest import take_in, taking_in

SAVE = task("shop.save", queue="shop")


def outcomes_in(service: Service, queue: str = "shop") -> list[Json]:
    """The oldest first."""
    return [orjson.loads(message["body"])[0][0] for message in reversed(service.queue(queue))]


def test_the_same_again_has_the_same_receipt_and_another_delivery_id(service: Service, product: Overnight) -> None:
    asked = params("Say it", fault="refused:1")
    receipt = product.enqueue(asked, key="a", run="r", tenant="ada", callback=SAVE)
    take_in(service)
    service.finish()
    first = product.outcome(receipt)
    assert first is not None
    assert first.problem == "refused"
    again = product.redo(receipt)
    assert again.item_id == receipt.item_id
    assert product.redo(key="a").item_id == receipt.item_id, "called again, it is tried again once"
    assert product.outcome(receipt) is None, "the receipt stands for the new try"
    service.finish()
    second = product.outcome(receipt)
    assert second is not None
    assert (second.ok, second.run, second.tenant, second.attempts) == (True, "r", "ada", 2)
    assert second.earlier_cost_usd == first.cost_usd
    outcomes = outcomes_in(service)
    assert [outcome["ok"] for outcome in outcomes] == [False, True]
    assert outcomes[0]["delivery_id"] != outcomes[1]["delivery_id"]
    assert service.ledger.states("item") == ["redone", "succeeded"]
    assert product.run("r") == {"succeeded": 1}
    assert [outcome.ok for outcome in product.outcomes(run="r")] == [True]
    meter = service.api.meter()
    assert sum(row["cost_nano"] for row in service.ledger.fetch_all("SELECT cost_nano FROM bill")) == meter["nano"]


def test_corrected_content_takes_the_place_and_the_wishes_stay(service: Service, product: Overnight) -> None:
    receipt = product.enqueue(params("Wrong", fault="refused"), key="a", run="r", trace_id="t", callback=SAVE)
    take_in(service)
    service.finish()
    with taking_in(service):
        again = product.redo(receipt, params=params("Right"))
    assert (again.item_id, again.key) == (receipt.item_id, "a")
    service.finish()
    outcome = product.outcome(receipt)
    assert outcome is not None
    assert (outcome.ok, outcome.run, outcome.trace_id, outcome.key) == (True, "r", "t", "a")
    assert len(outcomes_in(service)) == 2
    assert service.accept(item("a", "Right", trace_id="t", callback=callback()), run="r")["known"] == 1
    why = service.accept(item("a", params=params("Wrong", fault="refused")))["rejected"][0]["why"]
    assert "other content" in why


@pytest.mark.parametrize("corrected", [None, params("Right")])
def test_only_what_failed_or_was_canceled_is_tried_again(
    service: Service, product: Overnight, corrected: Json | None
) -> None:
    service.accept(item("good"), item("waits"))
    service.ledger.execute("UPDATE lane SET paused_at = NULL")
    with pytest.raises(Rejected, match="isn't final"):
        product.redo(key="waits", params=corrected)
    service.finish()
    with pytest.raises(Rejected, match="has its answer"):
        product.redo(key="good", params=corrected)
    with pytest.raises(UnknownItem):
        product.redo(key="nobody's", params=corrected)
    assert service.ledger.states("item") == ["succeeded", "succeeded"]


def test_what_was_taken_back_can_be_tried_again(service: Service, product: Overnight) -> None:
    receipt = product.enqueue(params("Yes"), key="a")
    take_in(service)
    product.cancel(receipt)
    product.redo(receipt)
    service.finish()
    assert product.wait(receipt, timeout=60).ok


def test_a_late_answer_of_the_old_try_is_billed_and_not_taken_for_the_new_one(service: Service) -> None:
    service.accept(item("a"))
    pack()
    service.api.fault("create", "lose_answer", count=1)
    submit()
    service.ledger.execute("UPDATE item SET state = 'failed'")
    service.ledger.execute(
        "INSERT INTO outcome (item_id, ok, problem, retryable, cost_nano, realtime_nano, attempts, via)"
        " SELECT id, false, 'given_up', true, 0, 0, 1, 'batch' FROM item"
    )
    read_command(app, "redo", "--key", "a", "--yes")
    service.finish()
    for _ in range(3):
        service.clock.pauses_are_over()
        service.round()
    assert service.ledger.states("item") == ["redone", "succeeded"]
    assert len(service.ledger.fetch_all("SELECT 1 FROM bill")) == service.api.meter()["billed"] == 2


def test_a_conflict_with_what_failed_says_how_to_try_it_again(service: Service) -> None:
    service.accept(item("a", fault="refused"))
    service.finish()
    (fault,) = service.accept(item("a", "Corrected"))["rejected"]
    assert "redo(key='a', params=...)" in fault["why"]
    verdict = service.accept(item("a", "Corrected", if_known="redo"), item("b", if_known="redo"))
    assert (verdict["accepted"], verdict["redone"]) == (2, 1)
    service.finish()
    assert sorted(service.ledger.states("item")) == ["redone", "succeeded", "succeeded"]


def test_the_command_says_how_many_and_what_it_may_cost_and_does_it(service: Service) -> None:
    service.accept(*(item(f"r{n}", fault="refused:1") for n in range(3)), run="r")
    service.accept(item("e", fault="errored:invalid_request_error"), run="s")
    service.finish()
    printed = orjson.loads(read_command(app, "redo", "--run", "r", "--dry-run", "--json"))
    assert (printed["items"], printed["redone"]) == (3, 0)
    assert Decimal(printed["most_usd"]) > Decimal(printed["billed_usd"]) > 0
    assert "3 items" in read_command(app, "redo", "--run", "r", "--yes")
    service.finish()
    assert sorted(service.ledger.states("item")) == ["failed", *["redone"] * 3, *["succeeded"] * 3]
    assert orjson.loads(read_command(app, "redo", "--problem", "errored", "--dry-run", "--json"))["items"] == 1
    assert "nothing failed" in read_command(app, "redo", "--run", "r")
    earlier = service.ledger.fetch_one("SELECT sum(cost_before_nano) AS nano FROM redo")["nano"]
    assert Decimal(printed["billed_usd"]).scaleb(9) == earlier


def test_what_fails_again_is_tried_once_by_one_command(service: Service) -> None:
    service.accept(item("a", fault="refused"))
    service.finish()
    read_command(app, "redo", "--all", "--yes")
    deliver()
    service.finish()
    assert service.ledger.states("item") == ["redone", "failed"]


@pytest.mark.parametrize(("road", "times"), [("batch", 1), ("direct", 2)])
def test_what_it_may_cost_is_by_the_road_that_it_takes_again(service: Service, road: str, times: int) -> None:
    service.configure(lane={"road": road})
    service.accept(item("a", fault="refused:1"))
    service.finish()
    printed = orjson.loads(read_command(app, "redo", "--key", "a", "--yes", "--json"))
    model, own = load().models[MODEL], service.ledger.fetch_one("SELECT size, max_tokens FROM item LIMIT 1")
    worst = (own["size"] + ADDED_TOKENS) * max(model.rates.write_1h, model.rates.input)
    most_nano = Decimal(printed["most_usd"]) * 10**9
    least = (worst + own["max_tokens"] * model.rates.output) / 2
    assert least * times <= most_nano <= Decimal("1.2") * Decimal(float(least)) * times
    service.finish()
    assert service.ledger.fetch_one("SELECT via FROM whole_outcome ORDER BY item_id DESC LIMIT 1")["via"] == road
