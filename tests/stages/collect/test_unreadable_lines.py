"""Lines that orjson can't read: what was paid for is never thrown away, and one odd line stops no other."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from overnight_models.wire.outcome import Outcome
from overnight_workers.cli import app
from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, callback, item, read_command
from tests.service.ledger import Json

BIG = 123456789012345678901234567890


def collected(service: Service, fault: str) -> Json:
    """The item with that fault, after one read of its batch, which has an ordinary one too."""
    service.accept(item("odd", fault=fault, callback=callback()), item("plain"))
    service.round()
    assert service.ledger.states("batch") == ["collected"]
    assert service.ledger.item("plain")["state"] == "succeeded"
    deliver()
    return service.ledger.item("odd")


def delivered(service: Service) -> Outcome:
    """What the callback gets, as Celery reads it."""
    (message,) = service.queue()
    return Outcome.read(json.loads(message["body"])[0][0])


def billed_as_metered(service: Service) -> bool:
    row = service.ledger.fetch_one("SELECT count(*) AS n, sum(cost_nano)::bigint AS nano FROM bill")
    meter = service.api.meter()
    return bool(row == {"n": meter["billed"], "nano": meter["nano"]})


@pytest.mark.parametrize(("fault", "value"), [("not_a_number", "NaN"), ("huge_number", "1e400"), ("big_integer", BIG)])
def test_a_number_that_not_every_reader_takes_is_an_answer(service: Service, fault: str, value: Any) -> None:
    odd = collected(service, fault)
    assert (odd["state"], odd["problem"]) == ("succeeded", None)
    assert billed_as_metered(service)
    message = delivered(service).message
    assert message is not None
    assert message["content"][0]["input"]["value"] == value
    shown = json.loads(read_command(app, "outcomes", "--key", "odd"))
    assert shown["message"]["content"][0]["input"]["value"] == value


def test_half_a_character_becomes_a_replacement_character(service: Service) -> None:
    odd = collected(service, "lone_surrogate")
    assert (odd["state"], odd["problem"]) == ("succeeded", None)
    assert billed_as_metered(service)
    assert delivered(service).text == "made up, and cut in a character \ufffd"


@pytest.mark.parametrize("fault", ["deep", "garbled"])
def test_what_nobody_can_read_is_kept_as_it_came_with_its_bill(service: Service, fault: str) -> None:
    odd = collected(service, fault)
    assert (odd["state"], odd["problem"]) == ("failed", "invalid_output")
    assert billed_as_metered(service)
    got = delivered(service)
    assert (got.ok, got.text, got.retryable) == (False, "", True)
    assert got.usage is not None
    assert got.usage["output_tokens"] > 0
    line = base64.b64decode((got.message or {})["line_base64"])
    assert line.startswith(b'{"custom_id":"')
    assert (b"[" * 2000 if fault == "deep" else b'made "up"') in line
    assert "line_base64" in (got.detail or "")


def test_a_line_without_its_end_is_read_again_for_days_and_then_kept(service: Service) -> None:
    service.accept(item("odd", fault="cut_line", callback=callback()), item("plain"))
    pack()
    submit()
    poll()
    collect()
    assert service.ledger.states("item") == ["batched", "succeeded"]
    assert (
        "1 of 2 results are missing, 1 line can't be read"
        in service.ledger.fetch_one("SELECT error FROM submission")["error"]
    )
    service.ledger.execute("UPDATE submission SET misses = 20, ended_at = now() - interval '8 days'")
    service.clock.pauses_are_over()
    collect()
    deliver()
    got = delivered(service)
    assert (got.problem, service.ledger.states("batch")) == ("invalid_output", ["collected"])
    assert base64.b64decode((got.message or {})["line_base64"]).startswith(b'{"custom_id":"')
    assert got.cost_usd is None, "how much was billed stood in what is missing"


def test_a_line_without_a_message_is_not_sent_again(service: Service) -> None:
    """What has succeeded is billed; sent again it would be paid twice."""
    service.accept(item("odd"), item("plain"))
    pack()
    submit()
    poll()
    service.api.fault("results", "no_message", count=1)
    collect()
    assert service.ledger.states("batch") == ["collected"]
    assert service.ledger.states("item") == ["failed", "failed"]
    assert service.ledger.item("odd")["problem"] == "invalid_output"
    assert service.api.meter()["creates"] == 1
