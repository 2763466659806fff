"""Answers above a bound go by reference: their outcomes say so, and their product reads them from Overnight."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import pytest
from kombu import Connection

from overnight_models.errors import BadOutput
from overnight_models.wire.outcome import Outcome
from overnight_producers import Overnight
from overnight_workers.stages.deliver.deliver import deliver
from tests.contract.contract_schemas import strict_errors
from tests.driving import Service, callback, item
from tests.stages.product.conftest import answering

pytestmark = pytest.mark.usefixtures("apart")
BOUND = 1_000


@pytest.fixture
def overnight(service: Service) -> Iterator[Overnight]:
    with answering(service.redis_url), Overnight(service.redis_url) as overnight:
        yield overnight


def lengthen(service: Service, key: str, letters: int) -> None:
    """The answer of an item, with so many letters more."""
    item_id = service.ledger.item(key)["id"]
    answer = orjson.loads(service.ledger.answers()[item_id])
    answer["content"].append({"type": "text", "text": "x" * letters})
    longer = "UPDATE outcome SET message = %s WHERE item_id = %s"
    service.ledger.execute(longer, orjson.dumps(answer).decode(), item_id)


def test_above_the_bound_of_its_broker_the_product_reads_it_and_is_told_so(
    service: Service, overnight: Overnight
) -> None:
    service.configure(brokers={"crm": {"url": service.redis_url, "by_reference_above": "1kB"}})
    service.answered(item("large", callback=callback(broker="crm")), item("small", callback=callback(broker="crm")))
    lengthen(service, "large", BOUND)
    assert deliver() == "2 delivered"
    messages = service.queue()
    for message in messages:
        assert strict_errors("callback", message) == []
    came = [Outcome.read(orjson.loads(message["body"])[0][0]) for message in messages]
    large, small = sorted(came, key=lambda outcome: outcome.key)
    assert small.text
    assert (large.ok, large.message, bool(large.usage)) == (True, None, True)
    assert set(large.extra) == {"claim"}
    for read in (lambda: large.text, lambda: large.tool_calls):
        with pytest.raises(BadOutput, match=r"overnight.outcome\(key='large', lane='default'\)"):
            read()
    whole = overnight.outcome(key=large.key, lane=large.lane)
    assert whole is not None
    assert whole.text.endswith("x" * BOUND)


def test_so_it_is_in_overnights_own_redis_and_without_a_bound_each_is_sent_whole(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    for bound, is_whole in ((None, True), (BOUND, False)):
        if bound is not None:
            monkeypatch.setenv("OVERNIGHT_OWN_BROKER", '{"by_reference_above": "1kB"}')
        service.configure()
        key = f"bound {bound}"
        service.accept(item(key, callback=callback()))
        service.round()
        lengthen(service, key, 2 * BOUND)
        assert deliver() == "1 delivered"
        outcome = orjson.loads(service.queue()[0]["body"])[0][0]
        assert (outcome["message"] is not None, "claim" in outcome) == (is_whole, not is_whole)


def test_a_broker_that_is_no_redis_gets_it_by_reference_too(service: Service) -> None:
    service.configure(brokers={"crm": {"url": "memory://", "by_reference_above": "1kB"}})
    service.answered(item("large", callback=callback(broker="crm", queue="large-answers")))
    lengthen(service, "large", BOUND)
    assert deliver() == "1 delivered"
    with Connection("memory://") as theirs:
        message = theirs.SimpleQueue("large-answers").get(timeout=60)
    assert message.payload[0][0]["claim"]["bytes"] > BOUND
