"""The test kit: what a product's tests see of its items, and what its callbacks get."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Literal, cast, get_args

import pytest
from celery import Celery
from pydantic import BaseModel

from overnight_models.ledger import documents
from overnight_models.wire.policy import LanePolicy
from overnight_producers import (
    AsyncOvernight,
    BadItem,
    Item,
    NotFinished,
    Outcome,
    Overnight,
    Problem,
    Rejected,
    UnknownItem,
    callback,
    follow_up,
    task,
    verify,
    webhook,
)
from overnight_producers.testing import Failure, Kit, take_over
from tests.driving import params

shop = Celery("shop", broker="redis://127.0.0.1:1/0", set_as_current=False)
shop.conf.task_default_queue = "shop"
overnight_at_import = Overnight("redis://127.0.0.1:1/0")
saved: list[tuple[Outcome, str]] = []


@shop.task(name="kit.save", shared=False)
@callback(ack=True)
def save(outcome: Outcome, *, sku: str) -> str:
    saved.append((outcome, sku))
    if sku == "bad":
        raise ValueError("the shop is closed")
    return f"saved {sku}"


class Copy(BaseModel):
    title: str
    stars: Literal[1, 2, 3]


@pytest.fixture
def kit() -> Iterator[Kit]:
    saved.clear()
    with take_over() as kit:
        yield kit


def describe(sku: str, **more: Any) -> None:
    overnight_at_import.enqueue(
        params(f"Describe {sku}"), lane="copy", key=f"describe:{sku}", callback=save.s(sku=sku), **more
    )


def test_an_object_that_was_made_at_import_time_needs_no_server(kit: Kit) -> None:
    describe("A1")
    item = kit.enqueued(lane="copy", key="describe:A1", callback="kit.save", text="Describe A1")
    delivery = kit.deliver(item, "A red kettle.")
    assert (delivery.result, delivery.acknowledged) == ("saved A1", True)
    ((outcome, sku),) = saved
    assert (outcome.ok, outcome.text, sku, outcome.lane) == (True, "A red kettle.", "A1", "copy")
    assert outcome.cost_usd is not None
    assert 0 < outcome.cost_usd < (outcome.realtime_cost_usd or 0)


def test_a_failing_assertion_lists_what_was_enqueued(kit: Kit) -> None:
    describe("A1", run="r")
    with pytest.raises(AssertionError) as missing:
        kit.enqueued(key="describe:B2")
    assert str(missing.value) == (
        "no item with key='describe:B2' was enqueued. 1 item was:\n"
        "  - lane 'copy', key 'describe:A1', run 'r', waiting, kit.save on queue shop: 'Describe A1'"
    )
    describe("C3")
    with pytest.raises(AssertionError, match=r"2 items with lane='copy' were enqueued; say which:"):
        kit.enqueued(lane="copy")
    with pytest.raises(AssertionError, match=r"1 item with text='A1' was enqueued:\n  - lane 'copy'"):
        kit.not_enqueued(text="A1")
    kit.not_enqueued(lane="chat")


def test_only_what_a_block_enqueued(kit: Kit) -> None:
    describe("A1")
    with kit.capture() as enqueued:
        describe("B2")
    describe("C3")
    assert [item.key for item in enqueued] == ["describe:B2"]
    enqueued.not_enqueued(key="describe:C3")
    with kit.capture() as enqueued:
        pass
    enqueued.not_enqueued()


def test_what_enqueue_would_turn_down_is_turned_down(kit: Kit) -> None:
    with pytest.raises(BadItem, match="did you mean"):
        overnight_at_import.enqueue({**params(), "max_token": 5})
    with pytest.raises(BadItem, match="model"):
        overnight_at_import.enqueue({**params(), "model": "claude-nobody"})
    with pytest.raises(BadItem, match="on another broker"):
        Overnight("redis://elsewhere:6379/0").enqueue(params(), callback=save.s(sku="A1"))
    kit.not_enqueued()


def test_lanes_that_are_named_are_the_only_ones() -> None:
    with take_over({"copy": LanePolicy(callbacks=("kit.*",))}) as kit:
        describe("A1")
        with pytest.raises(BadItem, match="there is no lane 'default': the configuration has copy"):
            overnight_at_import.enqueue(params())
        with pytest.raises(BadItem, match=r"doesn't allow the callback 'mail\.send'"):
            overnight_at_import.enqueue(params(), lane="copy", callback=task("mail.send", queue="mail"))
        assert len(kit) == 1


def test_a_url_in_the_place_of_a_webhooks_name_is_refused(kit: Kit) -> None:
    with pytest.raises(BadItem, match="never a URL"):
        overnight_at_import.enqueue(params(), callback=webhook("https://shop.example/overnight"))
    assert len(kit) == 0


def test_arguments_that_are_no_dict_are_refused_by_their_name() -> None:
    with pytest.raises(TypeError, match=r"`context` must be a dict, .* not str"):
        webhook("shop", context=cast(Any, "A1"))
    with pytest.raises(TypeError, match=r"`kwargs` must be a dict, .* not list"):
        task("shop.save", queue="shop", kwargs=cast(Any, ["A1"]))


def test_a_problem_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match="'refusd' is no problem of an outcome: there are refused, cut_off"):
        Failure(cast(Problem, "refusd"))


@pytest.mark.parametrize("problem", get_args(Problem))
def test_every_problem_arrives_as_such(kit: Kit, problem: Problem) -> None:
    describe("A1", output=Copy)
    kit.deliver(kit.enqueued(), Failure(problem))
    ((outcome, _),) = saved
    assert (outcome.ok, outcome.problem) == (False, problem)
    assert outcome.detail
    paid = problem in ("cut_off", "invalid_output")
    assert (outcome.message is not None) == (paid or problem == "refused")
    assert bool(outcome.cost_usd) >= paid
    assert kit[0].state == ("canceled" if problem == "canceled" else "failed")


def test_an_answer_that_would_be_a_problem_says_so(kit: Kit) -> None:
    describe("A1", output=Copy)
    with pytest.raises(AssertionError, match=r"would be invalid_output: /stars: 7 is none of \[1, 2, 3\]"):
        kit.deliver(kit[0], {"title": "Kettle", "stars": 7})
    with pytest.raises(AssertionError, match="isn't JSON"):
        kit.deliver(kit[0], "A kettle.")
    kit.deliver(kit[0], Copy(title="Kettle", stars=3))
    assert saved[0][0].parse(Copy).stars == 3


def test_twice_is_the_same_outcome_and_another_never_comes(kit: Kit) -> None:
    describe("A1")
    kit.deliver(kit[0], "A kettle.")
    kit.deliver(kit[0])
    first, second = (outcome for outcome, _ in saved)
    assert first == second
    assert first.delivery_id is not None
    with pytest.raises(AssertionError, match="it has its outcome"):
        kit.deliver(kit[0], "Another.")


def test_late_and_in_another_order(kit: Kit) -> None:
    describe("A1", deadline=timedelta(hours=2))
    describe("B2")
    kit.deliver(kit[1], "second")
    kit.deliver(kit[0], "first", after="3h")
    assert [sku for _, sku in saved] == ["B2", "A1"]
    assert saved[1][0].late_s == pytest.approx(3600, abs=1)
    assert saved[0][0].late_s is None


def test_an_exception_of_the_callback_is_the_tests_and_acknowledges_nothing(kit: Kit) -> None:
    describe("bad")
    with pytest.raises(ValueError, match="the shop is closed"):
        kit.deliver(kit[0])
    assert kit.workers.acknowledged == []


def test_what_was_taken_back_has_a_whole_outcome_and_is_not_delivered(kit: Kit) -> None:
    receipt = overnight_at_import.enqueue(params(), key="k", tenant="t", callback=save.s(sku="A1"))
    assert overnight_at_import.cancel(receipt) == "canceled"
    outcome = overnight_at_import.wait(receipt)
    assert (outcome.problem, outcome.tenant, outcome.delivery_id is None) == ("canceled", "t", False)
    with pytest.raises(AssertionError, match="taken back by `cancel`"):
        kit.deliver(receipt)
    assert kit.drain() == [] == saved
    overnight_at_import.redo(receipt)
    kit.drain("A kettle.")
    assert [outcome.text for outcome, _ in saved] == ["A kettle."]
    with pytest.raises(TypeError, match="or a receipt, and not 'k'"):
        kit.deliver("k")  # type: ignore[arg-type]


def test_a_task_that_nobody_has_is_named(kit: Kit) -> None:
    overnight_at_import.enqueue(params(), callback=task("kit.sav", queue="shop"))
    with pytest.raises(AssertionError, match=r"has a task 'kit\.sav': import the module .* kit\.save"):
        kit.deliver(kit[0])


def test_what_is_asked_afterwards_is_answered(kit: Kit) -> None:
    receipt = overnight_at_import.enqueue(params(), key="k", run="r")
    assert overnight_at_import.confirm(receipt).accepted == 1
    assert overnight_at_import.outcome(receipt) is None
    with pytest.raises(NotFinished, match="deliver"):
        overnight_at_import.wait(receipt)
    with pytest.raises(UnknownItem):
        overnight_at_import.outcome(key="nobody's")
    kit.deliver(receipt, Failure("errored"))
    assert overnight_at_import.wait(receipt).problem == "errored"
    assert overnight_at_import.run("r") == {"failed": 1}
    assert [outcome.key for outcome in overnight_at_import.outcomes(run="r", problem="any")] == ["k"]
    overnight_at_import.redo(receipt)
    assert overnight_at_import.unfinished("r") == 1
    assert kit.deliver(receipt, "At last.").outcome.delivery_id != overnight_at_import.wait(receipt).item_id
    assert overnight_at_import.cancel(receipt) == "too_late"


def test_the_same_key_again_is_as_in_the_service(kit: Kit) -> None:
    describe("A1")
    again = overnight_at_import.enqueue(
        params("Describe A1"), lane="copy", key="describe:A1", callback=save.s(sku="A1")
    )
    assert overnight_at_import.confirm(again).known == 1
    other = overnight_at_import.enqueue(params("Other"), lane="copy", key="describe:A1")
    with pytest.raises(Rejected, match="other content"):
        overnight_at_import.confirm(other)
    describe("A1", if_known="deliver", tenant="t")
    kit.drain("A kettle.")
    assert [(outcome.tenant, outcome.text) for outcome, _ in saved] == [(None, "A kettle."), ("t", "A kettle.")]


def test_drain_makes_answers_of_schemas_and_follows_chains(kit: Kit) -> None:
    steps: list[str] = []

    @shop.task(name="kit.step", shared=False)
    @callback
    def step(outcome: Outcome, *, asked: dict[str, object]) -> None:
        steps.append(outcome.text)
        if outcome.tool_calls:
            results = {str(call["id"]): "12 left" for call in outcome.tool_calls}
            after = follow_up(outcome, asked, results=results)
            overnight_at_import.enqueue(after, callback=step.s(asked=after))

    asked = params("How many kettles?")
    overnight_at_import.enqueue(asked, callback=step.s(asked=asked))
    describe("A1", output=Copy)
    call: list[object] = [{"type": "tool_use", "id": "toolu_1", "name": "stock", "input": {}}]
    done = kit.drain(lambda item: call if item.prompt == "How many kettles?" else None)
    assert [delivery.item.state for delivery in done] == ["succeeded"] * 3
    assert saved[0][0].parse(Copy) == Copy(title="made-up title", stars=1)
    assert steps == ["", "A made-up answer."]
    shop.tasks.pop("kit.step")


def test_drain_is_for_as_many_as_there_are_and_ends_where_callbacks_go_on_for_ever(kit: Kit) -> None:
    overnight_at_import.enqueue_many(Item(params=params()) for _ in range(1_100))
    assert len(kit.drain()) == 1_100

    @shop.task(name="kit.endless", shared=False)
    @callback
    def endless(outcome: Outcome) -> None:
        overnight_at_import.enqueue(params(), callback=endless.s())

    overnight_at_import.enqueue(params(), callback=endless.s())
    with pytest.raises(AssertionError, match="without an end"):
        kit.drain()
    shop.tasks.pop("kit.endless")


def test_many_items_with_a_prefix_arrive_whole(kit: Kit) -> None:
    system = "You describe things in a shop. " * 100
    items = [Item(params=params(f"thing {n}", system=system)) for n in range(3)]
    overnight_at_import.enqueue_many(items)
    assert [item.params["system"] for item in kit] == [system] * 3
    assert [item.prompt for item in kit] == ["thing 0", "thing 1", "thing 2"]


def test_in_an_event_loop_too(kit: Kit) -> None:
    @shop.task(name="kit.awaited", shared=False)
    @callback(ack=True)
    async def awaited(outcome: Outcome) -> str:
        await asyncio.sleep(0)
        return outcome.text

    @shop.task(name="kit.chained", shared=False)
    @callback
    async def chained(outcome: Outcome, *, left: int) -> int:
        await asyncio.sleep(0)
        if left:
            await AsyncOvernight().enqueue(params(), callback=chained.s(left=left - 1))
        return left

    async def testing() -> None:
        overnight = AsyncOvernight()
        await overnight.enqueue(params(), callback=chained.s(left=2), run="chained")
        assert [delivery.result for delivery in await kit.drain()] == [2, 1, 0]
        receipt = await overnight.enqueue(params(), callback=awaited.s())
        waiting = asyncio.create_task(overnight.wait(receipt))
        await asyncio.sleep(0)
        assert (await kit.deliver(receipt, "A kettle.")).result == "A kettle."
        assert (await waiting).ok
        assert len(kit.workers.acknowledged) == 1

    asyncio.run(testing())
    assert kit.deliver(kit[-1]).result == "A kettle.", "without a loop as well"
    shop.tasks.pop("kit.awaited")
    shop.tasks.pop("kit.chained")


def test_an_outcome_of_the_kit_has_the_fields_of_a_real_one(kit: Kit) -> None:
    describe("A1")
    document = kit.deliver(kit[0], "A kettle.").item.document
    row = documents.ItemRow(**dict.fromkeys(documents.ItemRow.__slots__))  # type: ignore[arg-type]
    assert document is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "delivery_id", lambda *_: "")
        patch.setattr(row, "attempts", 1)
        patch.setattr(row, "attempts_before", 0)
        assert document.keys() == documents.document(row).keys()


def test_a_test_takes_less_than_twenty_milliseconds() -> None:
    def one() -> None:
        with take_over() as kit:
            describe("A1", output=Copy)
            kit.deliver(kit.enqueued(key="describe:A1"))

    assert statistics.median(timed(one) for _ in range(30)) < 0.02


def timed(do: Callable[[], None]) -> float:
    began = time.process_time()
    do()
    return time.process_time() - began


def test_a_webhook_is_what_the_products_endpoint_gets(kit: Kit) -> None:
    overnight_at_import.enqueue(params(), key="k", callback=webhook("shop", context={"sku": "A1"}))
    delivery = kit.deliver(kit.enqueued(callback="shop"), "A kettle.")
    body = verify(delivery.headers, delivery.body, kit.webhook_secret)
    (data,) = body["data"]
    assert (Outcome.read(data).text, data["context"]) == ("A kettle.", {"sku": "A1"})
    assert kit.deliver(kit[0]).headers["webhook-id"] == delivery.headers["webhook-id"] == delivery.outcome.delivery_id
    with pytest.raises(AssertionError, match="webhook 'shop'"):
        kit.enqueued(key="another")
