"""Answer: what a product is told about its messages, items and runs."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import orjson
import redis

from overnight_models import routes
from overnight_models.wire.outcome import Outcome
from overnight_workers.stages.answer import answer
from tests.driving import Service, item


def ask(service: Service, question: str, **about: Any) -> Any:
    reply_to = str(uuid4())
    answer(question=question, reply_to=reply_to, about=about, later="field")
    key = routes.REPLY_KEY.format(reply_to)
    with redis.Redis.from_url(service.redis_url) as client:
        assert 0 < client.ttl(key) <= 60
        raw = client.rpop(key)
    assert isinstance(raw, bytes)
    return orjson.loads(raw)


def test_confirm_tells_done_under_way_and_never_seen_apart(service: Service) -> None:
    done, under_way, unseen = (str(uuid4()) for _ in range(3))
    service.accept(item("a"), message_id=done)
    service.ledger.execute("INSERT INTO inbox (message_id, tries) VALUES (%s, 1)", under_way)
    answered = ask(service, "confirm", message_ids=[done, under_way, unseen])["answer"]
    assert answered == {done: {"accepted": 1, "known": 0, "rejected": []}, under_way: None}


def test_outcome_is_one_that_can_be_read(service: Service) -> None:
    service.accept(item("a"), run="r")
    assert ask(service, "outcome", lane="default", key="a")["answer"] == {"state": "waiting", "outcome": None}
    service.finish()
    answered = ask(service, "outcome", lane="default", key="a")["answer"]
    assert answered["state"] == "succeeded"
    outcome = Outcome.read(answered["outcome"])
    assert (outcome.ok, outcome.key, outcome.run, outcome.extra) == (True, "a", "r", {})
    assert outcome.document() == answered["outcome"]
    assert outcome.batch_id == service.ledger.fetch_one("SELECT api_id FROM submission")["api_id"]


def test_an_unknown_item_has_no_outcome(service: Service) -> None:
    assert ask(service, "outcome", lane="default", key="a")["answer"] is None
    assert ask(service, "outcome", lane="no lane", key="a")["answer"] is None


def test_cancel_says_what_became_of_the_wish(service: Service) -> None:
    service.accept(item("a"), item("b"))
    assert ask(service, "cancel", lane="default", key="a")["answer"] == "canceled"
    service.finish()
    assert ask(service, "cancel", lane="default", key="b")["answer"] == "too_late"
    assert ask(service, "cancel", lane="default", key="c")["answer"] == "unknown"


def test_a_run_is_told_by_state(service: Service) -> None:
    service.accept(item("a"), item("b", fault="refused"), run="r")
    service.accept(item("c"), run="another")
    assert ask(service, "run", run="r")["answer"] == {"waiting": 2}
    service.finish()
    assert ask(service, "run", run="r")["answer"] == {"succeeded": 1, "failed": 1}
    assert ask(service, "run", run="nobody's")["answer"] is None


def test_a_question_of_tomorrow_is_answered_with_an_error_and_not_with_silence(service: Service) -> None:
    assert "can't answer 'forecast'" in ask(service, "forecast")["error"]
