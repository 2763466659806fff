"""Messages as streams, and answers that break off on their way, as the sandbox plays them."""

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import anthropic
import httpx2
import pytest

from overnight_workers.sandbox.faults.faults import DEEDS
from overnight_workers.sandbox.process import Running
from tests.sandboxes import forked_sandbox

SONNET = "claude-sonnet-5"
MESSAGES = "/v1/messages"
CLOSED = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError)
_names = count()
_tried: set[str] = set()
_SHAPES = ("tool_call", "preamble", "thought_only", "empty", "paused", "window_full", "refused", "cut_off")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with forked_sandbox(tmp_path_factory.mktemp("streams"), "--instant") as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: Running) -> Iterator[httpx2.Client]:
    headers = {"x-api-key": f"sk-sandbox-streams{next(_names)}", "anthropic-version": "2026-10-21"}
    with httpx2.Client(verify=False, base_url=sandbox.url, headers=headers, timeout=60) as client:
        yield client
        client.delete("/sandbox/faults")


@pytest.fixture
def sdk(sandbox: Running) -> Iterator[anthropic.Anthropic]:
    key = f"sk-sandbox-streams{next(_names)}"
    with anthropic.Anthropic(
        http_client=anthropic.DefaultHttpxClient(verify=False), base_url=sandbox.url, api_key=key, max_retries=0
    ) as sdk:
        yield sdk


def ask(text: str = "Name a colour", **more: Any) -> Any:
    return {"model": SONNET, "max_tokens": 4096, "messages": [{"role": "user", "content": text}], **more}


def told(client: httpx2.Client, *rules: dict[str, Any]) -> None:
    _tried.update(rule["do"] for rule in rules)
    answer = client.put("/sandbox/faults", json={"rules": [{"at": "messages", "count": 1, **rule} for rule in rules]})
    assert answer.status_code == 200, answer.text


def events(text: str) -> list[dict[str, Any]]:
    blocks = [block.split("\n") for block in text.split("\n\n") if block]
    return [json.loads(data.removeprefix("data: ")) for _, data in blocks]


def billed(client: httpx2.Client) -> int:
    workspace = f"wrkspc_sandbox_{client.headers['x-api-key'].removeprefix('sk-sandbox-')}"
    bill = client.get("/sandbox/meter").json()["workspaces"].get(workspace, {"bill": []})["bill"]
    return sum(row["requests"] for row in bill)


def streamed(client: httpx2.Client, **more: Any) -> list[dict[str, Any]]:
    answer = client.post(MESSAGES, json=ask(stream=True, **more))
    assert answer.headers["content-type"].startswith("text/event-stream")
    return events(answer.text)


def test_a_stream_has_its_events_in_the_documented_order(client: httpx2.Client) -> None:
    kinds = [event["type"] for event in streamed(client)]
    assert kinds[:3] == ["message_start", "content_block_start", "ping"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(kinds[3:-3]) == {"content_block_delta"}


@pytest.mark.parametrize("shape", _SHAPES)
def test_a_gathered_stream_is_the_message_that_comes_without_one(sdk: anthropic.Anthropic, shape: str) -> None:
    params = ask(thinking={"type": "adaptive"}, metadata={"user_id": f"sandbox:{shape}"})
    whole: dict[str, Any] = sdk.messages.create(**params).to_dict()
    with sdk.messages.stream(**params) as stream:
        gathered: dict[str, Any] = stream.get_final_message().to_dict()
    for message in (whole, gathered):
        message.pop("id")
        message["content"] = [{**block, "parsed_output": None} for block in message["content"]]
    assert gathered == whole


@pytest.mark.parametrize("shape", ["advised", "compacted"])
def test_what_was_done_beside_the_answer_is_in_the_usage_at_the_end(client: httpx2.Client, shape: str) -> None:
    params: Any = {"metadata": {"user_id": f"sandbox:{shape}"}}
    *rest, ended, _stop = streamed(client, **params)
    whole = client.post(MESSAGES, json=ask(**params)).json()
    assert ended["usage"]["iterations"] == whole["usage"]["iterations"]
    started = [event["content_block"] for event in rest if event["type"] == "content_block_start"]
    assert [block["type"] for block in started] == [block["type"] for block in whole["content"]]


def test_a_tools_input_comes_in_pieces(sdk: anthropic.Anthropic) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    tool: Any = {"name": "paint", "input_schema": schema}
    params = ask(tools=[tool], tool_choice={"type": "tool", "name": "paint"})
    with sdk.messages.stream(**params) as stream:
        gathered = stream.get_final_message().content[-1]
    whole = sdk.messages.create(**params).content[-1]
    assert gathered.type == whole.type == "tool_use"
    assert gathered.input == whole.input


def test_a_stream_is_billed_as_what_comes_whole(client: httpx2.Client) -> None:
    streamed(client)
    client.post(MESSAGES, json=ask())
    assert billed(client) == 2


@pytest.mark.parametrize("do", ["close_before_body", "close_during_body", "close_after_body"])
def test_a_connection_that_closes_before_the_request_was_taken_bills_nothing(client: httpx2.Client, do: str) -> None:
    told(client, {"do": do})
    with pytest.raises(CLOSED):
        client.post(MESSAGES, json=ask())
    assert billed(client) == 0


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("do", ["lose_answer", "break_body", "reset"])
def test_a_connection_that_breaks_after_the_request_was_taken_bills_the_answer(
    client: httpx2.Client, do: str, *, stream: bool
) -> None:
    told(client, {"do": do})
    with pytest.raises(CLOSED):
        client.post(MESSAGES, json=ask(stream=stream))
    assert billed(client) == 1


def test_a_whole_answer_is_cut_though_it_looks_complete(client: httpx2.Client) -> None:
    told(client, {"do": "cut_body"})
    answer = client.post(MESSAGES, json=ask())
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    assert billed(client) == 1


def test_a_stream_is_cut_though_it_looks_complete(client: httpx2.Client) -> None:
    told(client, {"do": "cut_body", "lines": 4})
    assert [event["type"] for event in streamed(client)] == [
        "message_start", "content_block_start", "ping", "content_block_delta",
    ]  # fmt: skip
    assert billed(client) == 1


def test_a_stream_ends_with_an_error(client: httpx2.Client) -> None:
    told(client, {"do": "error_event", "lines": 3})
    last = streamed(client)[-1]
    assert last == {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    assert billed(client) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_stalls_and_goes_on(client: httpx2.Client, *, stream: bool) -> None:
    told(client, {"do": "stall", "seconds": 0.5})
    with pytest.raises(httpx2.ReadTimeout):
        client.post(MESSAGES, json=ask(stream=stream), timeout=httpx2.Timeout(60, read=0.2))
    told(client, {"do": "stall", "seconds": 0.1})
    assert client.post(MESSAGES, json=ask(stream=stream)).text.rstrip()[-1] == "}"


def test_a_slow_stream_shows_that_it_lives(client: httpx2.Client) -> None:
    told(client, {"do": "slow", "seconds": 1.5})
    with client.stream("POST", MESSAGES, json=ask(stream=True)) as answer:
        parts = list(answer.iter_text())
    kinds = [event["type"] for event in events("".join(parts))]
    assert len(parts) > 1
    assert answer.elapsed.total_seconds() > 1.3
    assert kinds.count("ping") >= len(kinds) // 2 - 1
    assert kinds[-1] == "message_stop"


def test_a_200_that_is_no_message_is_a_page_or_an_error(client: httpx2.Client) -> None:
    told(client, {"do": "status", "status": 200, "html": True})
    assert client.post(MESSAGES, json=ask()).text.startswith("<html>")
    assert billed(client) == 0
    told(client, {"do": "status", "status": 200, "type": "overloaded_error", "accepted": True})
    assert client.post(MESSAGES, json=ask()).json()["type"] == "error"
    assert billed(client) == 1


def test_bursts_of_529_come_again_and_again(client: httpx2.Client) -> None:
    told(client, {"do": "status", "status": 529, "after": 2, "count": 2, "every": 5})
    got = [client.post(MESSAGES, json=ask(max_tokens=0)).status_code for _ in range(10)]
    assert got == [400, 400, 529, 529, 400] * 2


def test_every_is_a_number_of_calls(client: httpx2.Client) -> None:
    rules = [{"at": "messages", "do": "status", "every": 0}]
    assert "every" in client.put("/sandbox/faults", json={"rules": rules}).json()["error"]


def test_each_fault_of_messages_was_tried() -> None:
    """Runs last. `no_retry_after` is in test_sandbox_rates.py."""
    if len(_tried) < 5:
        pytest.skip("says something only after all tests of this file")
    assert DEEDS["messages"] - DEEDS["models"] - {"no_retry_after"} - _tried == set()
