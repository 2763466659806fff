"""What a create may be: its frame, its number of requests, its bytes; who asks, and in which version."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import httpx2
import pytest

from overnight_workers.sandbox.process import Running
from tests.contract.calling import http
from tests.sandboxes import forked_sandbox

_names = count()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Batches take an hour of the sandbox's time; tests jump its clock."""
    with forked_sandbox(tmp_path_factory.mktemp("sandbox"), "--turnaround", "1h") as sandbox:
        yield sandbox


@pytest.fixture
def key() -> str:
    """A key with a workspace that no other test uses."""
    return f"sk-sandbox-batches{next(_names)}"


@pytest.mark.parametrize(
    ("requests_sent", "complaint"),
    [
        ([], "at least 1 item"),
        ([{"custom_id": "a b", "params": {}}], "custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'"),
        ([{"custom_id": "a" * 65, "params": {}}], "requests.0.custom_id: String should have at most 64 characters"),
        ([{"custom_id": "a", "params": {}}] * 2, "requests.1.custom_id: custom_id must be unique"),
        ([{"params": {}}], "requests.0.custom_id: Field required"),
        ([{"custom_id": "a"}], "requests.0.params: Field required"),
        ([{"custom_id": "a", "params": []}], "requests.0.params: Input should be a valid dictionary"),
        ([{"custom_id": 7, "params": {}}], "requests.0.custom_id: Input should be a valid string"),
        (["a"], "requests.0: Input should be a valid dictionary"),
        ([{"custom_id": "a", "params": {}, "callback": 1}], "requests.0.callback: Extra inputs"),
        ({}, "requests: Input should be a valid list"),
    ],
)  # fmt: skip
def test_the_frame_is_checked_at_once(sandbox: Running, key: str, requests_sent: Any, complaint: str) -> None:
    with http(sandbox, key) as client:
        answer = client.post("/v1/messages/batches", json={"requests": requests_sent})
        assert answer.status_code == 400
        assert answer.json()["error"]["type"] == "invalid_request_error"
        assert complaint in answer.json()["error"]["message"]
        assert client.get("/v1/messages/batches").json()["data"] == []


@pytest.mark.parametrize("body", [b"", b"[]", b'{"requests":', b'{"requests":[{"custom_id":"a","params":{}}', b"{}"])
def test_what_is_no_body_is_rejected(sandbox: Running, key: str, body: bytes) -> None:
    with http(sandbox, key) as client:
        assert client.post("/v1/messages/batches", content=body).status_code == 400


def test_more_than_100_000_requests_are_rejected(sandbox: Running, key: str) -> None:
    raw_line = b'{"custom_id":"i%d","params":{}}'
    with http(sandbox, key) as client:
        body = b'{"requests":[%b]}' % b",".join(raw_line % number for number in range(100_001))
        answer = client.post("/v1/messages/batches", content=body, timeout=60)
    assert answer.status_code == 400
    assert "at most 100000" in answer.json()["error"]["message"]


def test_more_than_256_megabytes_are_too_large(sandbox: Running, key: str) -> None:
    def body() -> Iterator[bytes]:
        for _ in range(257):
            yield b" " * 1_000_000

    with http(sandbox, key) as client:
        answer = client.post(
            "/v1/messages/batches", content=body(), headers={"content-length": "257000000"}, timeout=60
        )
    assert answer.status_code == 413


def test_keys_and_versions(sandbox: Running) -> None:
    version = {"anthropic-version": "2023-06-01"}
    with httpx2.Client(verify=False, base_url=sandbox.url) as client:

        def get(**headers: str) -> httpx2.Response:
            return client.get(
                "/v1/messages/batches", headers={name.replace("_", "-"): headers[name] for name in headers}
            )

        nobody = get(**version)
        assert nobody.status_code == 401
        assert nobody.json()["error"]["type"] == "authentication_error"
        assert "anthropic-workspace-id" not in nobody.headers
        assert get(authorization="Bearer k", **version).status_code == 200
        both = get(authorization="Bearer k", x_api_key="sk-sandbox-wins", **version)
        assert both.headers["anthropic-workspace-id"] == "wrkspc_sandbox_wins"
        assert get(x_api_key="k").status_code == 400
        assert get(x_api_key="k", anthropic_version="2020-01-01").status_code == 400
        assert get(x_api_key="sk-sandbox-invalid", **version).status_code == 401
        assert get(x_api_key="sk-sandbox-forbidden", **version).status_code == 403
