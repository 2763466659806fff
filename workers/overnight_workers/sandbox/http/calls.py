"""One call through the front door: who is calling, what is told to go wrong, what is answered."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from overnight_workers.sandbox.clock import Clock, http_date
from overnight_workers.sandbox.errors import Refusal, envelope
from overnight_workers.sandbox.faults.faults import Faults, Rule
from overnight_workers.sandbox.http.access import ORGANIZATION, Caller, caller_of, workspace_of
from overnight_workers.sandbox.meter import Meter

_LOG = logging.getLogger("overnight.sandbox")
_OTHER_ANSWERS = frozenset({"status", "redirect"})


class HungUp(Exception):
    """The connection closes without an answer."""


@dataclass(slots=True)
class Call:
    """One call: the request, its caller, and the faults that fired for it."""

    request: Request
    request_id: str
    caller: Caller
    rules: list[Rule]
    body_read: bool = False
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def base_url(self) -> str:
        """Our own address, as the caller knows it."""
        return str(self.request.base_url).rstrip("/")

    def fired(self, do: str) -> Rule | None:
        """The rule that fired for this call and says `do`."""
        return next((rule for rule in self.rules if rule.do == do), None)

    def query_int(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number in the query."""
        text = self.request.query_params.get(name)
        if text is None:
            return default
        if not text.isdecimal():
            raise Refusal(400, f"{name}: Input should be a valid integer, unable to parse string as an integer")
        if not low <= int(text) <= high:
            bound = f"greater than or equal to {low}" if int(text) < low else f"less than or equal to {high}"
            raise Refusal(400, f"{name}: Input should be {bound}")
        return int(text)

    async def json(self, most_bytes: int) -> tuple[Any, bytes]:
        """The body, parsed and raw."""
        chunks: list[bytes] = []
        size = 0
        closing = self.fired("close_during_body") is not None
        async for chunk in self.request.stream():
            size += len(chunk)
            if closing and size:
                raise HungUp
            if size <= most_bytes:
                chunks.append(chunk)
        self.body_read = True
        if self.fired("close_after_body") is not None:
            raise HungUp
        if size > most_bytes:
            raise Refusal(413)
        raw = b"".join(chunks)
        try:
            body = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise Refusal(400, f"The request body is not valid JSON: {error}") from error
        if not isinstance(body, dict):
            raise Refusal(400, "Input should be a valid dictionary or object")
        return body, raw


Handler = Callable[[Call], Awaitable[Response]]


class JSON(Response):
    """A JSON answer."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """As bytes."""
        return orjson.dumps(content)


class NoAnswer(Response):
    """Closes the connection instead of answering."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Close, and wait until the server has noticed."""
        hang_up(scope, reset=False)
        while (await receive())["type"] != "http.disconnect":
            pass


def hang_up(scope: Scope, *, reset: bool) -> None:
    """Drop the connection at once; with `reset`, so that the other side sees a reset and not an end."""
    transport: asyncio.Transport = scope["state"]["transport"]
    if reset:
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class Door:
    """Lets calls in: keys, versions, faults that concern every call, headers, counting."""

    def __init__(self, clock: Clock, faults: Faults, meter: Meter, *, verbose: bool) -> None:
        self._clock = clock
        self._faults = faults
        self._meter = meter
        self._verbose = verbose

    def endpoint(self, name: str, handler: Handler, fault_at: str) -> Callable[[Request], Awaitable[Response]]:
        """A Starlette endpoint around a handler. `name` is what the meter counts it under."""

        async def answer(request: Request) -> Response:
            started = time.perf_counter()
            response, status, workspace = await self._answer(request, handler, fault_at)
            self._meter.count_call(workspace, name, status)
            if self._verbose:
                took_ms = (time.perf_counter() - started) * 1000
                _LOG.info("%s %s %s %.1f ms", request.method, request.url.path, status, took_ms)
            return response

        return answer

    async def _answer(self, request: Request, handler: Handler, fault_at: str) -> tuple[Response, str, str]:
        """The answer, its status, and the workspace that asked (empty if its key opens none)."""
        request_id = "req_sandbox" + secrets.token_hex(10)
        headers = {
            "request-id": request_id,
            "date": http_date(self._clock.now()),
            "anthropic-organization-id": ORGANIZATION,
        }
        call: Call | None = None
        workspace = ""
        try:
            workspace = workspace_of(request.headers)
            headers["anthropic-workspace-id"] = workspace
            caller = caller_of(request.headers, workspace)
            call = Call(request, request_id, caller, self._faults.fired(fault_at, workspace))
            await _before(call)
            response = await _handled(call, handler)
            headers |= call.headers
        except Refusal as refusal:
            if call is not None:
                headers |= call.headers
            if call is None or not call.body_read:
                await _drain(request)
            response = _refused(refusal, request_id, self._clock.now())
        except (HungUp, ClientDisconnect):
            return NoAnswer(), "closed", workspace
        except Exception:  # noqa: BLE001 - a bug here must not look like the API closing a connection
            _LOG.exception("the sandbox failed at %s %s", request.method, request.url.path)
            response = _refused(Refusal(500, "The sandbox itself failed; its log says why."), request_id, 0)
        odd_date = None if call is None else call.fired("odd_date")
        if odd_date is not None:
            headers["date"] = odd_date.message or ""
        response.headers.update({name: value for name, value in headers.items() if value or name != "date"})
        return response, str(response.status_code), workspace


async def _before(call: Call) -> None:
    if call.fired("close_before_body") is not None:
        raise HungUp
    for rule in call.rules:
        if rule.do in _OTHER_ANSWERS and not rule.accepted:
            await rule.lasts()
            raise _told_refusal(rule)
        if rule.do == "missing" and not rule.standing:
            raise Refusal(404)


async def _handled(call: Call, handler: Handler) -> Response:
    """The handler's answer, late or lost if a fault says so; a refusal of its own is an answer too."""
    try:
        response: Response | Refusal = await handler(call)
    except Refusal as refusal:
        response = refusal
    for rule in call.rules:
        if rule.do == "delay":
            await rule.lasts()
    if call.fired("lose_answer") is not None:
        raise HungUp
    if isinstance(response, Refusal):
        raise response
    for rule in call.rules:
        if rule.do in _OTHER_ANSWERS and rule.accepted:
            await rule.lasts()
            raise _told_refusal(rule)
    return response


def _told_refusal(rule: Rule) -> Refusal:
    return Refusal(
        rule.status,
        rule.message,
        type_=rule.type,
        error_code=rule.error_code,
        location=rule.location,
        retry_after=rule.retry_after,
        retry_after_as=rule.retry_after_as,
        html=rule.html,
    )


def _refused(refusal: Refusal, request_id: str, now_us: int) -> Response:
    headers = refusal.headers(now_us)
    if refusal.html:
        return HTMLResponse(refusal.page(), refusal.status, headers)
    body = envelope(refusal.type, refusal.message, request_id, refusal.error_code)
    return JSON(body, refusal.status, headers)


async def _drain(request: Request) -> None:
    """Read what is still coming, so that the refusal isn't lost in a broken pipe."""
    if request.method not in ("POST", "PUT"):
        return
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return
