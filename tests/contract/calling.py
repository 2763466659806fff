"""Calls of the sandbox in its own words and in those of the SDK, and requests for them."""

from typing import Any

import anthropic
import httpx2

from overnight_workers.sandbox.process import Running

HAIKU, SONNET = "claude-haiku-5-5", "claude-sonnet-5"


def plain() -> httpx2.Client:
    """No TLS: setting it up takes longer than a whole call."""
    return anthropic.DefaultHttpxClient(verify=False)


def sdk(sandbox: Running, key: str, **options: Any) -> anthropic.Anthropic:
    return anthropic.Anthropic(
        http_client=plain(),
        base_url=sandbox.url,
        api_key=key,
        max_retries=0,
        _strict_response_validation=True,
        **options,
    )


def http(sandbox: Running, key: str, **headers: str) -> httpx2.Client:
    known = {"x-api-key": key, "anthropic-version": "2026-10-21"}
    return httpx2.Client(verify=False, base_url=sandbox.url, headers=known | headers)


def params(text: str = "Describe a chair", **more: Any) -> Any:
    return {
        "model": "claude-haiku-5-5",
        "max_tokens": 1024,
        "messages": [{"role": "user", "content": text}],
        **more,
    }


def requests(amount: int, **more: Any) -> Any:
    return [{"custom_id": f"item-{n}", "params": params(f"Describe chair number {n}", **more)} for n in range(amount)]


def ask(**more: Any) -> Any:
    return {"model": SONNET, "max_tokens": 512, "messages": [{"role": "user", "content": "Name a colour"}], **more}


def batched(client: anthropic.Anthropic, *params: Any, headers: dict[str, str] | None = None) -> list[Any]:
    """What becomes of requests in a batch, in the order they were asked in."""
    requests: Any = [{"custom_id": str(number), "params": request} for number, request in enumerate(params)]
    batch = client.messages.batches.create(requests=requests, extra_headers=headers)
    lines = {line.custom_id: line.result for line in client.messages.batches.results(batch.id)}
    return [lines[str(number)] for number in range(len(params))]
