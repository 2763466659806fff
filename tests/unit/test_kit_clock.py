"""The test kit's clock: two hours later nothing came, a deadline is missed, an answer is of no use any more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from celery import Celery

from overnight_producers import Outcome, Overnight, callback
from overnight_producers.testing import Kit, take_over
from tests.driving import params

shop = Celery("shop", broker="redis://127.0.0.1:1/0", set_as_current=False)
shop.conf.task_default_queue = "shop"
saved: list[tuple[str, str | None, float | None]] = []


@shop.task(name="clock.save", shared=False)
@callback
def save(outcome: Outcome) -> None:
    saved.append((outcome.key, outcome.problem, outcome.late_s))


@pytest.fixture
def kit() -> Iterator[Kit]:
    saved.clear()
    with take_over() as kit:
        yield kit


@pytest.fixture
def product(kit: Kit) -> Overnight:
    return Overnight("redis://127.0.0.1:1/0")


def test_time_alone_brings_nothing(kit: Kit, product: Overnight) -> None:
    receipt = product.enqueue(params(), key="a", callback=save.s())
    assert kit.advance("2h") == []
    assert (saved, product.outcome(receipt), kit.enqueued().state) == ([], None, "waiting")


def test_what_comes_after_its_deadline_is_as_late_as_the_clock_was_moved(kit: Kit, product: Overnight) -> None:
    product.enqueue(params(), key="a", deadline="1h", callback=save.s())
    kit.advance("90m")
    kit.advance(timedelta(minutes=90))
    delivery = kit.deliver(kit.enqueued(), "A kettle.")
    ((key, problem, late_s),) = saved
    assert (key, problem) == ("a", None)
    assert late_s == pytest.approx(7200, abs=1)
    outcome = delivery.outcome
    assert outcome.finished_at is not None
    assert outcome.enqueued_at is not None
    assert outcome.finished_at - outcome.enqueued_at == timedelta(hours=3)


def test_what_is_of_no_use_any_more_comes_back_as_too_late_the_earliest_first(kit: Kit, product: Overnight) -> None:
    product.enqueue(params("b"), key="b", give_up_at="3h", callback=save.s())
    product.enqueue(params("a"), key="a", give_up_at="2h", callback=save.s())
    product.enqueue(params("c"), key="c", give_up_at="9h", callback=save.s())
    assert kit.advance("1h") == []
    came = kit.advance("3h")
    assert [delivery.item.key for delivery in came] == ["a", "b"]
    assert saved == [("a", "too_late", None), ("b", "too_late", None)]
    assert [item.state for item in kit] == ["failed", "failed", "waiting"]
    assert kit.advance("1h") == []


def test_each_item_counts_from_when_it_was_enqueued(kit: Kit, product: Overnight) -> None:
    kit.advance("5h")
    product.enqueue(params(), key="a", deadline="1h", give_up_at="2h", callback=save.s())
    assert kit.advance("59m") == []
    kit.deliver(kit.enqueued(), "A kettle.")
    assert saved == [("a", None, 0.0)]


def test_an_answer_does_not_come_before_the_time_that_has_passed(kit: Kit, product: Overnight) -> None:
    product.enqueue(params(), key="a")
    kit.advance("2h")
    with pytest.raises(AssertionError, match="the clock was moved by 2:00:00 since it was enqueued"):
        kit.deliver(kit.enqueued(), "A kettle.", after="1h")
    with pytest.raises(ValueError, match="time goes forward"):
        kit.advance(timedelta(hours=-1))
    assert kit.deliver(kit.enqueued(), "A kettle.", after="3h").outcome.ok
