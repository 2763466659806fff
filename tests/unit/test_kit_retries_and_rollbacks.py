"""The test kit: callbacks that ask to be retried, and transactions that are rolled back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from celery import Celery, Task
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from overnight_producers import Outcome, Overnight, callback
from overnight_producers.testing import Kit, take_over
from tests.driving import params

shop = Celery("shop", broker="redis://127.0.0.1:1/0", set_as_current=False)
shop.conf.task_default_queue = "shop"
overnight_at_import = Overnight("redis://127.0.0.1:1/0")


@pytest.fixture
def kit() -> Iterator[Kit]:
    with take_over() as kit:
        yield kit


def test_a_callback_that_asks_to_be_retried_is_called_again_at_once_as_often_as_it_may(kit: Kit) -> None:
    tries: list[tuple[str, int]] = []

    @shop.task(name="kit.retried", bind=True, max_retries=2, shared=False)
    @callback(ack=True)
    def retried(self: Task[..., str], outcome: Outcome, *, until: int) -> str:
        tries.append((outcome.text, self.request.retries))
        if len(tries) < until:
            raise self.retry(countdown=3600)
        return "at last"

    @shop.task(name="kit.unlucky", autoretry_for=(OSError,), max_retries=2, shared=False)
    @callback(ack=True)
    def unlucky(outcome: Outcome) -> None:
        tries.append((outcome.text, -1))
        raise OSError("the shop's database is away")

    overnight_at_import.enqueue(params(), callback=retried.s(until=3))
    delivery = kit.deliver(kit[0], "A kettle.")
    assert (delivery.result, delivery.acknowledged) == ("at last", True)
    assert tries == [("A kettle.", 0), ("A kettle.", 1), ("A kettle.", 2)]
    overnight_at_import.enqueue(params(), callback=unlucky.s())
    with pytest.raises(OSError, match="the shop's database is away"):
        kit.deliver(kit[1])
    assert (len(tries), len(kit.workers.acknowledged)) == (6, 1)
    retried.max_retries = None
    tries.clear()
    overnight_at_import.enqueue(params(), callback=retried.s(until=10_000))
    with pytest.raises(AssertionError, match=r"'kit\.retried' asks to be retried without an end"):
        kit.deliver(kit[2])
    shop.tasks.pop("kit.retried")
    shop.tasks.pop("kit.unlucky")


def test_a_rollback_takes_back_what_was_enqueued_in_it(kit: Kit) -> None:
    engine = create_engine("sqlite://")
    with Session(engine) as session:
        overnight_at_import.enqueue(params("kept"), session=session)
        savepoint = session.begin_nested()
        overnight_at_import.enqueue(params("in a savepoint"), session=session)
        savepoint.rollback()
        session.commit()
        overnight_at_import.enqueue(params("rolled back"), session=session)
        session.rollback()
    with Session(engine) as session:
        with session.begin_nested():
            overnight_at_import.enqueue(params("in a session that is closed"), session=session)
        session.begin_nested()
        overnight_at_import.enqueue(params("in its savepoint"), session=session)
    with Session(engine) as session:
        with session.begin_nested():
            overnight_at_import.enqueue(params("kept, too"), session=session)
        session.commit()
    with engine.connect() as connection:
        overnight_at_import.enqueue(params("of a connection"), session=connection)
        connection.rollback()
    with engine.connect() as connection:
        overnight_at_import.enqueue(params("of a connection that is closed"), session=connection)
    assert [item.prompt for item in kit] == ["kept", "kept, too"]
    engine.dispose()
