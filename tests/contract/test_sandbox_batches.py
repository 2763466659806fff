"""The Message Batches API as the sandbox plays it, seen through the SDK and as bare HTTP."""

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import jsonschema_rs
import pytest

from overnight_workers.sandbox.process import Running
from tests.contract.calling import http, params, requests, sdk
from tests.sandboxes import forked_sandbox
from tests.waiting import wait_until

OPENAPI = Path(__file__).resolve().parents[2].parent / "shared" / "anthropic-openapi.json"
BATCH_KEYS = {
    "id", "type", "processing_status", "request_counts", "ended_at", "created_at", "expires_at", "archived_at",
    "cancel_initiated_at", "results_url",
}  # fmt: skip
_names = count()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Batches take an hour of the sandbox's time; tests jump its clock."""
    with forked_sandbox(tmp_path_factory.mktemp("sandbox"), "--turnaround", "1h") as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def instant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with forked_sandbox(tmp_path_factory.mktemp("instant"), "--instant") as sandbox:
        yield sandbox


@pytest.fixture
def key() -> str:
    """A key with a workspace that no other test uses."""
    return f"sk-sandbox-batches{next(_names)}"


def advance(sandbox: Running, seconds: float) -> None:
    with httpx2.Client(verify=False, base_url=sandbox.url) as client:
        client.post("/sandbox/clock", json={"advance_s": seconds}).raise_for_status()


@pytest.fixture(scope="module")
def openapi() -> Any:
    if not OPENAPI.exists():
        pytest.skip(f"the official description is not beside the repository ({OPENAPI.name})")
    return json.loads(OPENAPI.read_text(encoding="utf-8"))


def assert_described(openapi: Any, schema: str, value: Any) -> None:
    whole = {"$ref": f"#/components/schemas/{schema}", "components": openapi["components"]}
    jsonschema_rs.Draft202012Validator(whole).validate(value)


def test_a_batch_goes_through_the_sdk(instant: Running, key: str) -> None:
    with sdk(instant, key) as client:
        created = client.messages.batches.create(requests=requests(3))
        assert created.processing_status == "in_progress"
        assert created.request_counts.processing == 3
        retrieved = client.messages.batches.retrieve(created.id)
        assert retrieved.processing_status == "ended"
        assert retrieved.request_counts.model_dump() == {
            "processing": 0, "succeeded": 3, "errored": 0, "canceled": 0, "expired": 0,
        }  # fmt: skip
        assert [batch.id for batch in client.messages.batches.list()] == [created.id]
        lines = list(client.messages.batches.results(created.id))
        assert {line.custom_id for line in lines} == {"item-0", "item-1", "item-2"}
        for line in lines:
            assert line.result.type == "succeeded"
            message = line.result.message
            assert message.usage.service_tier == "batch"
            assert message.model == "claude-haiku-5-5"
            text = next(block.text for block in message.content if block.type == "text")
            assert text.startswith("Made-up sandbox answer about: Describe chair number")
        deleted = client.messages.batches.delete(created.id)
        assert (deleted.id, deleted.type) == (created.id, "message_batch_deleted")
        assert list(client.messages.batches.list()) == []


def test_the_beta_surface_and_its_query_change_nothing(instant: Running, key: str) -> None:
    with sdk(instant, key) as client:
        created = client.beta.messages.batches.create(requests=requests(1), betas=["message-batches-2024-09-24"])
        assert client.beta.messages.batches.retrieve(created.id).processing_status == "ended"
        assert len(list(client.beta.messages.batches.results(created.id))) == 1
    with http(instant, key) as client:
        assert client.get(f"/v1/messages/batches/{created.id}?beta=true").json()["id"] == created.id


def test_what_is_shown_is_as_described(instant: Running, key: str, openapi: Any) -> None:
    with http(instant, key) as client:
        bad = {"custom_id": "bad", "params": params(max_tokens=0)}
        created = client.post("/v1/messages/batches", json={"requests": [*requests(2), bad]}).json()
        assert_described(openapi, "MessageBatch", created)
        page = client.get("/v1/messages/batches").json()
        assert_described(openapi, "ListResponse_MessageBatch_", page)
        assert_described(openapi, "MessageBatch", client.get(f"/v1/messages/batches/{created['id']}").json())
        for line in client.get(f"/v1/messages/batches/{created['id']}/results").text.split("\n"):
            assert_described(openapi, "MessageBatchIndividualResponse", json.loads(line))
        assert_described(openapi, "ErrorResponse", client.get("/v1/messages/batches/msgbatch_no").json())
        gone = client.delete(f"/v1/messages/batches/{created['id']}").json()
        assert_described(openapi, "DeleteMessageBatchResponse", gone)


def test_create_retrieve_and_cancel_carry_all_ten_keys(sandbox: Running, key: str) -> None:
    with http(sandbox, key) as client:
        created = client.post("/v1/messages/batches", json={"requests": requests(1)}).json()
        retrieved = client.get(f"/v1/messages/batches/{created['id']}").json()
        canceled = client.post(f"/v1/messages/batches/{created['id']}/cancel").json()
    for batch in (created, retrieved, canceled):
        assert set(batch) == BATCH_KEYS
        assert batch["results_url"] is None
        assert batch["ended_at"] is None
        assert batch["archived_at"] is None
    assert created["cancel_initiated_at"] is None


def test_times_have_microseconds_and_an_offset_in_digits(sandbox: Running, key: str) -> None:
    with http(sandbox, key) as client:
        batch = client.post("/v1/messages/batches", json={"requests": requests(1)}).json()
    for name in ("created_at", "expires_at"):
        assert len(batch[name]) == len("2025-01-12T05:59:14.154311+00:00")
        assert batch[name].endswith("+00:00")
    lifetime = datetime.fromisoformat(batch["expires_at"]) - datetime.fromisoformat(batch["created_at"])
    assert lifetime.total_seconds() == 24 * 3600


def test_counts_stay_in_processing_until_all_flip_at_once(sandbox: Running, key: str) -> None:
    with http(sandbox, key) as client:
        bad = {"custom_id": "bad", "params": params(model="claude-nobody")}
        batch = client.post("/v1/messages/batches", json={"requests": [*requests(4), bad]}).json()
        path = f"/v1/messages/batches/{batch['id']}"
        waiting = {"processing": 5, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
        for _ in range(5):
            advance(sandbox, 60)
            assert client.get(path).json()["request_counts"] == waiting
        advance(sandbox, 23 * 3600)
        ended = client.get(path).json()
        assert ended["processing_status"] == "ended"
        assert ended["request_counts"] == {
            "processing": 0, "succeeded": 4, "errored": 1, "canceled": 0, "expired": 0,
        }  # fmt: skip
        assert ended["results_url"] == f"{sandbox.url}{path}/results"
        assert ended["ended_at"] is not None


def test_cancel_answers_canceling_and_the_rest_is_canceled(sandbox: Running, key: str) -> None:
    with http(sandbox, key) as client:
        batch = client.post("/v1/messages/batches", json={"requests": requests(200)}).json()
        path = f"/v1/messages/batches/{batch['id']}"
        advance(sandbox, 600)
        canceling = client.post(f"{path}/cancel").json()
        assert canceling["processing_status"] == "canceling"
        assert canceling["cancel_initiated_at"] is not None
        assert canceling["results_url"] is None
        assert canceling["request_counts"]["processing"] == 200
        assert client.post(f"{path}/cancel").json()["cancel_initiated_at"] == canceling["cancel_initiated_at"]
        advance(sandbox, 3600)
        counts = client.get(path).json()["request_counts"]
        assert counts["succeeded"] + counts["canceled"] == 200
        assert 0 < counts["succeeded"] < 200
        lines = [json.loads(line) for line in client.get(f"{path}/results").text.split("\n")]
        assert sum(line["result"]["type"] == "canceled" for line in lines) == counts["canceled"]
        assert client.post(f"{path}/cancel").status_code == 400


def test_after_24_hours_what_is_not_done_has_expired(tmp_path: Path, key: str) -> None:
    with forked_sandbox(tmp_path, "--turnaround", "40h") as slow, http(slow, key) as client:
        batch = client.post("/v1/messages/batches", json={"requests": requests(300)}).json()
        path = f"/v1/messages/batches/{batch['id']}"
        advance(slow, 24 * 3600 + 1)
        ended = client.get(path).json()
        assert ended["processing_status"] == "ended"
        assert ended["ended_at"] == ended["expires_at"]
        assert ended["request_counts"]["expired"] > 0
        assert ended["request_counts"]["succeeded"] + ended["request_counts"]["expired"] == 300


def test_results_are_lines_in_another_order_without_a_last_newline(instant: Running, key: str) -> None:
    with http(instant, key) as client:
        batch = client.post("/v1/messages/batches", json={"requests": requests(300)}).json()
        answer = client.get(f"/v1/messages/batches/{batch['id']}/results")
        again = client.get(f"/v1/messages/batches/{batch['id']}/results")
    assert answer.headers["content-type"] == "application/x-jsonl"
    assert answer.headers["content-disposition"] == f'attachment; filename="{batch["id"]}_results.jsonl"'
    assert answer.headers["transfer-encoding"] == "chunked"
    assert "content-length" not in answer.headers
    assert not answer.text.endswith("\n")
    order = [json.loads(line)["custom_id"] for line in answer.text.split("\n")]
    asked = [request["custom_id"] for request in requests(300)]
    assert order != asked
    assert sorted(order) == sorted(asked)
    assert answer.content == again.content


def test_bad_params_are_accepted_and_errored_twice_nested(instant: Running, key: str) -> None:
    with http(instant, key) as client:
        bad = {"custom_id": "bad", "params": params() | {"messages": []}}
        created = client.post("/v1/messages/batches", json={"requests": [*requests(2), bad]})
        assert created.status_code == 200
        text = client.get(f"/v1/messages/batches/{created.json()['id']}/results").text
    line = next(line for line in map(json.loads, text.split("\n")) if line["custom_id"] == "bad")
    assert line["result"]["type"] == "errored"
    assert line["result"]["error"]["type"] == "error"
    assert line["result"]["error"]["error"]["type"] == "invalid_request_error"
    assert line["result"]["error"]["request_id"] is None


def test_every_response_says_who_answered_whom_and_when(sandbox: Running, key: str) -> None:
    with http(sandbox, key) as client:
        for answer in (client.get("/v1/messages/batches"), client.get("/v1/messages/batches/msgbatch_no")):
            assert answer.headers["request-id"].startswith("req_")
            assert answer.headers["anthropic-organization-id"]
            assert answer.headers["anthropic-workspace-id"] == key.replace("sk-sandbox-", "wrkspc_sandbox_")
            assert answer.headers["date"].endswith("GMT")
        assert answer.json()["request_id"] == answer.headers["request-id"]


def test_pages_go_both_ways(instant: Running, key: str) -> None:
    with sdk(instant, key) as client:
        ids = [client.messages.batches.create(requests=requests(1)).id for _ in range(7)]
        newest_first = ids[::-1]
        first = client.messages.batches.list(limit=3)
        assert [batch.id for batch in first.data] == newest_first[:3]
        assert (first.has_more, first.first_id, first.last_id) == (True, newest_first[0], newest_first[2])
        assert [batch.id for batch in first] == newest_first
        before = client.messages.batches.list(before_id=newest_first[5], limit=2)
        assert [batch.id for batch in before.data] == newest_first[3:5]
        assert before.has_more
        last = client.messages.batches.list(after_id=newest_first[5])
        assert [batch.id for batch in last.data] == newest_first[6:]
        assert not last.has_more
        for limit in (0, 1001):
            with pytest.raises(anthropic.BadRequestError):
                client.messages.batches.list(limit=limit)


def test_a_workspace_sees_its_own_batches_only(instant: Running) -> None:
    with sdk(instant, "sk-sandbox-mine") as mine, sdk(instant, "any other key") as theirs:
        batch = mine.messages.batches.create(requests=requests(1))
        with pytest.raises(anthropic.NotFoundError):
            theirs.messages.batches.retrieve(batch.id)
        assert list(theirs.messages.batches.list()) == []
        selecting = theirs.with_options(default_headers={"anthropic-workspace-id": "wrkspc_sandbox_mine"})
        assert selecting.messages.batches.retrieve(batch.id).id == batch.id


def test_temperature_is_for_the_old_version_only(instant: Running, key: str) -> None:
    kinds = {}
    for version in ("2023-06-01", "2026-10-21"):
        with http(instant, key, **{"anthropic-version": version}) as client:
            batch = client.post("/v1/messages/batches", json={"requests": requests(1, temperature=0.5)}).json()
            line = client.get(f"/v1/messages/batches/{batch['id']}/results").json()
            kinds[version] = line["result"]
    assert kinds["2023-06-01"]["type"] == "succeeded"
    error = kinds["2026-10-21"]["error"]["error"]
    assert error == {"type": "invalid_request_error", "message": "temperature: Extra inputs are not permitted"}


def test_results_are_gone_after_29_days_and_the_batch_is_not(sandbox: Running, key: str) -> None:
    with http(sandbox, key) as client:
        batch = client.post("/v1/messages/batches", json={"requests": requests(1)}).json()
        path = f"/v1/messages/batches/{batch['id']}"
        assert client.get(f"{path}/results").status_code == 404
        assert client.delete(path).status_code == 400
        advance(sandbox, 24 * 3600)
        assert client.get(f"{path}/results").status_code == 200
        advance(sandbox, 28 * 24 * 3600 + 1)
        archived = client.get(path).json()
        assert archived["processing_status"] == "ended"
        assert archived["archived_at"] is not None
        assert archived["results_url"] is None
        assert client.get(f"{path}/results").status_code == 404
        wait_until(lambda: not (sandbox.data_dir / "bodies" / f"{batch['id']}.json").exists())


def test_the_queue_has_a_limit(tmp_path: Path, key: str) -> None:
    with forked_sandbox(tmp_path, "--turnaround", "1h", "--queue-limit", "5") as small, sdk(small, key) as client:
        client.messages.batches.create(requests=requests(4))
        with pytest.raises(anthropic.RateLimitError) as caught:
            client.messages.batches.create(requests=requests(2))
        assert int(caught.value.response.headers["retry-after"]) > 0
        client.messages.batches.create(requests=requests(1))


def test_turnaround_spreads_and_speed_runs_the_clock(tmp_path: Path, key: str) -> None:
    with forked_sandbox(tmp_path, "--turnaround", "20m", "--speed", "3600") as fast, sdk(fast, key) as client:
        ids = [client.messages.batches.create(requests=requests(1)).id for _ in range(5)]
        wait_until(lambda: all(client.messages.batches.retrieve(batch_id).ended_at for batch_id in ids))
        batches = [client.messages.batches.retrieve(batch_id) for batch_id in ids]
        took = {(batch.ended_at - batch.created_at).total_seconds() for batch in batches if batch.ended_at}
    assert len(took) == 5
    assert all(60 < seconds < 4 * 3600 for seconds in took)
