"""A product's endpoint for webhooks: a real HTTP server of the test's own, that answers what it is told to."""

from __future__ import annotations

import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import orjson

SECRET = "whsec_" + "b3Zlcm5pZ2h0IG92ZXJuaWdodCBvdmVybmlnaHQgISE="
"""A secret for tests, as it is written in a variable."""

CLOSED = 0
"""A status of no answer: the connection is closed."""


@dataclass(frozen=True)
class Reply:
    """What it answers."""

    status: int = 204
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    after_s: float = 0.0


@dataclass(frozen=True)
class Came:
    """One request that came."""

    headers: dict[str, str]
    body: bytes
    at: float
    connection: int
    """The same number for the same connection."""

    @property
    def outcomes(self) -> list[dict[str, Any]]:
        """The outcomes in it."""
        data: list[dict[str, Any]] = orjson.loads(self.body)["data"]
        return data

    @property
    def keys(self) -> list[str]:
        """The keys of these outcomes."""
        return [outcome["key"] for outcome in self.outcomes]


class Endpoint:
    """Where webhooks come to. replies: one for each request, in order; then it takes everything."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.came: list[Came] = []
        self.replies: deque[Reply] = deque()
        self.always = Reply()
        self.chooses: Callable[[Came], Reply] | None = None
        """Decides each answer, where it isn't None."""
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()

    def answer(self, came: Came) -> Reply:
        """Take a request down; what is answered."""
        with self._lock:
            self.came.append(came)
            if self.chooses is not None:
                reply = self.chooses(came)
            else:
                reply = self.replies.popleft() if self.replies else self.always
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        time.sleep(reply.after_s)
        with self._lock:
            self._at_once -= 1
        return reply

    def settings(self, **more: Any) -> dict[str, Any]:
        """A `[webhooks.NAME]` for it."""
        return {
            "url": self.url,
            "secrets": ["env:OVERNIGHT_SHOP_SECRET"],
            "allow_private": ["127.0.0.0/8"],
        } | more


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    endpoint: ClassVar[Endpoint]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.endpoint.answer(Came(headers, body, time.monotonic(), id(self)))
        if reply.status == CLOSED:
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(reply.body)))
        with suppress(ConnectionError):  # whoever asked is gone
            self.end_headers()
            self.wfile.write(reply.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name for it
        """Nothing."""


@contextmanager
def listening(tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[Endpoint]:
    """An endpoint for as long as the block lasts."""
    server = ThreadingHTTPServer((host, 0), _Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    endpoint = Endpoint(f"{'https' if tls else 'http'}://{host}:{server.server_port}/webhooks")
    server.RequestHandlerClass = type("Handler", (_Handler,), {"endpoint": endpoint})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
