"""Real-time calls where the environment names a proxy: they go through it, and what it refuses was never sent."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest

from overnight_workers.stages.direct.direct import direct
from tests.driving import Service, item, params, text_of
from tests.stages.direct.test_endings import LONG, doubts


class Passing(BaseHTTPRequestHandler):
    """Hands on what is sent by plain HTTP; tunnels are refused."""

    protocol_version = "HTTP/1.1"
    passed: list[str]

    def do_POST(self) -> None:
        """Hand it on."""
        self.passed.append(self.path)
        there = urlsplit(self.path)
        connection = http.client.HTTPConnection(there.hostname or "", there.port or 80)
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name: value for name, value in self.headers.items() if name.lower() != "proxy-connection"}
        connection.request("POST", there.path, body, headers)
        answer = connection.getresponse()
        body_back = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(body_back)))
        self.end_headers()
        self.wfile.write(body_back)
        connection.close()

    def do_CONNECT(self) -> None:
        """No tunnel."""
        self.passed.append(self.path)
        self.send_error(403)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Proxy(ThreadingHTTPServer):
    """Ends with the test, whatever is still connected."""

    daemon_threads = True


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What has gone through the proxy of the environment."""
    seen: list[str] = []
    proxy = Proxy(("127.0.0.1", 0), type("Handler", (Passing,), {"passed": seen}))
    thread = Thread(target=proxy.serve_forever, args=(0.05,))
    thread.start()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.server_port}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    yield seen
    proxy.shutdown()
    thread.join()
    proxy.server_close()


@pytest.mark.parametrize("max_tokens", [256, LONG], ids=["whole", "streamed"])
def test_a_call_goes_through_the_proxy_of_the_environment(service: Service, passed: list[str], max_tokens: int) -> None:
    service.configure(lane={"road": "direct"}, workspaces={"default": {"limits": {"*": {"output_tokens": 10_000_000}}}})
    service.accept(item("a", params=params(text_of("a"), max_tokens=max_tokens)))
    direct()
    assert service.ledger.item("a")["state"] == "succeeded"
    assert passed == [f"{service.sandbox.url}/v1/messages"]
    assert doubts(service) == []


def test_what_no_proxy_names_goes_past_it(service: Service, passed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    service.configure(lane={"road": "direct"})
    service.accept(item("a"))
    direct()
    assert service.ledger.item("a")["state"] == "succeeded"
    assert passed == []


def test_a_tunnel_that_the_proxy_refuses_means_that_nothing_was_sent(service: Service, passed: list[str]) -> None:
    service.configure(lane={"road": "direct"}, workspaces={"default": {"base_url": "https://api.example.com"}})
    service.accept(item("a"))
    direct()
    waits = service.ledger.item("a")
    assert set(passed) == {"api.example.com:443"}
    assert (waits["state"], waits["attempts"], doubts(service)) == ("waiting", 0, [])
