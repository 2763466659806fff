"""Keys that are there already: the same item, a conflict that says so, or the known outcome for somebody else too."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from overnight_producers import Overnight, Rejected, task
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.rescue import sweep
from tests.driving import Service, callback, item, params
from tests.service.ledger import Json
from tests.stages.product.conftest import take_in

OTHERS: list[tuple[str, dict[str, Any]]] = [
    ("callback", {"callback": callback("crm")}),
    ("callback", {"callback": None}),
    ("tenant", {"tenant": "bob"}),
    ("trace_id", {"trace_id": "t2"}),
]


def first(**more: Any) -> Json:
    return item("a", "The same", **{"callback": callback(), "tenant": "ada", "trace_id": "t1", **more})


def outcomes_in(service: Service, queue: str) -> list[Json]:
    return [orjson.loads(message["body"])[0][0] for message in service.queue(queue)]


@pytest.mark.parametrize(("what", "more"), OTHERS)
def test_the_same_with_another_wish_is_a_conflict_that_names_it(
    service: Service, what: str, more: dict[str, Any]
) -> None:
    service.accept(first(), run="r")
    verdict = service.accept(first(**more), run="r")
    assert (verdict["accepted"], verdict["known"]) == (0, 0)
    assert f"with another {what}:" in verdict["rejected"][0]["why"]
    assert 'if_known="deliver"' in verdict["rejected"][0]["why"]


def test_another_run_is_a_conflict_and_the_same_of_everything_is_free(service: Service) -> None:
    service.accept(first(), run="r")
    assert "with another run:" in service.accept(first(), run="s")["rejected"][0]["why"]
    again = first(callback=dict(reversed(callback().items())))
    assert service.accept(again, run="r") == {"accepted": 0, "known": 1, "rejected": []}
    assert service.ledger.states("item") == ["waiting"]


def test_a_known_outcome_is_delivered_to_the_new_callback_at_once(service: Service, product: Overnight) -> None:
    service.accept(first(), run="r")
    service.finish()
    receipt = product.enqueue(
        params("The same"), key="a", run="s", callback=task("crm.save", queue="crm"), if_known="deliver"
    )
    assert [verdict["delivered"] for verdict in take_in(service)] == [1]
    confirmation = product.confirm(receipt)
    assert (confirmation.accepted, confirmation.known, confirmation.delivered) == (0, 1, 1)
    deliver()
    (got,) = outcomes_in(service, "crm")
    (before,) = outcomes_in(service, "shop")
    assert got["item_id"] == receipt.item_id != before["item_id"]
    assert (got["run"], got["tenant"], got["key"], got["ok"]) == ("s", None, "a", True)
    assert got["message"] == before["message"]
    assert got["delivery_id"] != before["delivery_id"]
    assert (got["cost_usd"], service.api.meter()["billed"]) == ("0", 1), "it is paid once"
    assert product.run("s") == {"succeeded": 1}
    own = product.outcome(receipt)
    assert own is not None
    assert own.item_id == receipt.item_id


def test_one_that_is_not_finished_is_delivered_to_both_when_it_is(service: Service) -> None:
    service.accept(first(), run="r")
    pack()
    verdict = service.accept(first(callback=callback("crm"), if_known="deliver"), run="r")
    assert (verdict["known"], verdict["delivered"]) == (1, 1)
    assert service.ledger.states("item") == ["batched", "following"]
    service.finish()
    assert service.ledger.states("item") == ["succeeded", "succeeded"]
    assert [len(service.queue(queue)) for queue in ("shop", "crm")] == [1, 1]
    assert service.api.meter()["requests"] == 1


@pytest.mark.parametrize("fault", ["refused", "errored:invalid_request_error"])
def test_whatever_the_outcome_is_both_get_it(service: Service, fault: str) -> None:
    service.accept(item("a", "The same", fault=fault, callback=callback()))
    service.accept(item("a", "The same", fault=fault, callback=callback("crm"), if_known="deliver"))
    service.finish()
    problems = [outcomes_in(service, queue)[0]["problem"] for queue in ("shop", "crm")]
    assert problems[0] == problems[1] is not None
    assert service.ledger.states("item") == ["failed", "failed"]


def test_a_retry_of_the_same_wish_is_free_and_comes_with_the_same_delivery_id(service: Service) -> None:
    service.accept(first())
    service.finish()
    wish = {"callback": callback("crm"), "if_known": "deliver"}
    service.accept(first(**wish))
    deliver()
    again = first(**wish)
    assert service.accept(again)["stand_for"] == {
        again["id"]: str(service.ledger.fetch_one("SELECT receipt FROM follower")["receipt"])
    }
    deliver()
    assert len(service.ledger.states("item")) == 2
    assert len({outcome["delivery_id"] for outcome in outcomes_in(service, "crm")}) == 1
    assert len(service.queue("crm")) == 2


def test_the_same_wishes_and_deliver_sends_a_delivered_outcome_again(service: Service) -> None:
    service.accept(first())
    service.finish()
    assert service.accept(first(if_known="deliver"))["delivered"] == 1
    deliver()
    assert len({outcome["delivery_id"] for outcome in outcomes_in(service, "shop")}) == 1
    assert len(service.queue("shop")) == 2


def test_with_other_content_it_is_a_conflict_whatever_was_asked(service: Service) -> None:
    service.accept(first())
    verdict = service.accept(item("a", "Another text", callback=callback("crm"), if_known="deliver"))
    assert "other content" in verdict["rejected"][0]["why"]


def test_canceling_the_second_wish_cancels_nothing_of_the_first(service: Service, product: Overnight) -> None:
    product.enqueue(params("The same"), key="a", callback=task("shop.save", queue="shop"))
    second = product.enqueue(params("The same"), key="a", callback=task("crm.save", queue="crm"), if_known="deliver")
    take_in(service)
    assert product.cancel(second) == "canceled"
    service.finish()
    assert service.ledger.states("item") == ["succeeded", "canceled"]
    assert [len(service.queue(queue)) for queue in ("shop", "crm")] == [1, 0]


def test_when_the_first_is_taken_back_the_second_is_told(service: Service, product: Overnight) -> None:
    receipt = product.enqueue(params("The same"), key="a")
    product.enqueue(params("The same"), key="a", callback=task("crm.save", queue="crm"), if_known="deliver")
    take_in(service)
    assert product.cancel(receipt) == "canceled"
    deliver()
    assert [outcome["problem"] for outcome in outcomes_in(service, "crm")] == ["canceled"]


def test_one_that_was_overlooked_is_answered_by_the_sweep(service: Service) -> None:
    service.accept(first())
    service.accept(first(callback=callback("crm"), if_known="deliver"))
    service.ledger.execute("UPDATE follower SET of_item_id = 0")
    service.round()
    service.ledger.execute("UPDATE follower SET of_item_id = (SELECT min(id) FROM item)")
    sweep()
    deliver()
    assert len(service.queue("crm")) == 1


def test_a_receipt_of_another_wish_that_was_turned_down_says_why(service: Service, product: Overnight) -> None:
    product.enqueue(params("The same"), key="a", tenant="ada")
    other = product.enqueue(params("The same"), key="a", tenant="bob")
    take_in(service)
    for ask in (product.confirm, product.outcome, product.wait, product.cancel):
        with pytest.raises(Rejected, match="with another tenant"):
            ask(other)
