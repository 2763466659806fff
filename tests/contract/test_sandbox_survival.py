"""What the sandbox keeps when it is killed, and what it never accepts."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from overnight_workers.sandbox.process import Running, running
from tests.waiting import wait_until

BATCHES = "/v1/messages/batches"
HEADERS = {"x-api-key": "sk-sandbox-survivor", "anthropic-version": "2026-10-21"}


def body(amount: int, text: str = "Describe") -> dict[str, Any]:
    return {
        "requests": [
            {
                "custom_id": f"i{number}",
                "params": {
                    "model": "claude-haiku-5-5",
                    "max_tokens": 1024,
                    "messages": [{"role": "user", "content": f"{text} {number}"}],
                },
            }
            for number in range(amount)
        ]
    }


def client_of(sandbox: Running) -> httpx2.Client:
    return httpx2.Client(verify=False, base_url=sandbox.url, headers=HEADERS, timeout=60)


@pytest.fixture(scope="module")
def instant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("instant"), "--instant") as sandbox:
        yield sandbox


def send_raw(sandbox: Running, length: int, sent: bytes) -> socket.socket:
    """A create of `length` bytes of which `sent` has gone out; closing the connection leaves it at that."""
    host, port = sandbox.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    connection.sendall(
        f"POST {BATCHES} HTTP/1.1\r\nhost: {host}\r\n{head}content-length: {length}\r\n\r\n".encode() + sent
    )
    return connection


@pytest.mark.parametrize(("offset", "minutes"), [("7m", 7), ("-7m", -7)])
def test_its_clock_may_be_another_from_its_first_start_on(tmp_path: Path, offset: str, minutes: int) -> None:
    for turnaround in (offset, "1h"):
        with running(tmp_path, "--instant", f"--clock-offset={turnaround}") as sandbox, client_of(sandbox) as client:
            answer = client.post(BATCHES, json=body(1, f"Describe {turnaround}"))
        ours = datetime.now(UTC) + timedelta(minutes=minutes)
        assert abs(parsedate_to_datetime(answer.headers["date"]) - ours) < timedelta(seconds=30)
        assert abs(datetime.fromisoformat(answer.json()["created_at"]) - ours) < timedelta(seconds=30)


def test_a_kill_loses_nothing(tmp_path: Path) -> None:
    first = Running(tmp_path, "--turnaround", "1h")
    with client_of(first) as client:
        done = client.post(BATCHES, json=body(50)).json()["id"]
        client.post("/sandbox/clock", json={"advance_s": 90_000})
        results = client.get(f"{BATCHES}/{done}/results").text
        client.put("/sandbox/faults", json=[{"at": "cancel", "do": "status", "count": 2}])
        assert client.post(f"{BATCHES}/{done}/cancel").status_code == 500
        meter = client.get("/sandbox/meter").json()
        now = client.get("/sandbox/clock").json()["now"]
        # The answer to this create is the last thing that the process does.
        open_ = client.post(BATCHES, json=body(30, "Draw")).json()["id"]
        first.kill()
    with running(tmp_path, "--turnaround", "1h") as second, client_of(second) as client:
        assert client.get("/sandbox/clock").json()["now"] > now
        assert [batch["id"] for batch in client.get(BATCHES).json()["data"]] == [open_, done]
        assert client.get(f"{BATCHES}/{done}/results").text == results
        assert client.get(f"{BATCHES}/{open_}").json()["processing_status"] == "in_progress"
        after = client.get("/sandbox/meter").json()
        assert after["creates_accepted"] == 2
        assert after["requests_accepted"] == 80
        for same in ("nanodollars", "requests_billed", "tokens"):
            assert after[same] == meter[same]
        client.post("/sandbox/clock", json={"advance_s": 1200})
        assert client.post(f"{BATCHES}/{open_}/cancel").status_code == 500
        assert client.post(f"{BATCHES}/{open_}/cancel").status_code == 200
        client.post("/sandbox/clock", json={"advance_s": 90_000})
        assert client.get(f"{BATCHES}/{open_}").json()["processing_status"] == "ended"
        assert client.get("/sandbox/meter").json()["requests_billed"] > meter["requests_billed"]


def test_killed_while_settling_it_bills_once(tmp_path: Path) -> None:
    first = Running(tmp_path, "--turnaround", "1h")
    with client_of(first) as client:
        batch_id = client.post(BATCHES, json=body(20_000)).json()["id"]
        client.post("/sandbox/clock", json={"advance_s": 90_000})
        # The settler has it by now, or is about to.
        first.kill()
    with running(tmp_path) as second, client_of(second) as client:
        assert client.get(f"{BATCHES}/{batch_id}").json()["request_counts"]["succeeded"] == 20_000
        meter = client.get("/sandbox/meter").json()
        assert (meter["requests_billed"], meter["requests_billed_twice"]) == (20_000, 0)


def test_a_body_that_never_was_whole_creates_nothing(instant: Running) -> None:
    whole = json.dumps(body(2000)).encode()
    with client_of(instant) as client:

        def closed_calls() -> int:
            calls = client.get("/sandbox/meter").json()["calls"].get("batches.create", {})
            return int(calls.get("closed", 0))

        before = client.get("/sandbox/meter").json()
        closed = closed_calls()
        for sent in (0, 1, len(whole) // 2, len(whole) - 1):
            send_raw(instant, len(whole), whole[:sent]).close()
        wait_until(lambda: closed_calls() == closed + 4)
        assert client.get(BATCHES).json()["data"] == []
        assert client.get("/sandbox/meter").json()["creates_accepted"] == before["creates_accepted"]
        assert list((instant.data_dir / "bodies").iterdir()) == []


def test_a_caller_that_leaves_after_the_last_byte_has_created_a_batch(instant: Running) -> None:
    whole = json.dumps(body(2000)).encode()
    with client_of(instant) as client:
        before = client.get("/sandbox/meter").json()["creates_accepted"]
        send_raw(instant, len(whole), whole).close()
        wait_until(lambda: client.get("/sandbox/meter").json()["creates_accepted"] == before + 1)
        assert len(client.get(BATCHES).json()["data"]) == 1


def test_the_same_seed_has_the_same_fate_whatever_other_workspaces_do(tmp_path: Path) -> None:
    rules = json.dumps([{"at": "item", "do": "errored", "type": "overloaded_error", "rate": 0.3}])

    def fate(name: str, seed: str, *, others: int = 0) -> dict[str, Any]:
        arguments = ("--instant", "--seed", seed, "--faults", rules)
        with running(tmp_path / name, *arguments) as sandbox, client_of(sandbox) as client:
            for _ in range(others):
                client.post(BATCHES, json=body(3), headers={"x-api-key": "sk-sandbox-another"}).raise_for_status()
            batch_id = client.post(BATCHES, json=body(100)).json()["id"]
            text = client.get(f"{BATCHES}/{batch_id}/results").text
        lines = [json.loads(line) for line in text.split("\n")]
        for line in lines:
            line["result"].get("message", {}).pop("id", None)
        return {line["custom_id"]: line["result"] for line in lines}

    first = fate("first", "3")
    second = fate("second", "3", others=1)
    assert second == first
    assert list(second) == list(first), "the order of the results, too"
    assert 10 < sum(result["type"] == "errored" for result in first.values()) < 60


def test_a_reset_meter_starts_from_nothing(instant: Running) -> None:
    with client_of(instant) as client:
        kept = client.get("/sandbox/batches").json()["data"]
        client.post("/sandbox/meter/reset")
        client.post(BATCHES, json=body(5))
        assert client.get("/sandbox/meter").json()["requests_billed"] == 5
        empty = client.post("/sandbox/meter/reset").json()
        assert empty["nanodollars"] == empty["creates_accepted"] == empty["requests_accepted_twice"] == 0
        assert empty["workspaces"] == {}
        assert len(client.get("/sandbox/batches").json()["data"]) == len(kept) + 1


def test_calls_are_answered_while_a_large_batch_is_at_work(instant: Running) -> None:
    large = json.dumps(body(30_000)).encode()

    def send() -> None:
        httpx2.post(f"{instant.url}{BATCHES}", headers=HEADERS, content=large, timeout=60)

    with client_of(instant) as client:
        sending = threading.Thread(target=send)
        began = time.monotonic()
        sending.start()
        slowest = 0.0
        while sending.is_alive():
            started = time.monotonic()
            assert client.get(f"{BATCHES}/msgbatch_nobody").status_code == 404
            slowest = max(slowest, time.monotonic() - started)
        sending.join()
        assert slowest < max(1.0, (time.monotonic() - began) / 2)
