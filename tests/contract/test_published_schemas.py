"""The contract: what the code writes is what the published schemas say, and messages of earlier versions are read."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import jsonschema_rs
import orjson
import pytest
import redis
from celery import Celery
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceState, use_span
from pydantic import BaseModel
from typer.testing import CliRunner

from overnight_models.errors import Rejected
from overnight_models.request.prefix import SMALLEST
from overnight_models.routes import ACCEPT, ANSWER
from overnight_models.wire.acknowledgement import Acknowledgement, read_acknowledgements
from overnight_models.wire.message import read_lines
from overnight_models.wire.outcome import Outcome, ProblemName
from overnight_models.wire.schemas import NAMES, schema
from overnight_models.wire.webhook import TEST, write_body
from overnight_producers import Item, Overnight, callback, task, webhook
from overnight_producers.wire import envelope
from overnight_workers.cli import app
from overnight_workers.cli.schema import Name
from overnight_workers.stages.accept.accept import accept
from overnight_workers.stages.answer import answer
from tests.contract.contract_schemas import errors, strict_errors
from tests.driving import Service, item, params
from tests.driving import callback as callback_line
from tests.waiting import wait_until

HERE = Path(__file__).parent
GOLDEN = HERE / "schemas"
VERSIONS = sorted(path.name for path in (HERE / "messages").iterdir())
Json = dict[str, Any]


class Copy(BaseModel):
    title: str


def old(version: str, name: str) -> Json:
    message: Json = json.loads((HERE / "messages" / version / f"{name}.json").read_text())
    return message


@pytest.fixture
def overnight(redis_url: str) -> Iterator[Overnight]:
    overnight = Overnight(redis_url)
    yield overnight
    overnight.close()


def waiting(redis_url: str) -> list[Json]:
    with redis.Redis.from_url(redis_url) as client:
        return [orjson.loads(raw) for raw in client.lrange(ACCEPT, 0, -1)]


@pytest.mark.parametrize("name", NAMES)
def test_a_published_schema_is_the_golden_file_and_a_schema(name: str) -> None:
    written = json.loads((GOLDEN / f"{name}.json").read_text())
    assert schema(name) == written, "overnight schema --out tests/contract/schemas, and look at what changed: " + name
    jsonschema_rs.meta.validate(written)


def test_the_command_writes_what_is_published(tmp_path: Path) -> None:
    assert get_args(Name) == NAMES
    assert CliRunner().invoke(app, ["schema", "--out", str(tmp_path)]).exit_code == 0
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        path.name: path.read_text() for path in GOLDEN.iterdir()
    }
    printed = CliRunner().invoke(app, ["schema", "webhook"])
    assert json.loads(printed.output) == schema("webhook")


def test_a_name_that_is_none_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="accept, confirm, confirm-reply, callback, outcome"):
        schema("answer")
    assert CliRunner().invoke(app, ["schema"]).exit_code == 2
    assert CliRunner().invoke(app, ["schema", "answer"]).exit_code == 2
    (tmp_path / "file").touch()
    refused = CliRunner().invoke(app, ["schema", "--out", str(tmp_path / "file")])
    assert "can't be written" in str(refused.exception)


def test_whatever_a_product_enqueues_is_of_the_schema_and_every_field_is_in_it(
    overnight: Overnight, redis_url: str
) -> None:
    everything = Item(
        params=params(),
        key="k",
        tenant="acme",
        betas=["output-300k-2026-03-24"],
        output=Copy,
        callback=task("shop.save", queue="shop", args=(1, "b"), kwargs={"sku": "A1"}, broker="shop", ack=True),
        trace_id="t",
        if_known="deliver",
        cuttable="messages.0.content",
        deadline="2h",
        give_up_at=timedelta(days=1),
    )
    by_webhook = Item(params=params(), callback=webhook("shop", context={"sku": "A1"}))
    span = SpanContext(trace_id=7, span_id=7, is_remote=False, trace_state=TraceState([("vendor", "1")]))
    with use_span(NonRecordingSpan(span)):
        overnight.enqueue_many([everything, by_webhook, Item(params=params())], lane="copy", run="autumn")
    overnight.enqueue(params(), key="alone")
    long = params(system="x" * SMALLEST)
    overnight.enqueue_many([Item(params=long, key=str(number)) for number in range(3)])
    messages = waiting(redis_url)
    assert len(messages) == 3
    lines = []
    for message in messages:
        assert strict_errors("accept", message) == []
        arguments = json.loads(message["body"])[1]
        lines += [json.loads(line) for line in read_lines(arguments["items"], arguments.get("encoding"))]
    for line in lines:  # those in zstd too
        body = [[], json.loads(messages[-1]["body"])[1] | {"items": json.dumps(line)}, {}]
        assert strict_errors("accept", messages[-1] | {"body": json.dumps(body)}) == []
    kinds: Any = schema("accept")["$defs"]
    written = {name for line in lines for name in line}
    assert written == set(kinds["ItemLine"]["properties"])
    said = {name for line in lines for name in line.get("callback", {})}
    assert said == set(kinds["CallbackLine"]["properties"])


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"v": 2}, "1 was expected"),
        ({"message_id": "7"}, "uuid"),
        ({"lane": None}, "null is not of type"),
        ({"items": '{"key": "k", "params": {}}'}, '"id" is a required property'),
        ({"items": '{"id": "k", "key": "k", "params": {}, "callback": {"task": "t"}}'}, "queue|anyOf|uuid"),
    ],
)
def test_a_message_that_accept_would_turn_down_isnt_of_the_schema(
    changed: Json, fault: str, overnight: Overnight, redis_url: str
) -> None:
    overnight.enqueue(params())
    (message,) = waiting(redis_url)
    body = json.loads(message["body"])
    body[1] |= changed
    wrong = errors("accept", message | {"body": json.dumps(body)})
    assert wrong
    assert any(word in " ".join(wrong) for word in fault.split("|")), wrong


def test_whatever_comes_to_a_callback_is_of_the_schema_and_every_field_is_in_it(service: Service) -> None:
    service.configure(lane={"max_input_tokens": 1000, "deadline": "1h"})
    service.accept(
        item("fine", callback=callback_line(args=["A1"], kwargs={"sku": "A1"})),
        item("acknowledged", callback=callback_line(ack=True), tenant="acme", trace_id="t"),
        item("errored", fault="errored", callback=callback_line()),
        item("refused", fault="refused", callback=callback_line()),
        item("too long", "word " * 5000, callback=callback_line()),
        run="autumn",
    )
    service.finish()
    messages = service.queue()
    assert len(messages) == 5
    kinds: Any = schema("outcome")["$defs"]
    for message in messages:
        assert strict_errors("callback", message) == []
        outcome = json.loads(message["body"])[0][0]
        assert strict_errors("outcome", outcome) == []
        assert set(outcome) == set(kinds["Outcome"]["properties"])
        body = json.loads(write_body([outcome | {"claim": {"bytes": 5}, "context": {"a": 1}}], at=datetime.now(UTC)))
        assert strict_errors("webhook", body) == []
    problems = {json.loads(message["body"])[0][0]["problem"] for message in messages}
    assert {None, "too_long", "errored", "refused"} == problems
    assert sorted(len(message["headers"].get("overnight_ack", "")) > 0 for message in messages)[-2:] == [False, True]


def test_an_outcome_that_python_writes_is_of_the_schema_too() -> None:
    at = datetime(2026, 11, 30, 8, tzinfo=UTC)
    outcome = Outcome(
        item_id="3f5c2f7e-9a53-4d3e-8a53-b0c1d2e3f405",
        key="k",
        lane="copy",
        ok=True,
        cost_usd=Decimal("0.0000235"),
        delivery_id="3f5c2f7e-9a53-4d3e-8a53-b0c1d2e3f406",
        deadline=at,
        late_s=1.5,
        cut={"from_tokens": 9, "to_tokens": 5},
    )
    assert strict_errors("outcome", outcome.document()) == []
    # a word of tomorrow, and a field of tomorrow
    assert errors("outcome", outcome.document() | {"problem": "too_dear", "later": 1}) == []
    assert errors("outcome", outcome.document() | {"cost_usd": 0.5}) != []
    assert set(get_args(ProblemName)) == set(
        schema("outcome")["$defs"]["Outcome"]["properties"]["problem"]["anyOf"][0]["enum"]  # type: ignore[index]
    )


def test_acknowledgements_tests_of_endpoints_and_replies_are_of_their_schemas() -> None:
    word = Acknowledgement.read(b"17.0.3f5c2f7e-9a53-4d3e-8a53-b0c1d2e3f405")
    assert word is not None
    assert strict_errors("acknowledgement", {"v": 1, "acks": [word.write()]}) == []
    assert strict_errors("webhook", json.loads(write_body([], at=datetime.now(UTC), kind=TEST))) == []
    assert strict_errors("webhook-reply", {"delivered": ["a"], "failed": {"b": "no such product"}}) == []
    assert errors("webhook-reply", {"delivered": "a"}) != []


def test_what_python_asks_and_is_answered_is_of_the_schemas(service: Service, overnight: Overnight) -> None:
    asked: list[Json] = []
    answered: list[Json] = []
    service.accept(item("known", "x"))
    receipt = overnight.enqueue(params("other"), key="known")
    (message,) = waiting(service.redis_url)
    accept(**json.loads(message["body"])[1])
    service.finish()
    by_hand = [("outcome", {"lane": "default", "key": "nobody"}), ("confirm", {"message_ids": ["no uuid"]})]
    with redis.Redis.from_url(service.redis_url) as client:
        client.delete(ACCEPT)

        def serve() -> None:
            """Each question is looked at, answered by the workers' own code, and so is each answer."""
            while not over.is_set():
                if (popped := client.brpop([ANSWER], timeout=0.1)) is not None:
                    asked.append(orjson.loads(popped[1]))
                    arguments = orjson.loads(asked[-1]["body"])[1]
                    answer(**arguments | {"reply_to": "looked at"})
                    reply = client.lpop("overnight:reply:looked at")
                    answered.append(orjson.loads(reply))
                    client.rpush(f"overnight:reply:{arguments['reply_to']}", reply)

        over = threading.Event()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with pytest.raises(Rejected):
                overnight.confirm(receipt)
            with pytest.raises(Rejected):
                overnight.outcome(receipt)
            outcome = overnight.outcome(key="known")
            for asks, about in by_hand:
                by_itself = {"question": asks, "reply_to": "9", "about": about}
                client.lpush(ANSWER, envelope(ANSWER, by_itself, shown=""))
            wait_until(lambda: len(answered) == 5)
        finally:
            over.set()
            thread.join()
    assert outcome is not None
    for question, reply in zip(asked[:3], answered[:3], strict=True):
        kind = json.loads(question["body"])[1]["question"]
        name = "confirm" if kind == "confirm" else "outcome-question"
        assert strict_errors(name, question) == []
        assert strict_errors("confirm-reply" if kind == "confirm" else "outcome-reply", reply) == []
    assert [set(reply) for reply in answered] == [{"answer"}] * 4 + [{"error"}]
    assert errors("outcome-reply", answered[3]) == errors("confirm-reply", answered[4]) == []
    assert errors("confirm-reply", {}) != []


@pytest.mark.parametrize("version", VERSIONS)
def test_messages_of_an_earlier_version_are_of_todays_schemas(version: str) -> None:
    for path in (HERE / "messages" / version).glob("*.json"):
        assert errors(path.stem.partition("-")[0], json.loads(path.read_text())) == [], path.name


@pytest.mark.parametrize("version", VERSIONS)
def test_a_worker_takes_in_what_products_of_an_earlier_version_enqueue(service: Service, version: str) -> None:
    service.configure(lanes={"copy": {"max_wait": "0s"}}, brokers={"shop": {"url": service.redis_url}})
    for name, lane in (("accept", "copy"), ("accept-compressed", "default")):  # both have an item "sku:1"
        arguments = json.loads(old(version, name)["body"])[1] | {"lane": lane}
        accept(**arguments)
        verdict = service.ledger.verdict(arguments["message_id"])
        assert (verdict["accepted"], verdict["rejected"]) == (3, []), name
    service.round()
    assert service.ledger.states("item") == ["succeeded"] * 6


@pytest.mark.parametrize("version", VERSIONS)
def test_a_product_takes_the_callbacks_of_workers_of_an_earlier_version(version: str) -> None:
    shop = Celery("shop", set_as_current=False)
    taken: list[Outcome] = []

    @shop.task(name="shop.save", shared=False)
    @callback
    def save(outcome: Outcome, *others: object, **named: object) -> None:
        taken.append(outcome)

    for name in ("callback", "callback-failed"):
        arguments, named, _ = json.loads(old(version, name)["body"])
        save(*arguments, **named)
    fine, failed = taken
    assert (fine.ok, fine.text, fine.cost_usd, fine.late_s) == (True, "A kettle in red.", Decimal("0.0000235"), None)
    assert (failed.problem, failed.retryable, failed.cut) == ("expired", True, {"from_tokens": 9000, "to_tokens": 5000})
    shop.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_an_acknowledgement_of_an_earlier_version_is_read(version: str) -> None:
    word = (HERE / "messages" / version / "acknowledgement.txt").read_bytes().strip()
    assert read_acknowledgements(word) == [Acknowledgement.read(word)]
    assert word.decode() == old(version, "callback")["headers"]["overnight_ack"]
