"""The limits of /v1/messages as the sandbox keeps them, and the headers that show them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.sandboxes import forked_sandbox

MESSAGES = "/v1/messages"
SHOWN = "anthropic-ratelimit-"


@contextmanager
def limited(place: Path, *options: str) -> Iterator[httpx2.Client]:
    headers = {"x-api-key": "sk-sandbox-rates", "anthropic-version": "2026-10-21"}
    with (
        forked_sandbox(place, "--instant", *options) as sandbox,
        httpx2.Client(verify=False, base_url=sandbox.url, headers=headers, timeout=60) as client,
    ):
        yield client


def ask(text: str = "Name a colour", model: str = "claude-sonnet-5", **more: Any) -> Any:
    return {"model": model, "max_tokens": 4096, "messages": [{"role": "user", "content": text}], **more}


def limits(client: httpx2.Client, pool: str = "claude-sonnet-5") -> Any:
    rows = client.get("/sandbox/limits").json()["data"]
    return next(row for row in rows if row["pool"] == pool)


def test_a_tiers_limits_stand_in_the_headers(tmp_path: Path) -> None:
    with limited(tmp_path, "--tier", "start") as client:
        headers = client.post(MESSAGES, json=ask("x" * 40_000)).headers
    assert [headers[f"{SHOWN}{kind}-limit"] for kind in ("requests", "input-tokens", "output-tokens", "tokens")] == [
        "1000", "2000000", "400000", "2400000",
    ]  # fmt: skip
    assert headers[f"{SHOWN}requests-remaining"] == "999"
    assert headers[f"{SHOWN}input-tokens-remaining"] == "1990000"
    assert datetime.fromisoformat(headers[f"{SHOWN}input-tokens-reset"]).tzinfo is not None


def test_input_tokens_over_the_limit_are_refused_and_cost_nothing(tmp_path: Path) -> None:
    with limited(tmp_path, "--input-tokens-per-minute", "1000") as client:
        assert client.post(MESSAGES, json=ask("x" * 3600)).status_code == 200
        refused = client.post(MESSAGES, json=ask("x" * 3600))
        assert refused.status_code == 429
        assert 45 <= int(refused.headers["retry-after"]) <= 50
        assert client.get("/sandbox/meter").json()["messages_billed"] == 1
        client.post("/sandbox/clock", json={"advance_s": int(refused.headers["retry-after"])})
        assert client.post(MESSAGES, json=ask("x" * 3600)).status_code == 200
        shown = limits(client)["input_tokens"]
    assert (shown["refused"], shown["limit"]) == (1, 1000)
    assert shown["worst_minute"] == shown["total"] > 1800


def test_tokens_from_the_cache_are_not_counted(tmp_path: Path) -> None:
    cached = [{"type": "text", "text": "x" * 8000, "cache_control": {"type": "ephemeral"}}]
    options = ("--input-tokens-per-minute", "2500", "--warm-hit-rate", "1")
    with limited(tmp_path, *options) as client:
        for number in range(5):
            assert client.post(MESSAGES, json=ask(f"Describe {number}", system=cached)).status_code == 200


def test_answers_over_the_limit_are_owed(tmp_path: Path) -> None:
    long = {"user_id": "sandbox:answer_bytes:8000"}
    with limited(tmp_path, "--output-tokens-per-minute", "1000") as client:
        assert client.post(MESSAGES, json=ask(metadata=long)).status_code == 200
        refused = client.post(MESSAGES, json=ask())
        assert refused.status_code == 429
        assert 55 <= int(refused.headers["retry-after"]) <= 62
        assert refused.headers[f"{SHOWN}output-tokens-remaining"] == "0"


def test_each_pool_of_models_has_its_own_limit_and_a_dated_id_is_of_its_models(tmp_path: Path) -> None:
    with limited(tmp_path, "--messages-per-minute", "1") as client:
        models = (
            "claude-sonnet-5",
            "claude-haiku-4-5",
            "claude-haiku-4-5-20251001",
            "claude-opus-4-8",
            "claude-opus-4-7",
        )
        got = [client.post(MESSAGES, json=ask(model=model)).status_code for model in models]
    assert got == [200, 200, 429, 200, 429]


def test_a_429_may_come_without_retry_after(tmp_path: Path) -> None:
    rules = [{"at": "messages", "do": "no_retry_after"}]
    with limited(tmp_path, "--messages-per-minute", "1") as client:
        client.put("/sandbox/faults", json={"rules": rules})
        assert client.post(MESSAGES, json=ask()).status_code == 200
        refused = client.post(MESSAGES, json=ask())
    assert refused.status_code == 429
    assert "retry-after" not in refused.headers


def test_without_a_tier_tokens_are_shown_and_never_short(tmp_path: Path) -> None:
    with limited(tmp_path) as client:
        client.post(MESSAGES, json=ask("x" * 3_000_000))
        headers = client.post(MESSAGES, json=ask("x" * 3_000_000)).headers
    assert headers[f"{SHOWN}input-tokens-remaining"] == headers[f"{SHOWN}input-tokens-limit"] == "10000000"


def test_latency_differs_when_it_is_told_to(tmp_path: Path) -> None:
    with limited(tmp_path, "--latency", "20ms", "--latency-spread", "0.8") as client:
        took = [client.post(MESSAGES, json=ask()).elapsed.total_seconds() for _ in range(20)]
    assert max(took) > 2 * min(took)


def test_the_limits_begin_again_from_nothing(tmp_path: Path) -> None:
    with limited(tmp_path, "--messages-per-minute", "1") as client:
        assert client.post(MESSAGES, json=ask()).status_code == 200
        assert client.delete("/sandbox/limits").json() == {"data": []}
        assert client.post(MESSAGES, json=ask()).status_code == 200


@pytest.mark.parametrize("tier", ["platinum", ""])
def test_an_unknown_tier_is_refused_at_the_start(tmp_path: Path, tier: str) -> None:
    with pytest.raises(RuntimeError, match="scale"), limited(tmp_path, "--tier", tier):
        pass
