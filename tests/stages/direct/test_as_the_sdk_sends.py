"""Calls go without the SDK, and the API gets what the SDK would have sent, with the same errors for its answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import anthropic
import httpx2
import pytest

from overnight_workers.anthropic_api.realtime import Clients, Reply
from tests.driving import Service

BODY = b'{"model": "claude-haiku-5-5"}'
HEADERS = {"anthropic-version": "2023-06-01", "anthropic-beta": "one,two", "content-type": "application/json"}
ERROR = {"type": "error", "error": {"type": "invalid_request_error", "message": "no", "details": {"error_code": "c"}}}


class Hearing(BaseHTTPRequestHandler):
    """Keeps what came, and answers what its server was given."""

    protocol_version = "HTTP/1.1"
    came: list[tuple[str, dict[str, str], bytes]]
    answer: tuple[int, bytes]

    def do_POST(self) -> None:
        """Keep it."""
        body = self.rfile.read(int(self.headers["content-length"]))
        self.came.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        status, answer = self.answer
        self.send_response(status)
        self.send_header("content-length", str(len(answer)))
        self.send_header("retry-after", "7")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Ends with the test, whatever is still connected."""

    daemon_threads = True


@pytest.fixture
def hearing() -> Iterator[type[Hearing]]:
    """A server whose address ends in a path, as a gateway's may."""
    handler = type("Handler", (Hearing,), {"came": [], "answer": (200, b"{}")})
    server = Server(("127.0.0.1", 0), handler)
    handler.url = f"http://127.0.0.1:{server.server_port}/gateway"  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


def sent(service: Service, url: str) -> Reply:
    """One call, as the stage makes it."""
    service.configure(workspaces={"default": {"base_url": url}})

    async def send() -> Reply:
        clients = Clients(1)
        try:
            return await clients.send("default", BODY, HEADERS, max_tokens=100)
        finally:
            await clients.close()

    return asyncio.run(send())


def test_a_call_has_the_path_headers_and_body_of_the_sdks_own(service: Service, hearing: type[Hearing]) -> None:
    url = str(hearing.url)  # type: ignore[attr-defined]
    sent(service, url)
    sdk = anthropic.Anthropic(api_key=service.api.key, base_url=url, max_retries=0)
    sdk.post("/v1/messages", cast_to=httpx2.Response, content=BODY, options={"headers": HEADERS})
    sdk.close()
    (path, ours, body), (sdk_path, theirs, sdk_body) = hearing.came
    assert (path, body) == (sdk_path, sdk_body)
    assert ours.pop("x-api-key") == service.api.key, "in both places where an API or a gateway may look"
    assert ours.pop("user-agent").startswith("overnight/"), "and it says who it is"
    del theirs["user-agent"]
    assert ours == {name: value for name, value in theirs.items() if not name.startswith("x-stainless-")}


@pytest.mark.parametrize("status", [400, 429, 529])
def test_a_refusal_says_what_the_sdks_error_says(service: Service, hearing: type[Hearing], status: int) -> None:
    hearing.answer = (status, json.dumps(ERROR).encode())
    reply = sent(service, str(hearing.url))  # type: ignore[attr-defined]
    assert (reply.status, reply.text, reply.error_type, reply.error_code, reply.retry_after_s) == (
        *(status, "invalid_request_error: no", "invalid_request_error", "c", 7.0),
    )


def test_a_refusal_without_json_is_quoted(service: Service, hearing: type[Hearing]) -> None:
    hearing.answer = (502, b"<html>  bad\n gateway</html>")
    reply = sent(service, str(hearing.url))  # type: ignore[attr-defined]
    assert (reply.status, reply.text, reply.error_type) == (502, "<html> bad gateway</html>", None)


def test_nobody_at_the_address_is_a_call_that_was_never_sent(service: Service) -> None:
    reply = sent(service, "http://127.0.0.1:1")
    assert (reply.status, reply.may_have_come) == (None, False)
