"""Deliver: an outcome reaches its callback's queue, as an ordinary Celery message, until it is taken or given up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import redis

from overnight_models.outcome import Outcome
from overnight_workers.deliver import deliver
from overnight_workers.rescue import sweep
from tests.driving import Service, callback, item, wait_until
from tests.servers import running_redis


def answered(service: Service, *items: dict[str, Any]) -> None:
    """These have their outcome, and nobody was told."""
    service.accept(*items)
    service.round()
    assert set(service.states("delivery")) == {"due"}


def queue(url: str, name: str = "shop") -> list[dict[str, Any]]:
    with redis.Redis.from_url(url) as client:
        return [orjson.loads(raw) for raw in client.lrange(name, 0, -1)]


PRODUCT = """
import sys
import orjson, redis
from celery import Celery
from overnight_producers import Outcome, callback
url = sys.argv[1]
app = Celery("shop", broker=url)
app.conf.update(task_default_queue="shop", broker_connection_retry_on_startup=True)
@app.task(name="shop.save", bind=True)
@callback
def save(task, outcome: Outcome, number, *, sku):
    came = [task.request.id, type(outcome).__name__, outcome.document(), number, sku, outcome.text]
    redis.Redis.from_url(url).rpush("came", orjson.dumps(came))
app.worker_main(["worker", "--pool=solo", "--without-gossip", "--without-mingle", "--loglevel=ERROR"])
"""


def test_a_products_own_worker_takes_an_outcome(service: Service) -> None:
    service.accept(item("a", callback=callback(args=[7], kwargs={"sku": "A1"}), tenant="t", trace_id="x"))
    with (
        subprocess.Popen([sys.executable, "-c", PRODUCT, service.redis_url], stderr=subprocess.DEVNULL) as worker,
        redis.Redis.from_url(service.redis_url) as client,
    ):
        service.finish()
        wait_until(lambda: client.llen("came"), 30)
        worker.terminate()
        (raw,) = client.lrange("came", 0, -1)
    task_id, kind, document, number, sku, text = orjson.loads(raw)
    assert (kind, number, sku) == ("Outcome", 7, "A1")
    outcome = Outcome.read(document)
    assert (outcome.ok, outcome.key, outcome.tenant, outcome.trace_id) == (True, "a", "t", "x")
    assert outcome.delivery_id == task_id
    assert outcome.text == text != ""
    assert outcome.cost_usd > 0
    assert outcome.message == orjson.loads(service.item("a")["message"])


def test_the_message_shows_whose_outcome_it_is_and_not_what_it_says(service: Service) -> None:
    answered(service, item("a", callback=callback()))
    deliver()
    (message,) = queue(service.redis_url)
    assert message["headers"]["task"] == "shop.save"
    assert message["headers"]["argsrepr"] == "(outcome of 'a',)"


def test_a_delivery_is_the_same_however_often_it_comes(service: Service) -> None:
    answered(service, item("a", callback=callback()))
    deliver()
    service.run("UPDATE delivery SET state = 'due', due_at = now(), generation = generation + 1")
    deliver()
    first, second = queue(service.redis_url)
    assert first["headers"]["id"] == second["headers"]["id"]
    assert first["headers"]["overnight_generation"] != second["headers"]["overnight_generation"]


def test_each_goes_to_its_own_queue(service: Service) -> None:
    answered(
        service,
        item("a", callback=callback("one")),
        item("b", callback=callback("two")),
        item("c", callback=callback("one")),
    )
    deliver()
    assert [len(queue(service.redis_url, name)) for name in ("one", "two")] == [2, 1]


def test_an_item_without_a_callback_is_told_to_nobody(service: Service) -> None:
    service.accept(item("a"))
    service.finish()
    assert service.states("delivery") == []


def test_a_full_queue_is_not_filled_further(service: Service) -> None:
    service.configure(brokers={"crm": {"url": service.redis_url, "max_queue": 5}})
    answered(service, *(item(f"k{n}", callback=callback(broker="crm")) for n in range(8)))
    deliver()
    deliver()
    assert len(queue(service.redis_url)) == 5
    assert service.states("delivery").count("due") == 3
    assert service.one("SELECT max(tries) AS n FROM delivery WHERE state = 'due'")["n"] == 0, "waiting is no try"
    with redis.Redis.from_url(service.redis_url) as client:
        client.delete("shop")
    deliver()
    assert len(queue(service.redis_url)) == 3


def test_a_broker_that_is_down_is_tried_again_and_stalls_no_other(service: Service, tmp_path: Path) -> None:
    with running_redis(tmp_path / "crm") as theirs:
        service.configure(brokers={"crm": {"url": theirs}})
        answered(service, item("a", callback=callback(broker="crm")), item("b", callback=callback()))
    assert deliver() == "1 delivered"
    row = service.one(
        "SELECT tries, error, due_at > now() AS later FROM delivery JOIN target ON target.id = target_id"
        " WHERE broker = 'crm'"
    )
    assert (row["tries"], row["later"]) == (1, True)
    assert "broker 'crm'" in row["error"]
    assert deliver() == "0 delivered"
    with running_redis(tmp_path / "crm") as again:
        assert again == theirs
        service.pauses_are_over()
        assert deliver() == "1 delivered"
        assert len(queue(theirs)) == 1
    assert service.states("delivery") == ["delivered"] * 2


def test_a_callback_that_is_never_taken_ends_dead_and_visible(service: Service) -> None:
    service.configure(lane={"max_deliveries": 3}, brokers={"crm": {"url": "redis://127.0.0.1:1/0"}})
    answered(service, item("a", callback=callback(broker="crm")))
    for _ in range(3):
        assert service.states("delivery") == ["due"]
        deliver()
        service.pauses_are_over()
    row = service.one("SELECT state, tries, error FROM delivery")
    assert (row["state"], row["tries"]) == ("dead", 3)
    assert "127.0.0.1:1" in row["error"]


def test_pauses_grow_and_have_an_end(service: Service) -> None:
    service.configure(lane={"max_deliveries": 5000}, brokers={"crm": {"url": "redis://127.0.0.1:1/0"}})
    answered(service, item("a", callback=callback(broker="crm")))
    pauses = []
    for tries in (0, 1, 5, 4000):
        service.run("UPDATE delivery SET tries = %s, due_at = now()", tries)
        deliver()
        pauses.append(service.one("SELECT extract(epoch FROM due_at - now())::float AS s FROM delivery")["s"])
    assert pauses == sorted(pauses)
    assert pauses[-1] <= 600


def test_a_broker_that_the_configuration_lost_is_named(service: Service) -> None:
    service.configure(brokers={"crm": {"url": service.redis_url}})
    answered(service, item("a", callback=callback(broker="crm")))
    service.configure()
    deliver()
    assert "crm" in service.one("SELECT error FROM delivery")["error"]


def test_what_a_dead_deliverer_held_is_due_again(service: Service) -> None:
    answered(service, item("a", callback=callback()))
    service.run("UPDATE delivery SET state = 'sending', due_at = now() + interval '1 min'")
    sweep()
    assert service.states("delivery") == ["sending"]
    service.leases_lapse()
    sweep()
    assert service.states("delivery") == ["due"]
    deliver()
    assert service.states("delivery") == ["delivered"]
