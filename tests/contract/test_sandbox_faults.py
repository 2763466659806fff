"""Every fault the sandbox can be told, seen from a client."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from email.utils import parsedate_to_datetime
from itertools import count
from typing import Any

import anthropic
import httpx2
import pytest

from overnight_workers.sandbox.faults.faults import DEEDS
from overnight_workers.sandbox.process import Running
from tests.sandboxes import forked_sandbox
from tests.waiting import wait_until

_names = count()
_tried: set[tuple[str, str]] = set()
#: A connection that closes while we still write shows as one or the other.
CLOSED = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError)
BATCHES = "/v1/messages/batches"
ELSEWHERE = "https://elsewhere.sandbox.invalid/v1/messages/batches"


def plain() -> httpx2.Client:
    """No TLS: setting it up takes longer than a whole call."""
    return anthropic.DefaultHttpxClient(verify=False)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with forked_sandbox(tmp_path_factory.mktemp("faulty"), "--instant") as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: Running) -> Iterator[httpx2.Client]:
    headers = {"x-api-key": f"sk-sandbox-faults{next(_names)}", "anthropic-version": "2026-10-21"}
    with httpx2.Client(verify=False, base_url=sandbox.url, headers=headers, timeout=60) as client:
        yield client
        client.delete("/sandbox/faults")


def told(client: httpx2.Client, *rules: dict[str, Any]) -> None:
    _tried.update((rule["at"], rule["do"]) for rule in rules)
    answer = client.put("/sandbox/faults", json={"rules": list(rules)})
    assert answer.status_code == 200, answer.text


def requests(amount: int = 1, user_id: str | None = None, text: str = "Describe") -> Any:
    more: dict[str, Any] = {} if user_id is None else {"metadata": {"user_id": user_id}}
    return [
        {
            "custom_id": f"i{number}",
            "params": {
                "model": "claude-haiku-5-5",
                "max_tokens": 1024,
                "messages": [{"role": "user", "content": f"{text} {number}"}],
                **more,
            },
        }
        for number in range(amount)
    ]


def create(client: httpx2.Client, amount: int = 1, **more: Any) -> str:
    answer = client.post(BATCHES, json={"requests": requests(amount, **more)})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def listed(client: httpx2.Client) -> list[str]:
    return [batch["id"] for batch in client.get(BATCHES, params={"limit": 1000}).json()["data"]]


def lines(client: httpx2.Client, batch_id: str) -> list[Any]:
    text = client.get(f"{BATCHES}/{batch_id}/results").text
    return [json.loads(line) for line in text.split("\n")] if text else []


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529])
@pytest.mark.parametrize("accepted", [False, True])
def test_a_create_is_answered_with_a_status(client: httpx2.Client, status: int, accepted: bool) -> None:
    told(client, {"at": "create", "do": "status", "status": status, "accepted": accepted, "count": 1})
    answer = client.post(BATCHES, json={"requests": requests()})
    assert answer.status_code == status
    assert answer.json()["type"] == "error"
    assert len(listed(client)) == accepted
    create(client)


def test_statuses_come_with_what_the_real_ones_carry(client: httpx2.Client) -> None:
    def answer(**rule: Any) -> httpx2.Response:
        told(client, {"at": "create", "do": "status", "count": 1, **rule})
        return client.post(BATCHES, json={"requests": requests()})

    assert answer(status=429).headers.get("retry-after") is None
    assert answer(status=429, retry_after=7200).headers["retry-after"] == "7200"
    assert answer(status=429, retry_after=1.5, retry_after_as="ms").headers["retry-after-ms"] == "1500"
    dated = answer(status=429, retry_after=60, retry_after_as="date").headers
    asked = parsedate_to_datetime(dated["retry-after"]) - parsedate_to_datetime(dated["date"])
    assert 59 <= asked.total_seconds() <= 61
    spent = answer(status=429, error_code="enforced_spend_limit_reached")
    assert spent.json()["error"]["details"] == {"error_code": "enforced_spend_limit_reached"}
    for status in (413, 502):
        page = answer(status=status, html=True)
        assert page.headers["content-type"].startswith("text/html")
        assert f"{status}" in page.text
    assert answer(status=529).json()["error"]["type"] == "overloaded_error"


@pytest.mark.parametrize(
    ("do", "accepted"),
    [("lose_answer", True), ("close_before_body", False), ("close_during_body", False), ("close_after_body", False)],
)
def test_a_create_gets_no_answer(client: httpx2.Client, do: str, accepted: bool) -> None:
    told(client, {"at": "create", "do": do, "count": 1})
    with pytest.raises(CLOSED):
        client.post(BATCHES, json={"requests": requests(1000)})
    assert len(listed(client)) == accepted


def test_a_create_is_answered_late(client: httpx2.Client) -> None:
    told(client, {"at": "create", "do": "delay", "seconds": 5, "count": 1})
    with pytest.raises(httpx2.ReadTimeout):
        client.post(BATCHES, json={"requests": requests()}, timeout=httpx2.Timeout(60, read=0.3))
    wait_until(lambda: len(listed(client)) == 1)  # it had sent all of it


def test_what_is_delayed_is_answered_when_its_rule_is_taken_back(client: httpx2.Client) -> None:
    path = f"{BATCHES}/{create(client)}"
    for at, do in (("retrieve", "delay"), ("results", "stall")):
        told(client, {"at": at, "do": do, "seconds": 3600})
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(client.get, path if at == "retrieve" else f"{path}/results")
            wait_until(lambda: client.get("/sandbox/faults").json()["rules"][0]["fired"] == 1)
            client.delete("/sandbox/faults")
            assert asked.result().status_code == 200


def test_a_create_is_executed_twice_and_the_meter_shows_it(client: httpx2.Client) -> None:
    told(client, {"at": "create", "do": "twice", "count": 1})
    api_id = create(client, 2)
    assert len(listed(client)) == 2
    assert api_id in listed(client)
    workspace = str(client.headers["x-api-key"]).replace("sk-sandbox-", "wrkspc_sandbox_")
    meter = client.get("/sandbox/meter").json()["workspaces"][workspace]
    assert (meter["creates_accepted"], meter["requests_accepted"]) == (2, 4)


@pytest.mark.parametrize("accepted", [False, True])
def test_a_create_is_redirected(client: httpx2.Client, accepted: bool) -> None:
    told(client, {"at": "create", "do": "redirect", "accepted": accepted, "count": 1})
    assert client.post(BATCHES, json={"requests": requests()}).headers["location"] == ELSEWHERE
    assert len(listed(client)) == accepted


def test_the_answer_to_a_create_names_no_batch_or_another(client: httpx2.Client) -> None:
    told(
        client,
        {"at": "create", "do": "null_id", "count": 1},
        {"at": "create", "do": "other_id", "message": "msgbatch_another", "count": 1, "after": 1},
    )
    ids = [client.post(BATCHES, json={"requests": requests()}).json()["id"] for _ in range(2)]
    assert ids == [None, "msgbatch_another"]
    assert len(listed(client)) == 2


def test_counts_have_a_new_key_or_are_one_short(client: httpx2.Client) -> None:
    batch_id = create(client, 3)
    for at in ("list", "retrieve"):
        told(client, {"at": at, "do": "extra_counts"}, {"at": at, "do": "counts_lag"})
        answer = client.get(BATCHES if at == "list" else f"{BATCHES}/{batch_id}").json()
        counts = (answer["data"][0] if at == "list" else answer)["request_counts"]
        assert counts == {"processing": 0, "succeeded": 2, "errored": 0, "canceled": 0, "expired": 0, "total": 3}


def test_the_sdk_sends_a_lost_create_again_and_the_meter_shows_it(sandbox: Running, client: httpx2.Client) -> None:
    told(client, {"at": "create", "do": "lose_answer", "count": 1})
    before = client.get("/sandbox/meter").json()
    with anthropic.Anthropic(
        http_client=plain(), base_url=sandbox.url, api_key=client.headers["x-api-key"], max_retries=1
    ) as sdk:
        sdk.messages.batches.create(requests=requests(3, text="only here"))
    after = client.get("/sandbox/meter").json()
    assert after["creates_accepted"] - before["creates_accepted"] == 2
    assert after["requests_accepted_twice"] - before["requests_accepted_twice"] == 3
    assert after["requests_billed_twice"] - before["requests_billed_twice"] == 3
    assert after["requests_billed"] - before["requests_billed"] == 6


def test_rates_counts_and_after(client: httpx2.Client) -> None:
    told(client, {"at": "list", "do": "status", "after": 2, "count": 2})
    assert [client.get(BATCHES).status_code for _ in range(6)] == [200, 200, 500, 500, 200, 200]
    told(client, {"at": "list", "do": "status", "rate": 0.3, "seed": 5})
    first = [client.get(BATCHES).status_code for _ in range(40)]
    told(client, {"at": "list", "do": "status", "rate": 0.3, "seed": 5})
    assert [client.get(BATCHES).status_code for _ in range(40)] == first
    assert 3 < first.count(500) < 25
    rule = client.get("/sandbox/faults").json()["rules"][0]
    assert (rule["came_up"], rule["fired"]) == (40, first.count(500))


def test_a_rule_can_be_for_one_workspace(client: httpx2.Client) -> None:
    told(client, {"at": "list", "do": "status", "workspace": "wrkspc_sandbox_other"})
    assert client.get(BATCHES).status_code == 200
    assert client.get(BATCHES, headers={"x-api-key": "sk-sandbox-other"}).status_code == 500


def test_rules_are_added_and_bad_ones_are_explained(client: httpx2.Client) -> None:
    told(client, {"at": "list", "do": "empty"})
    added = client.post("/sandbox/faults", json=[{"at": "retrieve", "do": "missing"}]).json()["rules"]
    assert [rule["at"] for rule in added] == ["list", "retrieve"]
    for rule, complaint in [
        ({"at": "lunch", "do": "status"}, "at 'lunch' is not one of create"),
        ({"at": "list", "do": "dance"}, "do 'dance' is not one of"),
        ({"at": "list", "do": "empty", "colour": 1}, "unknown colour"),
        ({"at": "list", "do": "late"}, "late needs seconds"),
        ({"at": "list", "do": "empty", "rate": 7}, "rate 7"),
        ({"at": "list", "do": "late", "seconds": 1, "count": 1}, "can't be counted"),
    ]:
        answer = client.put("/sandbox/faults", json=[rule])
        assert answer.status_code == 400
        assert complaint in answer.json()["error"]
    assert len(client.get("/sandbox/faults").json()["rules"]) == 2


def test_a_batch_is_listed_late(client: httpx2.Client) -> None:
    told(client, {"at": "list", "do": "late", "seconds": 0.5})
    batch_id = create(client)
    assert listed(client) == []
    assert client.get(f"{BATCHES}/{batch_id}").status_code == 200
    wait_until(lambda: listed(client) == [batch_id])


def test_a_list_fails_or_is_empty(client: httpx2.Client) -> None:
    create(client)
    told(client, {"at": "list", "do": "empty", "count": 1})
    assert client.get(BATCHES).json() == {"data": [], "has_more": False, "first_id": None, "last_id": None}
    assert len(listed(client)) == 1


def test_a_batch_is_missing_for_a_while(client: httpx2.Client) -> None:
    batch_id = create(client)
    told(client, {"at": "retrieve", "do": "missing", "count": 1})
    assert client.get(f"{BATCHES}/{batch_id}").status_code == 404
    assert client.get(f"{BATCHES}/{batch_id}").status_code == 200
    told(client, {"at": "retrieve", "do": "missing", "seconds": 0.5})
    young = create(client)
    assert client.get(f"{BATCHES}/{young}").status_code == 404
    wait_until(lambda: client.get(f"{BATCHES}/{young}").status_code == 200)
    told(client, {"at": "results", "do": "missing", "seconds": 0.5})
    young = create(client)
    client.get(f"{BATCHES}/{young}")
    assert client.get(f"{BATCHES}/{young}/results").status_code == 404
    wait_until(lambda: client.get(f"{BATCHES}/{young}/results").status_code == 200)


def test_a_list_with_odd_rows(client: httpx2.Client) -> None:
    create(client)
    told(client, {"at": "list", "do": "null_row"}, {"at": "list", "do": "no_has_more"})
    page = client.get(BATCHES).json()
    assert None in page["data"]
    assert "has_more" not in page
    told(client, {"at": "list", "do": "no_created_at"}, {"at": "list", "do": "nested_counts"})
    (row,) = client.get(BATCHES).json()["data"]
    assert "created_at" not in row
    assert row["request_counts"]["by_state"]["succeeded"] == 1


def test_a_list_that_repeats_its_page(client: httpx2.Client) -> None:
    for _ in range(3):
        create(client)
    told(client, {"at": "list", "do": "repeat_page"})
    first = client.get(BATCHES, params={"limit": 1}).json()
    assert client.get(BATCHES, params={"limit": 1, "after_id": first["last_id"]}).json() == first


def test_a_date_of_another_form_or_none(client: httpx2.Client) -> None:
    batch_id = create(client)
    for at, path in (("list", BATCHES), ("retrieve", f"{BATCHES}/{batch_id}")):
        told(client, {"at": at, "do": "odd_date", "message": "tomorrow"})
        assert client.get(path).headers["date"] == "tomorrow"
        told(client, {"at": at, "do": "odd_date"})
        assert "date" not in client.get(path).headers


def test_results_may_seem_to_be_elsewhere(client: httpx2.Client) -> None:
    batch_id = create(client)
    told(client, {"at": "retrieve", "do": "foreign_host"}, {"at": "list", "do": "foreign_host"})
    elsewhere = f"https://results.sandbox.invalid{BATCHES}/{batch_id}/results"
    assert client.get(f"{BATCHES}/{batch_id}").json()["results_url"] == elsewhere
    assert client.get(BATCHES).json()["data"][0]["results_url"] == elsewhere


def test_results_end_too_early_and_look_whole(client: httpx2.Client) -> None:
    batch_id = create(client, 10)
    whole = client.get(f"{BATCHES}/{batch_id}/results").text.split("\n")
    told(client, {"at": "results", "do": "cut_at_line", "lines": 4, "count": 1})
    assert client.get(f"{BATCHES}/{batch_id}/results").text.split("\n") == whole[:4]
    told(client, {"at": "results", "do": "cut_mid_line", "count": 1})
    cut = client.get(f"{BATCHES}/{batch_id}/results").text.split("\n")
    assert cut[:5] == whole[:5]
    assert len(cut) == 6
    assert whole[5].startswith(cut[5])
    assert whole[5] != cut[5]
    assert client.get(f"{BATCHES}/{batch_id}/results").text.split("\n") == whole


def test_results_break_off(client: httpx2.Client) -> None:
    batch_id = create(client, 10)
    told(client, {"at": "results", "do": "reset", "lines": 3, "count": 1})
    got: list[bytes] = []
    with client.stream("GET", f"{BATCHES}/{batch_id}/results") as answer, pytest.raises(CLOSED):
        got.extend(answer.iter_bytes())
    assert b"".join(got).count(b"\n") == 3


def test_results_stall_and_go_on(client: httpx2.Client) -> None:
    batch_id = create(client, 10)
    told(client, {"at": "results", "do": "stall", "lines": 3, "seconds": 0.5})
    with pytest.raises(httpx2.ReadTimeout):
        client.get(f"{BATCHES}/{batch_id}/results", timeout=httpx2.Timeout(60, read=0.2))
    assert len(lines(client, batch_id)) == 10


def test_every_request_is_expired_before_it_is_answered(client: httpx2.Client) -> None:
    batch_id = create(client, 3)
    told(client, {"at": "results", "do": "expired_first"})
    read = lines(client, batch_id)
    assert [line["result"]["type"] for line in read] == ["expired"] * 3 + ["succeeded"] * 3
    assert {line["custom_id"] for line in read[:3]} == {line["custom_id"] for line in read[3:]}


def test_result_lines_of_another_shape(client: httpx2.Client) -> None:
    batch_id = create(client, 1)
    told(client, {"at": "results", "do": "bare_usage"}, {"at": "results", "do": "extra_keys"})
    line = lines(client, batch_id)[0]
    usage = line["result"]["message"]["usage"]
    assert set(usage) == {"input_tokens", "output_tokens", "added_tomorrow_tokens"}
    assert line["added_tomorrow"]
    told(client, {"at": "results", "do": "no_message"})
    assert lines(client, batch_id)[0]["result"] == {"type": "succeeded", "message": None}
    told(client, {"at": "results", "do": "once_nested"})
    errored = create(client, 1, user_id="sandbox:errored:overloaded_error")
    assert lines(client, errored)[0]["result"]["error"]["type"] == "overloaded_error"


@pytest.mark.parametrize(("at", "method", "path"), [
    ("retrieve", "GET", "{batch}"),
    ("list", "GET", ""),
    ("results", "GET", "{batch}/results"),
    ("cancel", "POST", "{batch}/cancel"),
    ("delete", "DELETE", "{batch}"),
])  # fmt: skip
def test_every_batch_call_can_fail(client: httpx2.Client, at: str, method: str, path: str) -> None:
    url = f"{BATCHES}/{path.format(batch=create(client))}".rstrip("/")
    told(client, {"at": at, "do": "status", "status": 503, "count": 1})
    assert client.request(method, url).status_code == 503
    told(client, {"at": at, "do": "redirect", "count": 1})
    answer = client.request(method, url)
    assert (answer.status_code, answer.headers["location"]) == (307, ELSEWHERE)
    for do in ("close_before_body", "lose_answer"):
        told(client, {"at": at, "do": do, "count": 1})
        with pytest.raises(CLOSED):
            client.request(method, url)
        if at == "delete" and do == "lose_answer":
            return
        told(client, {"at": at, "do": "delay", "seconds": 5, "count": 1})
        with pytest.raises(httpx2.ReadTimeout):
            client.request(method, url, timeout=httpx2.Timeout(60, read=0.1))
        if at == "delete":
            url = f"{BATCHES}/{create(client)}"


@pytest.mark.parametrize(("at", "method", "path"), [
    ("messages", "POST", "/v1/messages"),
    ("count_tokens", "POST", "/v1/messages/count_tokens"),
    ("models", "GET", "/v1/models"),
])  # fmt: skip
def test_every_other_call_can_fail(client: httpx2.Client, at: str, method: str, path: str) -> None:
    params = requests()[0]["params"]
    if at == "count_tokens":
        del params["max_tokens"]
    body = None if method == "GET" else params
    told(client, {"at": at, "do": "status", "status": 529, "count": 1})
    assert client.request(method, path, json=body).status_code == 529
    told(client, {"at": at, "do": "redirect", "status": 302, "location": "/there", "count": 1})
    answer = client.request(method, path, json=body)
    assert (answer.status_code, answer.headers["location"]) == (302, "/there")
    for do in ("close_before_body", "lose_answer"):
        told(client, {"at": at, "do": do, "count": 1})
        with pytest.raises(CLOSED):
            client.request(method, path, json=body)
    told(client, {"at": at, "do": "delay", "seconds": 5, "count": 1})
    with pytest.raises(httpx2.ReadTimeout):
        client.request(method, path, json=body, timeout=httpx2.Timeout(60, read=0.1))
    assert client.request(method, path, json=body).status_code == 200


def outcome(line: Any) -> str:
    result = line["result"]
    if result["type"] == "errored":
        return str(result["error"]["error"]["type"])
    if result["type"] == "succeeded" and result["message"]["stop_reason"] != "end_turn":
        return str(result["message"]["stop_reason"])
    if result["type"] == "succeeded":
        kinds = [block["type"] for block in result["message"]["content"]]
        if len(kinds) > 1:
            kinds = [kind for kind in kinds if kind != "thinking"]
        return "succeeded" if kinds == ["text"] else f"succeeded with {', '.join(kinds) or 'nothing'}"
    return str(result["type"])


ITEM_DEEDS = [
    ("errored:overloaded_error", "overloaded_error"),
    ("errored:rate_limit_error", "rate_limit_error"),
    ("errored:invalid_request_error", "invalid_request_error"),
    ("errored:billing_error", "billing_error"),
    ("errored", "api_error"),
    ("expired", "expired"),
    ("canceled", "canceled"),
    ("refused", "refusal"),
    ("cut_off", "max_tokens"),
    ("unknown_type", "made_up_by_the_sandbox"),
    ("unknown_stop", "made_up_by_the_sandbox"),
    ("tool_call", "tool_use"),
    ("preamble", "succeeded with text, server_tool_use, web_search_tool_result, text"),
    ("thought_only", "succeeded with thinking"),
    ("empty", "succeeded with nothing"),
    ("paused", "pause_turn"),
    ("compaction", "compaction"),
    ("window_full", "model_context_window_exceeded"),
    ("compacted", "succeeded with compaction, text"),
    ("advised", "succeeded with server_tool_use, advisor_tool_result, text"),
]


@pytest.mark.parametrize(("deed", "expected"), ITEM_DEEDS)
def test_marked_items(client: httpx2.Client, deed: str, expected: str) -> None:
    batch_id = create(client, 1, user_id=f"sandbox:{deed}")
    assert [outcome(line) for line in lines(client, batch_id)] == [expected]
    counts = client.get(f"{BATCHES}/{batch_id}").json()["request_counts"]
    assert sum(counts.values()) == 1


@pytest.mark.parametrize(("deed", "expected"), ITEM_DEEDS)
def test_items_by_rule(client: httpx2.Client, deed: str, expected: str) -> None:
    do, _, type_ = deed.partition(":")
    told(client, {"at": "item", "do": do, "type": type_ or None, "count": 3})
    outcomes = [outcome(line) for line in lines(client, create(client, 10))]
    assert sorted(outcomes) == sorted([expected] * 3 + ["succeeded"] * 7)
    assert {outcome(line) for line in lines(client, create(client, 5))} == {"succeeded"}


def test_a_share_of_the_items(client: httpx2.Client) -> None:
    told(
        client,
        {"at": "item", "do": "expired", "rate": 0.2},
        {"at": "item", "do": "errored", "type": "overloaded_error", "rate": 0.2},
    )
    outcomes = [outcome(line) for line in lines(client, create(client, 500))]
    assert 60 < outcomes.count("expired") < 140
    assert 40 < outcomes.count("overloaded_error") < 120


@pytest.mark.parametrize(
    ("deed", "holds"),
    [
        ("lone_surrogate", rb"\ud83d"),
        ("not_a_number", b":NaN"),
        ("huge_number", b":1e400"),
        ("big_integer", b":123456789012345678901234567890"),
        ("deep", b"[" * 2000),
        ("garbled", b'made "up"'),
        ("cut_line", b'{"custom_id":"'),
    ],
)
def test_answers_that_not_every_reader_takes(client: httpx2.Client, deed: str, holds: bytes) -> None:
    _tried.add(("item", deed))
    billed = client.get("/sandbox/meter").json()["requests_billed"]
    batch_id = create(client, 1, user_id=f"sandbox:{deed}")
    line = client.get(f"{BATCHES}/{batch_id}/results").content
    assert holds in line
    assert line.endswith(b"}}}") == (deed != "cut_line")
    assert client.get("/sandbox/meter").json()["requests_billed"] == billed + 1


def test_results_are_short_for_a_while(client: httpx2.Client) -> None:
    batch_id = create(client, 10)
    told(client, {"at": "results", "do": "short", "lines": 3, "seconds": 1.5})
    client.get(f"{BATCHES}/{batch_id}")
    assert len(lines(client, batch_id)) == 3
    wait_until(lambda: len(lines(client, batch_id)) == 10)


def test_a_line_is_missing_and_another_comes_twice(client: httpx2.Client) -> None:
    _tried.update({("item", "missing"), ("item", "duplicate_line"), ("item", "invalid_output")})
    assert lines(client, create(client, 1, user_id="sandbox:missing")) == []
    assert len(lines(client, create(client, 1, user_id="sandbox:duplicate_line"))) == 2


def test_an_answer_does_not_fit_its_schema(client: httpx2.Client) -> None:
    colour = {"properties": {"colour": {"enum": ["red"]}}, "required": ["colour"]}
    schema = {"type": "object", **colour, "additionalProperties": False}
    marked = requests(1, user_id="sandbox:invalid_output")
    marked[0]["params"]["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
    batch_id = client.post(BATCHES, json={"requests": marked}).json()["id"]
    message = lines(client, batch_id)[0]["result"]["message"]
    assert message["stop_reason"] == "end_turn"
    assert "colour" not in json.loads(message["content"][-1]["text"])


def test_a_mark_may_hold_for_the_first_time_only(client: httpx2.Client) -> None:
    user_id = "sandbox:errored:overloaded_error:1"
    text = str(client.headers["x-api-key"])
    first, second = (create(client, 1, user_id=user_id, text=text) for _ in range(2))
    assert [outcome(line) for line in lines(client, second)] == ["succeeded"]
    assert [outcome(line) for line in lines(client, first)] == ["overloaded_error"]


def test_a_create_with_a_poisoned_item_is_rejected(client: httpx2.Client) -> None:
    poisoned = requests(5)
    poisoned[3]["params"]["metadata"] = {"user_id": "sandbox:reject"}
    answer = client.post(BATCHES, json={"requests": poisoned})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("requests.3")
    assert listed(client) == []


def test_marked_messages_fail_at_once(client: httpx2.Client) -> None:
    def send(user_id: str) -> httpx2.Response:
        return client.post("/v1/messages", json=requests(1, user_id=user_id)[0]["params"])

    assert send("sandbox:errored:overloaded_error").status_code == 529
    assert send("sandbox:errored:rate_limit_error").status_code == 429
    assert send("sandbox:refused").json()["stop_reason"] == "refusal"
    assert send("sandbox:cut_off").json()["stop_reason"] == "max_tokens"
    assert [send("sandbox:errored:api_error:1").status_code for _ in range(2)] == [500, 200]


def test_a_stranger_shares_the_workspace(client: httpx2.Client) -> None:
    mine = create(client, 2)
    workspace = str(client.headers["x-api-key"]).replace("sk-sandbox-", "wrkspc_sandbox_")
    before = client.get("/sandbox/meter").json()
    wish = {"workspace": workspace, "requests": 7, "created_ago_s": 3600}
    stranger = client.post("/sandbox/strangers", json=wish).json()
    assert listed(client) == [mine, stranger["id"]]
    retrieved = client.get(f"{BATCHES}/{stranger['id']}").json()
    age = datetime.fromisoformat(client.get(f"{BATCHES}/{mine}").json()["created_at"]) - datetime.fromisoformat(
        retrieved["created_at"]
    )
    assert 3500 < age.total_seconds() < 3700
    assert retrieved["request_counts"]["succeeded"] == 7
    assert {line["custom_id"] for line in lines(client, stranger["id"])} == {f"stranger-{n}" for n in range(7)}
    after = client.get("/sandbox/meter").json()
    assert after["nanodollars"] == before["nanodollars"]
    assert after["creates_accepted"] == before["creates_accepted"]
    assert after["workspaces"][workspace]["strangers_accepted"] == 1
    everything = client.get("/sandbox/batches").json()["data"]
    assert next(batch for batch in everything if batch["id"] == stranger["id"])["stranger"]


def test_every_fault_was_tried(request: pytest.FixtureRequest) -> None:
    """Runs last: what the documentation of the faults lists has been seen from outside."""
    ran = {getattr(item, "originalname", "") for item in request.session.items}
    if {name for name in globals() if name.startswith("test_")} - ran:
        pytest.skip("says something only after all tests of this file")
    # what only messages can have is in test_sandbox_streams.py and test_sandbox_rates.py
    here = DEEDS | {"messages": DEEDS["models"]}
    assert {(at, do) for at, deeds in here.items() for do in deeds} - _tried == set()
