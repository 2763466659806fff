"""Check before paying: the API is asked about each kind of request before a batch of them is submitted."""

from __future__ import annotations

import time

import pytest

from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.submit import shapes
from overnight_workers.stages.submit.submit import submit
from tests.driving import Json, Service, item, params

REFUSED: Json = {"tools": [{"name": "look_up", "input_schema": {"type": "string"}}]}


def sent(service: Service, *items: Json) -> None:
    service.accept(*items)
    pack()
    submit()


def count_of_creates(service: Service) -> int:
    return int(service.meter()["creates"])


def test_a_refused_shape_fails_with_the_apis_words_and_nothing_is_created(service: Service) -> None:
    sent(service, *(item(f"bad{n}", params=params(f"text {n}", **REFUSED)) for n in range(5)))
    assert service.states("item") == ["failed"] * 5
    assert service.states("batch") == ["canceled"]
    outcome = service.one("SELECT DISTINCT problem, detail, cost_nano FROM outcome")
    assert outcome["problem"] == "rejected"
    assert "invalid_request_error: tools.0" in outcome["detail"]
    assert (outcome["cost_nano"], count_of_creates(service)) == (0, 0)


def test_the_others_of_its_batch_go_without_it(service: Service) -> None:
    sent(service, item("bad", params=params("text", **REFUSED)), item("good"), item("well"))
    assert service.item("bad")["state"] == "failed"
    assert service.one("SELECT items FROM submission WHERE state = 'open'")["items"] == 2
    assert service.item("good")["attempts"] == service.item("well")["attempts"] == 0


def test_one_bad_text_does_not_fail_its_shape(service: Service) -> None:
    bad = params("text") | {"messages": [{"role": "robot", "content": "text"}]}
    sent(service, item("a", params=bad), item("b"), item("c"))
    assert service.item("a")["state"] == "failed"
    assert {service.item(key)["state"] for key in "bc"} == {"batched"}


def test_a_shape_that_passed_is_not_asked_about_again(service: Service) -> None:
    sent(service, item("a"))
    passed_at = service.one("SELECT passed_at FROM shape")["passed_at"]
    assert passed_at is not None
    service.fault("count_tokens", "status", status=400)
    sent(service, item("b"), item("c", params=params("another text", max_tokens=77)))
    assert service.states("batch") == ["open", "open"]
    assert service.one("SELECT passed_at FROM shape")["passed_at"] == passed_at


@pytest.mark.parametrize("status", [401, 404, 429, 500, 529])
def test_an_api_that_does_not_say_lets_it_go_unchecked_and_is_asked_the_next_time(
    service: Service, status: int
) -> None:
    service.fault("count_tokens", "status", count=1, status=status)
    sent(service, item("a"))
    assert service.states("batch") == ["open"]
    assert service.one("SELECT passed_at FROM shape")["passed_at"] is None
    sent(service, item("b"))
    assert service.one("SELECT passed_at FROM shape")["passed_at"] is not None


def test_an_api_that_hangs_keeps_a_batch_waiting_for_one_call(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shapes, "_CALL_S", 0.3)
    service.fault("count_tokens", "delay", seconds=5)
    began_at = time.monotonic()
    tool = {"name": "look_up", "input_schema": {"type": "object"}}
    sent(service, item("a"), item("b", params=params("text", tools=[tool])))
    assert time.monotonic() - began_at < 4
    assert service.states("item") == ["batched"] * 2
    assert (service.states("batch"), count_of_creates(service)) == (["open"], 1)


@pytest.mark.parametrize(
    "said",
    [
        {"message": "Your credit balance is too low to access the Anthropic API."},
        {"error_code": "organization_on_hold"},
    ],
)
def test_a_400_about_money_is_not_about_the_request(service: Service, said: Json) -> None:
    service.fault("count_tokens", "status", status=400, **said)
    sent(service, item("a"))
    assert service.states("item") == ["batched"]


def test_it_can_be_switched_off(service: Service) -> None:
    service.configure(lane={"check_first": False})
    sent(service, item("bad", params=params("text", **REFUSED)))
    assert service.states("batch") == ["open"]
    assert service.one("SELECT count(*) AS n FROM shape")["n"] == 0
