"""Each ending of a direct call: what counts as "may have been billed", and what is known not to have been taken."""

from __future__ import annotations

import json
from typing import Any

import pytest

from overnight_models.wire.outcome import dollars
from overnight_workers.cli import app
from overnight_workers.stages.direct.direct import direct
from tests.driving import Service, item, params, read_command, text_of

LONG = 64_000
"""Tokens that an answer may have, so that it is streamed."""


def request(max_tokens: int) -> dict[str, Any]:
    return item("a", params=params(text_of("a"), max_tokens=max_tokens))


def sent_once(service: Service, rule: dict[str, Any], *, max_tokens: int = 256, **lane: Any) -> None:
    """An item of the direct road was sent, and that went wrong so."""
    # a rate limit that stands in no way: these are about what else goes wrong
    limits = {"*": {"output_tokens": 10_000_000}}
    service.configure(lane={"road": "direct", **lane}, workspaces={"default": {"limits": limits}})
    service.accept(request(max_tokens))
    service.api.fault("messages", count=1, **rule)
    direct()


def doubts(service: Service) -> list[dict[str, Any]]:
    return service.ledger.fetch_all("SELECT why, input_tokens, output_tokens, cost_nano FROM maybe_billed ORDER BY id")


LOST: dict[str, dict[str, Any]] = {
    "the answer is lost": {"do": "lose_answer"},
    "the connection closes before the body": {"do": "close_before_body"},
    "the connection closes after the body": {"do": "close_after_body"},
    "half of the body, and HTTP says that it is whole": {"do": "cut_body"},
    "half of the body, and the connection closes": {"do": "break_body"},
    "half of the body, and the connection is reset": {"do": "reset"},
    "200 with HTML": {"do": "status", "status": 200, "html": True, "accepted": True},
    "200 with an error": {"do": "status", "status": 200, "type": "api_error", "accepted": True},
    "408": {"do": "status", "status": 408},
    "409": {"do": "status", "status": 409},
    "500": {"do": "status", "status": 500, "accepted": True},
    "502 with HTML": {"do": "status", "status": 502, "html": True},
    "503": {"do": "status", "status": 503},
    "504, and it was answered": {"do": "status", "status": 504, "accepted": True},
}
LOST_STREAMS: dict[str, dict[str, Any]] = {
    "a stream that closes in the middle": {"do": "break_body"},
    "a stream that is reset in the middle": {"do": "reset"},
    "a stream that ends in the middle": {"do": "cut_body"},
    "a stream that ends before its first event": {"do": "cut_body", "lines": 0},
    "an error in the middle of a stream": {"do": "error_event"},
    "200 with HTML in place of a stream": {"do": "status", "status": 200, "html": True, "accepted": True},
    "504 in place of a stream": {"do": "status", "status": 504},
}
NOT_TAKEN: dict[str, dict[str, Any]] = {
    "429": {"do": "status", "status": 429},
    "429 with a retry-after in seconds": {"do": "status", "status": 429, "retry_after": 3},
    "429 with a retry-after in milliseconds": {"do": "status", "status": 429, "retry_after": 3, "retry_after_as": "ms"},
    "429 with a retry-after as a date": {"do": "status", "status": 429, "retry_after": 3, "retry_after_as": "date"},
    "529": {"do": "status", "status": 529},
}


def both(table: dict[str, dict[str, Any]], streams: dict[str, dict[str, Any]]) -> list[Any]:
    whole = [pytest.param(rule, 256, id=name) for name, rule in table.items()]
    return [*whole, *(pytest.param(rule, LONG, id=name) for name, rule in streams.items())]


@pytest.mark.parametrize(("rule", "max_tokens"), both(LOST, LOST_STREAMS))
def test_what_may_have_been_billed_is_counted_and_sent_once_more(
    service: Service, rule: dict[str, Any], max_tokens: int
) -> None:
    sent_once(service, rule, max_tokens=max_tokens)
    (doubt,) = doubts(service)
    assert doubt["output_tokens"] == max_tokens
    waits = service.ledger.item("a")
    assert (waits["state"], waits["attempts"]) == ("waiting", 1)
    lost = service.api.meter()["nano"]
    assert lost <= doubt["cost_nano"]
    service.finish()
    answer = service.ledger.item("a")
    assert answer["ok"], answer["detail"]
    assert service.api.meter()["nano"] == answer["cost_nano"] + lost
    assert len(doubts(service)) == 1


@pytest.mark.parametrize(("rule", "max_tokens"), both({"504": LOST["the answer is lost"]}, {}))
def test_what_may_have_been_billed_fails_where_the_lane_allows_no_other_try(
    service: Service, rule: dict[str, Any], max_tokens: int
) -> None:
    sent_once(service, rule, max_tokens=max_tokens, max_maybe_billed=0)
    failed = service.ledger.item("a")
    assert (failed["state"], failed["problem"]) == ("failed", "given_up")
    assert failed["detail"].startswith("it may have been billed, and no answer came: ")
    assert len(doubts(service)) == 1


@pytest.mark.parametrize(
    ("rule", "max_tokens"), both(NOT_TAKEN, {"429 in place of a stream": NOT_TAKEN["429"], "529": NOT_TAKEN["529"]})
)
def test_what_was_not_taken_counts_nothing_and_waits_with_a_time(
    service: Service, rule: dict[str, Any], max_tokens: int
) -> None:
    sent_once(service, rule, max_tokens=max_tokens)
    assert doubts(service) == []
    waits = service.ledger.item("a")
    assert (waits["state"], waits["attempts"]) == ("waiting", 0)
    pause = service.ledger.fetch_one("SELECT extract(epoch FROM not_before - now())::float AS s FROM direct_pause")["s"]
    assert 0 < pause <= 5
    calls = sum(service.api.calls("messages").values())
    direct()
    assert sum(service.api.calls("messages").values()) == calls, "nobody asks before its time"
    service.finish()
    assert service.ledger.item("a")["ok"]
    assert service.ledger.item("a")["cost_nano"] == service.api.meter()["nano"]


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_what_is_refused_fails_at_once_unpaid(service: Service, status: int) -> None:
    kind = {404: "not_found_error", 413: "request_too_large"}.get(status, "invalid_request_error")
    sent_once(service, {"do": "status", "status": status, "type": kind})
    failed = service.ledger.item("a")
    assert (failed["state"], failed["problem"], failed["cost_nano"]) == ("failed", "errored", 0)
    assert (doubts(service), service.api.meter()["nano"]) == ([], 0)


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param({"status": 401, "type": "authentication_error"}, id="401"),
        pytest.param({"status": 402, "type": "billing_error"}, id="402"),
        pytest.param({"status": 403, "type": "permission_error"}, id="403"),
        pytest.param({"status": 400, "message": "Your credit balance is too low"}, id="400 for want of credit"),
        pytest.param({"status": 429, "error_code": "enforced_spend_limit_reached"}, id="429 at the spend limit"),
        pytest.param({"status": 404, "html": True}, id="404 of another address"),
        pytest.param({"status": 307, "do": "redirect"}, id="307"),
    ],
)
def test_money_and_permission_hold_the_workspace_and_count_nothing(service: Service, rule: dict[str, Any]) -> None:
    sent_once(service, {"do": "status", **rule})
    assert service.ledger.fetch_one("SELECT held_at IS NOT NULL AS held FROM workspace")["held"]
    waits = service.ledger.item("a")
    assert (waits["state"], waits["attempts"], doubts(service)) == ("waiting", 0, [])
    direct()
    assert service.ledger.item("a")["state"] == "waiting", "nothing is sent to a workspace that is held"


def test_without_a_connection_nothing_was_sent(service: Service) -> None:
    nowhere = {"base_url": "http://127.0.0.1:9"}
    service.configure(lane={"road": "direct"}, workspaces={"default": nowhere})
    service.accept(request(256))
    direct()
    waits = service.ledger.item("a")
    assert (waits["state"], waits["attempts"], doubts(service)) == ("waiting", 0, [])


def test_costs_say_apart_what_may_have_been_billed(service: Service) -> None:
    sent_once(service, LOST["the answer is lost"])
    service.finish()
    bound = doubts(service)[0]["cost_nano"]
    shown = read_command(app, "costs")
    assert "may have been billed: 1 direct call without an answer, at most $" in shown
    document = json.loads(read_command(app, "costs", "--json"))
    assert document["maybe_billed"]["calls"] == 1
    assert document["maybe_billed"]["at_most_usd"] == dollars(bound)
    lost = service.api.meter()["nano"] - service.ledger.item("a")["cost_nano"]
    assert document["total"]["cost_usd"] == dollars(service.api.meter()["nano"] - lost)
