"""Receipts: each is answered for its own item, and never with somebody else's."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest
import redis

from overnight_models import routes
from overnight_models.errors import TransientError
from overnight_producers import (
    Item,
    NotFinished,
    NotYet,
    Overnight,
    Receipt,
    Rejected,
    UnknownItem,
    UnknownRun,
    Unreachable,
)
from overnight_workers.stages.answer import answer
from overnight_workers.stages.rescue import publish_policy
from tests.driving import Service, item, params
from tests.servers import running_redis
from tests.stages.product.conftest import answering, take_in
from tests.waiting import wait_until


def test_the_receipt_of_a_rejected_duplicate_raises_rejected_and_cancels_nothing(
    service: Service, product: Overnight
) -> None:
    first = product.enqueue(params("Who is Ada?"), key="a")
    other = product.enqueue(params("Who is Bob?"), key="a")
    take_in(service)
    with pytest.raises(Rejected, match="other content"):
        product.cancel(other)
    assert service.ledger.states("item") == ["waiting"], "the first one's item goes on"
    service.finish()
    began = time.monotonic()
    for ask in (product.outcome, product.wait):
        with pytest.raises(Rejected, match="other content"):
            ask(other)
    assert time.monotonic() - began < 60, "wait does not wait for what never comes"
    answered = product.outcome(first)
    assert answered is not None
    assert answered.item_id == first.item_id
    by_key = product.outcome(key="a")
    assert by_key is not None
    assert by_key.item_id == first.item_id


def test_enqueued_again_after_a_crash_both_receipts_are_of_the_same_item(service: Service, product: Overnight) -> None:
    receipts = [product.enqueue(params("Again?"), key="a") for _ in range(2)]
    assert [verdict["known"] for verdict in take_in(service)] == [0, 1]
    service.finish()
    outcomes = [product.outcome(receipt) for receipt in receipts]
    assert outcomes[0] == outcomes[1] is not None


def test_on_its_way_it_is_not_yet_and_by_key_alone_it_is_unknown(service: Service, product: Overnight) -> None:
    receipt = product.enqueue(params("Soon"), key="a")
    with pytest.raises(NotYet, match="no worker has seen its message") as not_yet:
        product.outcome(receipt)
    assert isinstance(not_yet.value, TransientError)
    with pytest.raises(UnknownItem):
        product.outcome(key="a")
    take_in(service)
    assert product.outcome(receipt) is None, "it is in Postgres, and has no outcome yet"
    with pytest.raises(NotFinished, match="it isn't final"):
        product.wait(receipt, timeout=0.2)


def test_one_of_many_that_was_rejected_is_told_by_its_own_receipt(service: Service, product: Overnight) -> None:
    sent = product.enqueue_many([Item(params=params("One"), key="a"), Item(params=params("Two"), key="a")])
    take_in(service)
    assert product.outcome(sent.receipt(0, "a")) is None
    with pytest.raises(Rejected, match="other content"):
        product.outcome(sent.receipt(1, "a"))


def test_keys_that_were_made_up_are_in_the_receipts_of_what_was_sent(service: Service, product: Overnight) -> None:
    publish_policy()
    bad = Item(params={"model": 5})
    items = [Item(params=params("A")), bad, Item(params=params("B"), key="own"), Item(params=params("C"))]
    sent = product.enqueue_many(items, run="mixed")
    take_in(service)
    service.finish()
    receipts = list(sent.receipts())
    assert [sent.receipt(index) for index in (0, 3)] == receipts
    answers = [product.wait(receipt, timeout=60) for receipt in receipts]
    assert [answer.item_id for answer in answers] == [receipt.item_id for receipt in receipts]
    assert answers[0].text != answers[1].text
    assert product.wait(sent.receipt(2, "own"), timeout=60).key == "own"
    for index in (1, 4, -1):
        with pytest.raises(IndexError):
            sent.receipt(index)


def test_a_run_that_nobody_knows_is_an_error_and_not_finished(service: Service, product: Overnight) -> None:
    with pytest.raises(UnknownRun, match="nothing of a run 'typo'"):
        product.unfinished("typo")
    sent = product.enqueue_many([Item(params=params("One"))], run="real")
    with pytest.raises(UnknownRun):
        product.unfinished("real")
    with pytest.raises(NotFinished, match="nothing of run 'real'"):
        product.wait(run="real", timeout=0.2)
    take_in(service)
    assert product.confirm(sent).accepted == 1
    assert product.unfinished("real") == 1
    service.finish()
    assert product.unfinished("real") == 0
    assert product.wait(run="real", timeout=60) == {"succeeded": 1}


def test_wait_outlasts_a_restart_of_redis(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service.accept(item("a"))
    service.finish()
    with ThreadPoolExecutor(1) as pool:
        with running_redis(tmp_path / "redis") as url:
            product = Overnight(url)
            answered = pool.submit(product.wait, key="a", timeout=120)
            wait_until(lambda: redis.Redis.from_url(url).llen(routes.ANSWER))
        with pytest.raises(Unreachable):
            Overnight(url).outcome(key="a")
        assert not answered.done(), "it waits, although Redis is away"
        with running_redis(tmp_path / "redis") as again:
            assert again == url
            monkeypatch.setenv("OVERNIGHT_REDIS_URL", url)
            service.restart()
            with answering(url):
                assert answered.result(60).key == "a"


def test_an_answer_that_comes_after_the_question_was_put_again_still_counts(service: Service) -> None:
    overnight = Overnight(service.redis_url)
    receipt = overnight.enqueue(params("Behind a pile of questions?"), key="a")
    take_in(service)
    service.finish()
    with redis.Redis.from_url(service.redis_url) as client, ThreadPoolExecutor() as pool:
        confirmed = pool.submit(overnight.confirm, receipt, timeout=20)
        outcome = pool.submit(overnight.wait, receipt, timeout=20)
        wait_until(lambda: client.llen(routes.ANSWER) >= 4)
        for _ in range(2):
            first = client.rpop(routes.ANSWER)
            assert isinstance(first, bytes)
            answer(**orjson.loads(orjson.loads(first)["body"])[1])
        assert confirmed.result(timeout=60).accepted == 1
        assert outcome.result(timeout=60).ok
    overnight.close()


def test_a_receipt_names_one_item(service: Service) -> None:
    overnight = Overnight(service.redis_url)
    with pytest.raises(TypeError, match="by its receipt, or by `key`"):
        overnight.outcome()
    with pytest.raises(TypeError, match="by its receipt, or by `key`"):
        overnight.cancel(Receipt(item_id="i", key="a", lane="default", message_id="m"), key="a")
