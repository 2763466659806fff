"""Check before paying: the API is asked about each kind of request before a batch of them is submitted."""

from __future__ import annotations

import pytest

from overnight_models.request.prefix import Prefix
from overnight_workers.anthropic_api import sample_checks
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, item, params, put_prefix
from tests.service.ledger import Json

REFUSED: Json = {"tools": [{"name": "look_up", "input_schema": {"type": "string"}}]}


def sent(service: Service, *items: Json) -> None:
    service.accept(*items)
    pack()
    submit()


def count_of_creates(service: Service) -> int:
    return int(service.api.meter()["creates"])


def test_a_refused_shape_fails_with_the_apis_words_and_nothing_is_created(service: Service) -> None:
    sent(service, *(item(f"bad{n}", params=params(f"text {n}", **REFUSED)) for n in range(5)))
    assert service.ledger.states("item") == ["failed"] * 5
    assert service.ledger.states("batch") == ["canceled"]
    outcome = service.ledger.fetch_one("SELECT DISTINCT problem, detail, cost_nano FROM outcome")
    assert outcome["problem"] == "rejected"
    assert "invalid_request_error: tools.0" in outcome["detail"]
    assert (outcome["cost_nano"], count_of_creates(service)) == (0, 0)


def test_the_others_of_its_batch_go_without_it(service: Service) -> None:
    sent(service, item("bad", params=params("text", **REFUSED)), item("good"), item("well"))
    assert service.ledger.item("bad")["state"] == "failed"
    assert service.ledger.fetch_one("SELECT items FROM submission WHERE state = 'open'")["items"] == 2
    assert service.ledger.item("good")["attempts"] == service.ledger.item("well")["attempts"] == 0


def test_one_bad_text_does_not_fail_its_shape(service: Service) -> None:
    bad = params("text") | {"messages": [{"role": "user", "content": [{"type": "text"}]}]}
    sent(service, item("a", params=bad), item("b"), item("c"))
    assert service.ledger.item("a")["state"] == "failed"
    assert {service.ledger.item(key)["state"] for key in "bc"} == {"batched"}


def test_a_shape_that_passed_is_not_asked_about_again(service: Service) -> None:
    sent(service, item("a"))
    passed_at = service.ledger.fetch_one("SELECT passed_at FROM shape")["passed_at"]
    assert passed_at is not None
    service.api.fault("count_tokens", "status", status=400, message="messages.0: Field required")
    sent(service, item("b"), item("c", params=params("another text", max_tokens=77)))
    assert service.ledger.states("batch") == ["open", "open"]
    assert service.ledger.fetch_one("SELECT passed_at FROM shape")["passed_at"] == passed_at


def about(block: Json) -> Json:
    return params() | {"messages": [{"role": "user", "content": [block, {"type": "text", "text": "Summarise"}]}]}


def tool(kind: str) -> Json:
    return params(tools=[{"type": kind, "name": kind.rpartition("_")[0]}])


FILE = {"type": "document", "source": {"type": "file", "file_id": "file_1"}}
UNCOUNTED = {
    "web search": tool("web_search_20260318"),
    "web fetch": tool("web_fetch_20260318"),
    "code execution": tool("code_execution_20260120"),
    "tool search": tool("tool_search_tool_regex_20251119"),
    "file": about(FILE),
    "url": about({"type": "image", "source": {"type": "url", "url": "https://example.com/a.jpg"}}),
    "in a result": about({"type": "tool_result", "tool_use_id": "t", "content": [FILE]}),
    "mcp": params(mcp_servers=[{"type": "url", "url": "https://example.com", "name": "m"}]),
}


@pytest.mark.parametrize("asked", UNCOUNTED.values(), ids=UNCOUNTED.keys())
def test_what_count_tokens_refuses_though_batches_take_it_is_not_asked_about_and_sent(
    service: Service, asked: Json
) -> None:
    before = sum(service.api.calls("count_tokens").values())
    sent(service, *(item(f"i{n}", params=asked) for n in range(5)))
    assert service.ledger.states("batch") == ["open"]
    assert service.ledger.states("item") == ["batched"] * 5
    assert sum(service.api.calls("count_tokens").values()) == before


def test_a_prefix_with_a_server_tool_is_not_asked_about_either(service: Service) -> None:
    prefix = put_prefix(service, Prefix.of({"tools": tool("web_search_20260318")["tools"], "system": "Be brief."}))
    sent(service, *(item(f"i{n}", prefix=prefix) for n in range(3)))
    assert service.ledger.states("item") == ["batched"] * 3
    assert service.ledger.fetch_one("SELECT count(*) AS n FROM shape")["n"] == 0


def test_plain_items_beside_those_with_files_are_checked_and_sent(service: Service) -> None:
    mixed = [item(f"i{n}", params=about(FILE) if n in (0, 5, 9) else params(f"text {n}")) for n in range(10)]
    sent(service, *mixed)
    assert service.ledger.states("item") == ["batched"] * 10
    assert service.ledger.fetch_one("SELECT count(*) AS n FROM shape WHERE passed_at IS NOT NULL")["n"] == 1


@pytest.mark.parametrize(
    "words",
    [
        "Server tools are not supported in the count_tokens endpoint: a_tool_of_tomorrow.",
        "tools.0: a_tool_of_tomorrow is not supported by the token counting endpoint",
        "context_management: Extra inputs are not permitted",
        "cache_control: Extra inputs are not permitted",
        "Something went wrong.",
    ],
)
def test_a_refusal_that_is_not_about_the_request_itself_is_no_verdict(service: Service, words: str) -> None:
    service.api.fault("count_tokens", "status", status=400, message=words)
    sent(service, *(item(f"i{n}") for n in range(5)))
    assert service.ledger.states("item") == ["batched"] * 5
    assert service.ledger.fetch_one("SELECT passed_at FROM shape")["passed_at"] is None, (
        "asked again with the next batch"
    )


def test_a_prompt_too_large_for_the_count_is_no_verdict(service: Service) -> None:
    service.api.fault("count_tokens", "status", status=413)
    sent(service, item("a"))
    assert service.ledger.states("item") == ["batched"]


@pytest.mark.parametrize("status", [401, 404, 429, 500, 529])
def test_an_api_that_does_not_say_lets_it_go_unchecked_and_is_asked_the_next_time(
    service: Service, status: int
) -> None:
    service.api.fault("count_tokens", "status", count=1, status=status)
    sent(service, item("a"))
    assert service.ledger.states("batch") == ["open"]
    assert service.ledger.fetch_one("SELECT passed_at FROM shape")["passed_at"] is None
    sent(service, item("b"))
    assert service.ledger.fetch_one("SELECT passed_at FROM shape")["passed_at"] is not None


def test_an_api_that_hangs_keeps_a_batch_waiting_for_one_call(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_checks, "_CALL_S", 0.3)
    service.api.fault("count_tokens", "delay", seconds=3600)
    tool = {"name": "look_up", "input_schema": {"type": "object"}}
    sent(service, item("a"), item("b", params=params("text", tools=[tool])))
    assert service.ledger.states("item") == ["batched"] * 2
    assert (service.ledger.states("batch"), count_of_creates(service)) == (["open"], 1)


@pytest.mark.parametrize(
    "said",
    [
        {"message": "Your credit balance is too low to access the Anthropic API."},
        {"error_code": "organization_on_hold"},
    ],
)
def test_a_400_about_money_is_not_about_the_request(service: Service, said: Json) -> None:
    service.api.fault("count_tokens", "status", status=400, **said)
    sent(service, item("a"))
    assert service.ledger.states("item") == ["batched"]


def test_it_can_be_switched_off(service: Service) -> None:
    service.configure(lane={"check_first": False})
    sent(service, item("bad", params=params("text", **REFUSED)))
    assert service.ledger.states("batch") == ["open"]
    assert service.ledger.fetch_one("SELECT count(*) AS n FROM shape")["n"] == 0
