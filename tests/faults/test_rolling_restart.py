"""A rolling restart: messages of the previous version are in the queues when the new workers start.

`messages_of_0_1_0/` has them as that version wrote them, byte for byte but for the name of the machine and the time at
which a doorbell expires. They are never written anew: a new version adds a directory.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import orjson
import pytest
import redis

from overnight_models import routes
from tests.driving import Service
from tests.faults.test_shutdown import worker
from tests.service.ledger import Json
from tests.waiting import wait_until

pytestmark = pytest.mark.whole

OLD: Final = Path(__file__).parent / "messages_of_0_1_0"
BELLS: Final = (routes.PACK, routes.SUBMIT, routes.POLL, routes.COLLECT, routes.DELIVER)
APP: Final = "overnight_workers.app"

Queues = redis.Redis


@pytest.fixture
def queues(service: Service) -> Iterator[Queues]:
    with redis.Redis.from_url(service.redis_url) as client:
        yield client


def message(name: str) -> bytes:
    return (OLD / f"{name}.json").read_bytes()


def arguments(raw: bytes) -> Json:
    message: Json = orjson.loads(base64.b64decode(orjson.loads(raw)["body"]))[1]
    return message


def of_another_version(raw: bytes, **more: Any) -> bytes:
    """The same with other arguments, and with more than this version knows."""
    document = orjson.loads(raw)
    args, kwargs, canvas = orjson.loads(base64.b64decode(document["body"]))
    body = orjson.dumps([args, {**kwargs, **more, "later": {"known": False}}, canvas])
    document |= {"body": base64.b64encode(body).decode(), "later": 1}
    document["headers"] |= {"later": "?", "id": str(uuid4())}
    document["properties"]["delivery_tag"] = str(uuid4())
    return orjson.dumps(document)


def verdict(service: Service, message_id: str) -> Json | None:
    rows = service.ledger.fetch_all("SELECT verdict FROM inbox WHERE message_id = %s", UUID(message_id))
    return orjson.loads(rows[0]["verdict"]) if rows and rows[0]["verdict"] else None


@pytest.mark.parametrize("changed", [lambda raw: raw, of_another_version], ids=["as it was", "with unknown fields"])
def test_old_messages_are_understood(
    service: Service, queues: Queues, tmp_path: Path, changed: Callable[[bytes], bytes]
) -> None:
    asked = {name: f"reply-to-{name}" for name in ("confirm", "outcome", "cancel", "run")}
    for bell in BELLS:
        # each stage's first act is to take the sign away that its bell rings
        queues.set(f"overnight:ringing:{bell}", 1)
        queues.lpush(bell, changed(message(bell)))
    queues.lpush(routes.RESCUE, changed(message(routes.RESCUE)))
    queues.lpush(routes.ACCEPT, changed(message(routes.ACCEPT)), message(f"{routes.ACCEPT}.compressed"))
    accepted = arguments(message(routes.ACCEPT))["message_id"]
    with worker(tmp_path / "new", APP, *routes.QUEUES):
        wait_until(
            lambda: service.ledger.fetch_one("SELECT count(*) AS n FROM inbox WHERE verdict IS NOT NULL")["n"] == 2
        )
        wait_until(lambda: not any(queues.exists(f"overnight:ringing:{bell}") for bell in BELLS))
        wait_until(lambda: queues.exists(routes.POLICY_KEY))
        for name in asked:
            queues.lpush(routes.ANSWER, changed(message(f"{routes.ANSWER}.{name}")))
        wait_until(lambda: all(queues.exists(routes.REPLY_KEY.format(key)) for key in asked.values()))
    assert verdict(service, accepted) == {"accepted": 3, "known": 0, "rejected": []}
    assert len(service.ledger.states("item")) == 13
    answers = {name: orjson.loads(queues.lrange(routes.REPLY_KEY.format(key), 0, 0)[0]) for name, key in asked.items()}
    assert answers["confirm"] == {"answer": {accepted: {"accepted": 3, "known": 0, "rejected": []}}}
    assert answers["cancel"] == {"answer": "unknown"}
    assert sum(answers["run"]["answer"].values()) == 3
    assert answers["outcome"]["answer"]["state"] in ("waiting", "batched", "succeeded")


def test_an_accept_message_of_a_later_version_is_turned_down_and_says_so(
    service: Service, queues: Queues, tmp_path: Path
) -> None:
    message_id = str(uuid4())
    queues.lpush(routes.ACCEPT, of_another_version(message(routes.ACCEPT), v=2, message_id=message_id))
    with worker(tmp_path / "new", APP, routes.ACCEPT):
        wait_until(lambda: verdict(service, message_id))
    verdict_ = verdict(service, message_id)
    assert verdict_ is not None
    assert verdict_["accepted"] == 0
    assert [rejection["why"] for rejection in verdict_["rejected"]] == [
        "accept messages of version 2 aren't known here: update the workers"
    ] * 3
    assert service.ledger.states("item") == []
