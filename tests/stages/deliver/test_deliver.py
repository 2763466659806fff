"""Deliver: an outcome reaches its callback's queue, as an ordinary Celery message, until it is taken or given up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson
import pytest
import redis

from overnight_models import routes
from overnight_models.ledger.deliver import deliver as ledger
from overnight_models.ledger.deliver import obstacles
from overnight_models.ledger.deliver.targets import Target
from overnight_models.wire.outcome import Outcome
from overnight_workers import process
from overnight_workers.operators.snapshot import take_snapshot
from overnight_workers.settings import settings
from overnight_workers.stages.deliver import brokers
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.rescue import sweep
from tests.driving import Service, callback, item
from tests.servers import running_redis
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("apart")

PRODUCT = """
import sys
import orjson, redis
from celery import Celery
from overnight_producers import Outcome, callback
url = sys.argv[1]
app = Celery("shop", broker=url)
app.conf.update(task_default_queue="shop", broker_connection_retry_on_startup=True)
app.conf.broker_transport_options = {"global_keyprefix": sys.argv[2]} if len(sys.argv) > 2 else {}
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
        wait_until(lambda: client.llen("came"))
        worker.terminate()
        (raw,) = client.lrange("came", 0, -1)
    task_id, kind, document, number, sku, text = orjson.loads(raw)
    assert (kind, number, sku) == ("Outcome", 7, "A1")
    outcome = Outcome.read(document)
    assert (outcome.ok, outcome.key, outcome.tenant, outcome.trace_id) == (True, "a", "t", "x")
    assert outcome.delivery_id == task_id
    assert outcome.text == text != ""
    assert outcome.cost_usd is not None
    assert outcome.cost_usd > 0
    assert outcome.message == orjson.loads(service.ledger.item("a")["message"])


def test_a_worker_whose_keys_have_a_prefix_takes_an_outcome(service: Service) -> None:
    service.configure(brokers={"shop": {"url": service.redis_url, "key_prefix": "shop:"}})
    service.accept(item("a", callback=callback(broker="shop", args=[7], kwargs={"sku": "A1"})))
    with (
        subprocess.Popen(
            [sys.executable, "-c", PRODUCT, service.redis_url, "shop:"], stderr=subprocess.DEVNULL
        ) as worker,
        redis.Redis.from_url(service.redis_url) as client,
    ):
        service.finish()
        wait_until(lambda: client.llen("came"))
        worker.terminate()
        assert client.llen("shop") == 0


def test_the_message_shows_whose_outcome_it_is_and_not_what_it_says(service: Service) -> None:
    service.answered(item("a", callback=callback()))
    deliver()
    (message,) = service.queue()
    assert message["headers"]["task"] == "shop.save"
    assert message["headers"]["argsrepr"] == "(outcome of 'a',)"


def test_a_delivery_is_the_same_however_often_it_comes(service: Service) -> None:
    service.answered(item("a", callback=callback()))
    deliver()
    service.ledger.execute("UPDATE delivery SET state = 'due', due_at = now(), generation = generation + 1")
    deliver()
    first, second = service.queue()
    assert first["headers"]["id"] == second["headers"]["id"]
    assert first["headers"]["overnight_generation"] != second["headers"]["overnight_generation"]


def test_each_goes_to_its_own_queue(service: Service) -> None:
    service.answered(
        item("a", callback=callback("one")),
        item("b", callback=callback("two")),
        item("c", callback=callback("one")),
    )
    deliver()
    assert [len(service.queue(name)) for name in ("one", "two")] == [2, 1]


def test_an_item_without_a_callback_is_told_to_nobody(service: Service) -> None:
    service.accept(item("a"))
    service.finish()
    assert service.ledger.states("delivery") == []


def test_a_full_queue_is_not_filled_further(service: Service) -> None:
    service.configure(brokers={"crm": {"url": service.redis_url, "max_queue": 5}})
    service.answered(*(item(f"k{n}", callback=callback(broker="crm")) for n in range(8)))
    deliver()
    deliver()
    assert len(service.queue()) == 5
    assert service.ledger.states("delivery").count("due") == 3
    assert service.ledger.fetch_one("SELECT max(tries) AS n FROM delivery WHERE state = 'due'")["n"] == 0, (
        "waiting is no try"
    )
    with redis.Redis.from_url(service.redis_url) as client:
        client.delete("shop")
    deliver()
    assert len(service.queue()) == 3


def test_a_broker_that_is_down_is_tried_again_and_stalls_no_other(service: Service, tmp_path: Path) -> None:
    with running_redis(tmp_path / "crm") as theirs:
        service.configure(brokers={"crm": {"url": theirs}})
        service.answered(item("a", callback=callback(broker="crm")), item("b", callback=callback()))
    assert deliver() == "1 delivered"
    assert service.ledger.fetch_one(
        "SELECT state, tries FROM every_delivery WHERE target_id = (SELECT id FROM target WHERE broker = 'crm')"
    ) == {"state": "due", "tries": 0}
    with process.database().transaction() as connection:
        (crm,) = obstacles.unreachable_brokers(connection)
        assert (crm.broker, crm.queue, crm.failures) == ("crm", "", 1)
        assert "broker 'crm': ConnectionError" in crm.why
    service.clock.pauses_last()
    assert deliver() == "0 delivered"
    sweep()
    assert service.ledger.fetch_one("SELECT failures FROM obstacle") == {"failures": 1}, "not before its pause is over"
    with running_redis(tmp_path / "crm") as again:
        assert again == theirs
        service.clock.pauses_are_over()
        assert deliver() == "1 delivered"
        assert len(service.queue(url=theirs)) == 1
    assert service.ledger.fetch_all("SELECT 1 FROM obstacle") == []
    assert service.ledger.states("delivery") == ["delivered"] * 2


def not_a_list(service: Service, name: str) -> None:
    """The callback's queue is the name of something else in that Redis."""
    with redis.Redis.from_url(service.redis_url) as client:
        client.set(name, "not a list")


def test_a_callback_whose_queue_is_refused_ends_dead_and_visible_and_stalls_no_other(service: Service) -> None:
    service.configure(lane={"max_deliveries": 3})
    service.answered(item("a", callback=callback("odd")), item("b", callback=callback()))
    not_a_list(service, "odd")
    assert deliver() == "1 delivered"
    for _ in range(2):
        assert service.ledger.states("delivery") == ["due", "delivered"]
        service.clock.pauses_are_over()
        deliver()
    row = service.ledger.fetch_one(
        "SELECT state, tries, error FROM every_delivery WHERE target_id = (SELECT id FROM target WHERE queue = 'odd')"
    )
    assert (row["state"], row["tries"]) == ("dead", 3)
    assert "WRONGTYPE" in row["error"]
    assert service.ledger.fetch_all("SELECT 1 FROM obstacle") == [], "it isn't the broker's trouble"


def test_pauses_grow_and_have_an_end(service: Service) -> None:
    service.configure(lane={"max_deliveries": 5000})
    service.answered(item("a", callback=callback("odd")))
    not_a_list(service, "odd")
    pauses = []
    for tries in (0, 1, 5, 4000):
        service.ledger.execute("UPDATE delivery SET tries = %s, due_at = now()", tries)
        deliver()
        pauses.append(
            service.ledger.fetch_one("SELECT extract(epoch FROM due_at - now())::float AS s FROM every_delivery")["s"]
        )
    assert pauses == sorted(pauses)
    assert pauses[-1] <= 600


def test_pauses_of_a_broker_grow_and_have_an_end(service: Service) -> None:
    service.configure(brokers={"crm": {"url": "redis://127.0.0.1:1/0"}})
    service.answered(item("a", callback=callback(broker="crm")))
    pauses = []
    for failures in (0, 1, 5, 1000):
        service.ledger.execute("UPDATE obstacle SET failures = %s, not_before = now()", failures)
        deliver()
        pauses.append(
            service.ledger.fetch_one("SELECT extract(epoch FROM not_before - seen_at)::float AS s FROM obstacle")["s"]
        )
    assert pauses == [1, 2, 32, 60]
    assert service.ledger.fetch_one("SELECT tries FROM every_delivery")["tries"] == 0


def test_a_broker_that_the_configuration_lost_is_named(service: Service) -> None:
    service.configure(brokers={"crm": {"url": service.redis_url}})
    service.answered(item("a", callback=callback(broker="crm")))
    service.configure()
    deliver()
    with process.database().transaction() as connection:
        (crm,) = obstacles.unreachable_brokers(connection)
    assert "no [brokers.crm]" in crm.why


def test_a_broker_whose_url_is_elsewhere_is_used_as_that_is_now(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "url"
    service.configure(brokers={"crm": {"url": f"file:{place}"}, "erp": {"url": "env:ERP_BROKER"}})
    for key, broker_name in ("a", "crm"), ("b", "erp"):
        service.answered(item(key, callback=callback(broker=broker_name)))
    deliver()
    with process.database().transaction() as connection:
        said = {seen.broker: seen.why for seen in obstacles.unreachable_brokers(connection)}
    assert (f"file {place} can't be read" in said["crm"], "set ERP_BROKER" in said["erp"]) == (True, True)
    place.write_text(f"{service.redis_url}\n")
    monkeypatch.setenv("ERP_BROKER", service.redis_url)
    for name in ("crm", "erp"):
        assert brokers.broker(name).room("shop").messages > 0
    before = brokers.broker("crm")
    place.write_text("redis://:s3cret@127.0.0.1:1/0")
    with pytest.raises(brokers.BrokerUnavailable) as caught:
        brokers.broker("crm").room("shop")
    assert "s3cret" not in str(caught.value)
    place.write_text("no url, s3cret")
    with pytest.raises(brokers.BrokerUnavailable, match="holds no key") as caught:
        brokers.broker("crm")
    assert "s3cret" not in str(caught.value)
    place.write_text(service.redis_url)
    assert brokers.broker("crm") is before


@pytest.mark.parametrize(("fault", "ok"), [("unknown_stop", True), ("unknown_type", False)])
def test_an_answer_of_tomorrow_is_delivered(service: Service, fault: str, ok: bool) -> None:
    """A stop reason that nobody knows yet is an answer; a result type that nobody knows is an error, and final."""
    service.accept(item("a", fault=fault, callback=callback()))
    service.finish()
    (message,) = service.queue()
    (document, *_), _, _ = orjson.loads(message["body"])
    outcome = Outcome.read(document)
    assert outcome.ok == ok
    if ok:
        assert outcome.message is not None
        assert outcome.message["stop_reason"] == "made_up_by_the_sandbox"
        assert outcome.text
    assert service.ledger.states("delivery") == ["delivered"]


def test_overnights_own_redis_has_limits_too(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERNIGHT_OWN_BROKER", '{"max_queue": 3}')
    service.configure()
    service.answered(*(item(f"k{n}", callback=callback()) for n in range(5)))
    assert deliver() == "3 delivered"
    with process.database().transaction() as connection:
        (own,) = obstacles.full_queues(connection)
    assert (own.broker, own.queue) == ("", "shop")


def test_a_message_larger_than_its_broker_ever_takes_is_turned_down_alone(service: Service) -> None:
    service.configure(lane={"max_deliveries": 1}, brokers={"crm": {"url": service.redis_url, "max_memory": "10MB"}})
    service.answered(
        item("a", callback=callback(broker="crm", kwargs={"much": "x" * 9_000_000})),
        item("b", callback=callback(broker="crm")),
    )
    deliver()
    deliver()
    assert service.ledger.states("delivery") == ["dead", "delivered"]
    assert (
        "more than the broker ever takes"
        in service.ledger.fetch_one("SELECT error FROM delivery WHERE state = 'dead'")["error"]
    )


def test_one_of_which_no_message_can_be_made_is_turned_down_alone(service: Service) -> None:
    service.configure(lane={"max_deliveries": 1})
    service.answered(item("a", callback=callback()), item("b", callback=callback()))
    service.ledger.execute("UPDATE outcome SET message = 'no json' WHERE item_id = %s", service.ledger.item("a")["id"])
    deliver()
    assert service.ledger.states("delivery") == ["dead", "delivered"]
    assert (
        "no message can be made" in service.ledger.fetch_one("SELECT error FROM delivery WHERE state = 'dead'")["error"]
    )


def test_large_ones_are_claimed_by_their_bytes(service: Service) -> None:
    service.answered(*(item(f"k{n}", callback=callback(kwargs={"much": "x" * 30_000})) for n in range(10)))
    sizes = [row["size"] for row in service.ledger.fetch_all("SELECT size FROM every_delivery")]
    deliver()
    real = [len(orjson.dumps(message)) for message in service.queue()]
    assert all(0.9 < size / more < 1.1 for size, more in zip(sizes, real, strict=True)), "they are known beforehand"
    for max_bytes, expected in ((10, 1), (max(sizes) * 3 + 1, 3), (10**9, 10)):
        service.ledger.execute("UPDATE delivery SET state = 'due', due_at = now()")
        with process.database().transaction() as connection:
            due = ledger.claim(connection, Target(1, "", "shop"), limit=100, max_bytes=max_bytes, lease_s=60)
            assert len(due) == expected
            before = service.ledger.fetch_all("SELECT item_id, tries, due_at FROM every_delivery ORDER BY item_id")
            assert ledger.release(connection, due) == expected
        after = service.ledger.fetch_all("SELECT item_id, tries, due_at FROM every_delivery ORDER BY item_id")
        assert after == before, "given back as it was"


def test_an_obstacle_in_nobodys_way_is_forgotten(service: Service) -> None:
    service.configure(brokers={"crm": {"url": "redis://127.0.0.1:1/0"}})
    service.answered(item("a", callback=callback(broker="crm")), item("b", callback=callback(broker="crm", ack=True)))
    deliver()
    with process.database().transaction() as connection:
        assert obstacles.forget(connection) == 0
    service.ledger.execute("UPDATE delivery SET state = 'delivered'")
    with process.database().transaction() as connection:
        assert obstacles.forget(connection) == 1


def test_what_stays_in_the_way_is_an_alarm(service: Service) -> None:
    service.configure(
        brokers={"crm": {"url": "redis://127.0.0.1:1/0"}, "shop": {"url": service.redis_url, "max_queue": 1}}
    )
    where = [callback(broker=broker) for broker in ("crm", "shop", "shop")]
    service.answered(*(item(f"k{n}", callback=place) for n, place in enumerate(where)))
    deliver()
    assert take_snapshot(process.database()).alarms(settings()) == []
    service.ledger.execute("UPDATE obstacle SET since = now() - interval '1 hour'")
    on = {alarm.kind: alarm.text for alarm in take_snapshot(process.database()).alarms(settings())}
    assert on["broker away"].startswith("Broker crm is away for 1 h: broker 'crm': ConnectionError")
    assert on["product full"] == "Nothing was taken by queue shop for 1 h: queue 'shop' has 1 messages; max_queue is 1"


def test_a_broker_that_is_away_is_looked_after_by_one_deliverer(service: Service) -> None:
    service.configure(brokers={"crm": {"url": "redis://127.0.0.1:1/0"}})
    service.answered(item("a", callback=callback(broker="crm")))
    deliver()
    service.clock.pauses_last()
    assert "nothing to ring for" in sweep(), "nobody is woken in its pause"
    service.clock.pauses_are_over()
    assert routes.DELIVER in sweep()
    with process.database().transaction() as first, service.other_process().transaction() as second:
        assert ledger.targets(first) == [Target(1, "crm", "shop", obstructed=True)]
        first.commit()
        assert ledger.targets(second) == []


def test_queues_are_found_however_many_wait_in_each(service: Service) -> None:
    service.configure(brokers={name: {"url": service.redis_url} for name in ("a", "b")})
    places = {("", "one"), ("", "two"), ("a", "one"), ("b", "one"), ("b", "three")}
    service.answered(
        *(
            item(f"{broker}{queue}{n}", callback=callback(queue, **({"broker": broker} if broker else {})))
            for broker, queue in places
            for n in range(3)
        )
    )
    three = service.ledger.fetch_one("SELECT id FROM target WHERE queue = 'three'")["id"]
    service.ledger.execute("UPDATE delivery SET due_at = now() + interval '1 h' WHERE target_id = %s", three)
    with process.database().transaction() as connection:
        targets = sorted((target.broker, target.queue) for target in ledger.targets(connection))
    assert targets == sorted(places - {("b", "three")})


def test_what_a_dead_deliverer_held_is_due_again(service: Service) -> None:
    service.answered(item("a", callback=callback()))
    service.ledger.execute("UPDATE delivery SET state = 'sending', due_at = now() + interval '1 min'")
    sweep()
    assert service.ledger.states("delivery") == ["sending"]
    service.clock.leases_lapse()
    sweep()
    assert service.ledger.states("delivery") == ["due"]
    deliver()
    assert service.ledger.states("delivery") == ["delivered"]
