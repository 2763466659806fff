"""Prefixes: what many requests begin with is sent and stored once, spliced again, deleted when nobody needs it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
import redis
from celery.exceptions import Reject

from overnight_models import routes
from overnight_models.ledger import prefixes
from overnight_models.ledger.money import history
from overnight_models.request.prefix import Prefix
from overnight_models.wire.message import ItemLine, read_lines
from overnight_producers import Item, Overnight
from overnight_workers import process
from overnight_workers.stages.accept.accept import accept
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, item, params
from tests.service.ledger import Json

CONTRACT = "Every clause of it. " * 400
OTHER = "Another contract. " * 400


def request(question: str, contract: str = CONTRACT, **more: Any) -> Json:
    return params(question, system=[{"type": "text", "text": contract}], **more)


def enqueue(service: Service, *requests: Json, keys: str = "k") -> None:
    """By a product's process of its own."""
    overnight = Overnight(service.redis_url)
    overnight.enqueue_many([Item(params=params_, key=f"{keys}{n}") for n, params_ in enumerate(requests)])
    overnight.close()


def deliver_to_accept(service: Service) -> list[Json]:
    """Whatever waits in the queue is accepted; the verdicts."""
    verdicts = []
    for arguments in sent(service):
        accept(**arguments)
        verdicts.append(service.ledger.verdict(arguments["message_id"]))
    return verdicts


def sent(service: Service) -> list[Json]:
    """The messages for accept, taken out of the queue."""
    params_ = []
    with redis.Redis.from_url(service.redis_url) as client:
        while (raw := client.rpop(routes.ACCEPT)) is not None:
            envelope = orjson.loads(raw)
            params_.append(orjson.loads(envelope["body"])[1])
    return params_


def at_the_api(service: Service) -> list[Json]:
    pack()
    submit()
    bodies = [
        service.api.body_at_the_api(row["api_id"])["requests"]
        for row in service.ledger.fetch_all("SELECT api_id FROM submission ORDER BY id")
    ]
    return [params_["params"] for requests in bodies for params_ in requests]


def test_what_is_spliced_is_what_was_enqueued(service: Service) -> None:
    service.configure(lane={"caching": "off"})
    tools = [{"name": "look", "description": "d" * 1200, "input_schema": {"type": "object"}}]
    turns = [{"role": "user", "content": "a" * 1200}, {"role": "assistant", "content": "b"}]
    asked = [
        *(request(f"Question {n}") for n in range(3)),
        *(request(f"Question {n}", tools=tools) for n in range(3)),
        *(params() | {"messages": [*turns, {"role": "user", "content": f"Question {n}"}]} for n in range(3)),
        *(params(f"Question {n}") for n in range(3)),
    ]
    enqueue(service, *asked)
    assert [verdict["accepted"] for verdict in deliver_to_accept(service)] == [len(asked)]
    assert service.ledger.fetch_one("SELECT count(*) AS n FROM prefix")["n"] == 3

    def in_order(requests: list[Json]) -> list[bytes]:
        return sorted(orjson.dumps(params_, option=orjson.OPT_SORT_KEYS) for params_ in requests)

    assert in_order(at_the_api(service)) == in_order(asked)


def test_equal_prefixes_stand_together(service: Service) -> None:
    enqueue(service, *(request(f"Question {n}", (CONTRACT, OTHER)[n % 2]) for n in range(10)))
    deliver_to_accept(service)
    systems = [params_["system"][0]["text"] for params_ in at_the_api(service)]
    # the first of each is sent whole: nobody knows yet that others will share it
    shared = [row["prefix_id"] for row in service.ledger.fetch_all("SELECT prefix_id FROM item ORDER BY prefix_id, id")]
    assert shared.count(None) == 2
    assert systems[:4] == [CONTRACT] * 4
    assert systems[4:8] == [OTHER] * 4


def test_a_prefix_is_sent_once_and_stored_once(service: Service) -> None:
    for round_ in range(3):
        enqueue(service, *(request(f"Question {n}") for n in range(50)), keys=f"round {round_} ")
    messages = sent(service)
    lines = [line for message in messages for line in read_lines(message["items"], message.get("encoding"))]
    assert sum(line.count(CONTRACT) for line in lines) == 3, "once whole in each process"
    with redis.Redis.from_url(service.redis_url) as client:
        assert len(client.keys("overnight:prefix:*")) == 1
    for envelope in messages:
        accept(**envelope)
    assert service.ledger.fetch_one("SELECT count(*) AS n FROM prefix")["n"] == 1
    assert sum("Every clause" in own for own in service.ledger.asked().values()) == 3
    sizes = service.ledger.fetch_one("SELECT min(size) AS least, max(size) AS most FROM item")
    assert sizes["least"] > len(CONTRACT), "its size is the whole request's: the batch's limit counts that"
    assert sizes["most"] - sizes["least"] < 200


def test_cut_or_whole_it_is_the_same_item(service: Service) -> None:
    enqueue(service, *(request(f"Question {n}") for n in range(3)))
    deliver_to_accept(service)
    whole = [item(f"k{n}", params=request(f"Question {n}")) for n in range(3)]
    assert service.accept(*whole)["known"] == 3
    enqueue(service, request("Another question"), request("Question 1"), request("Question 2"))
    (verdict,) = deliver_to_accept(service)
    assert (verdict["accepted"], verdict["known"]) == (0, 2)
    assert [rejection["key"] for rejection in verdict["rejected"]] == ["k0"]


def test_a_plan_knows_what_goes_on_from_a_prefix_in_whatever_order_its_fields_stand(service: Service) -> None:
    talk = [{"role": "user", "content": CONTRACT}, {"role": "assistant", "content": "Read."}]
    asked = [request("Question 0"), request("Question 1"), request("Question 2")]
    asked += [{**params(""), "messages": [*talk, {"role": "user", "content": f"Question {n}"}]} for n in range(3, 6)]
    enqueue(service, *asked)
    deliver_to_accept(service)
    assert [
        row["n"] for row in service.ledger.fetch_all("SELECT count(*) AS n FROM item WHERE prefix_id IS NOT NULL")
    ] == [4]
    backwards = [dict(reversed(params_.items())) for params_ in asked]
    for number in (2, 5):
        backwards[number]["messages"] = [*backwards[number]["messages"][:-1], {"role": "user", "content": "Another"}]
    keyed = [ItemLine(id=f"k{n}", key=f"k{n}", params=params_) for n, params_ in enumerate(backwards)]
    with process.database().transaction() as connection:
        known = history.known(connection, "default", [*keyed, ItemLine(id="new", key="new", params=asked[0])])
    assert known == {"k0": True, "k1": True, "k2": False, "k3": True, "k4": True, "k5": False}
    verdict = service.accept(*(item(f"k{n}", params=params_) for n, params_ in enumerate(backwards)))
    assert (verdict["known"], [rejection["key"] for rejection in verdict["rejected"]]) == (4, ["k2", "k5"]), (
        "accept says the same"
    )


def test_lost_with_redis_before_the_workers_had_it_it_is_said_and_sent_again(service: Service) -> None:
    asked = [request(f"Question {n}") for n in range(3)]
    enqueue(service, *asked)
    messages = sent(service)
    with redis.Redis.from_url(service.redis_url) as client:
        client.flushall()
    accept(**messages[0])
    verdict = service.ledger.verdict(messages[0]["message_id"])
    assert verdict["accepted"] == 1
    assert {rejection["why"] for rejection in verdict["rejected"]} == {
        "its prefix isn't in Redis any more: enqueue it again"
    }
    enqueue(service, *asked)
    (verdict,) = deliver_to_accept(service)
    assert (verdict["accepted"], verdict["known"]) == (2, 1)


def test_once_the_workers_have_it_redis_may_lose_it(service: Service) -> None:
    overnight = Overnight(service.redis_url)
    for n in range(3):
        overnight.enqueue(request(f"Question {n}"))
    deliver_to_accept(service)
    with redis.Redis.from_url(service.redis_url) as client:
        client.flushall()
        overnight.enqueue(request("Question 4"))
        assert client.keys("overnight:prefix:*"), "its producer sees that it is gone, and sends it again"
        (message,) = sent(service)
        client.flushall()
    service.restart()
    accept(**message)
    assert service.ledger.verdict(message["message_id"])["accepted"] == 1
    overnight.close()


def test_a_prefix_that_is_none_is_turned_down_alone(service: Service) -> None:
    good = Prefix.of({"system": CONTRACT})
    liar, wrong = "0" * 64, Prefix(b'{"model":"x"}')
    with redis.Redis.from_url(service.redis_url) as client:
        for name, document in ((good.hash, good.document), (liar, good.document), (wrong.hash, wrong.document)):
            client.set(routes.PREFIX_KEY.format(name), document)
    verdict = service.accept(
        item("good", prefix=good.hash),
        item("a liar", prefix=liar),
        item("no prefix", prefix=wrong.hash),
        item("no hash", prefix=7),
        item("twice", prefix=good.hash, params=params(system="mine")),
        item("whole"),
    )
    assert verdict["accepted"] == 2
    whys = {rejection["key"]: rejection["why"] for rejection in verdict["rejected"]}
    assert "another hash" in whys["a liar"]
    assert "`tools`, `system` and `messages`" in whys["no prefix"]
    assert "SHA-256" in whys["no hash"]
    assert "`system` stands in the prefix and in `params`" in whys["twice"]


def test_a_prefix_is_deleted_when_no_item_goes_on_from_it_and_stored_again_when_one_does(service: Service) -> None:
    enqueue(service, *(request(f"Question {n}") for n in range(3)))
    deliver_to_accept(service)

    def delete_unused() -> int:
        with process.database().transaction() as connection:
            return prefixes.delete_unused(connection)

    service.ledger.execute("UPDATE prefix SET used_at = now() - interval '5 days'")
    service.ledger.execute("UPDATE request SET enqueued_at = now() - interval '6 days'")
    assert delete_unused() == 0
    # retention drops the partitions of what is older
    service.ledger.execute("UPDATE request SET enqueued_at = now() - interval '1 day'")
    assert delete_unused() == 1
    enqueue(service, *(request(f"Question {n}") for n in range(3)), keys="later ")
    (message,) = sent(service)
    with pytest.raises(Reject, match="deleted just now"):
        accept(**message)
    accept(**message)
    assert service.ledger.verdict(message["message_id"])["accepted"] == 3
    assert service.ledger.fetch_one("SELECT count(*) AS n FROM prefix")["n"] == 1
