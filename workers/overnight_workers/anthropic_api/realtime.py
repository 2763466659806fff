"""One message in real time: sent by an async client, once, and what was seen of it as plain values.

The bytes of the answer are kept as they came, whatever they are: HTML under 200, an error, a body that was cut.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from overnight_models.crash_points import reach
from overnight_workers.anthropic_api import http_client
from overnight_workers.anthropic_api.http_client import StatusError
from overnight_workers.anthropic_api.moments import retry_after_s
from overnight_workers.anthropic_api.stream import Gathered
from overnight_workers.keys import api_keys
from overnight_workers.telemetry import counted

if TYPE_CHECKING:
    import httpx2

STREAMED_FROM: Final = 8_192
"""An answer that may have more tokens is sent as a stream: minutes without a byte are cut by what lies between."""
_SILENT_S: Final = 120.0
"""Without a byte of a stream, which has pings."""
_WHOLE_S: Final = 600.0
"""For an answer that comes at once."""
_LONGEST_S: Final = 3600.0
"""For any answer: the API ends those that take longer."""
_CONNECT_S: Final = 5.0
_WHOLE_LIMITS: Final = {"connect": _CONNECT_S, "read": _WHOLE_S, "write": _WHOLE_S, "pool": _WHOLE_S}
"""As httpx2's transports take them."""
_STREAM_LIMITS: Final = {"connect": _CONNECT_S, "read": _SILENT_S, "write": _SILENT_S, "pool": _SILENT_S}
_MOST_BYTES: Final = 64_000_000
"""Of one answer: more is no answer of the API."""


@dataclass(frozen=True)
class Reply:
    """What was seen of one call."""

    status: int | None
    """The HTTP status; None when no answer began."""
    may_have_come: bool
    """Its request may have reached the API: bytes of it were written."""
    body: bytes = b""
    """Of a 200: as it came; of a stream: the message that was gathered."""
    whole: bool = False
    """The body has come to its end, as far as HTTP and the stream's events say."""
    text: str = ""
    """The API's words, or the connection's."""
    error_code: str | None = None
    error_type: str | None = None
    retry_after_s: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Client:
    """The client of one workspace, and what is the same for each of its requests."""

    http: httpx2.AsyncClient
    url: httpx2.URL
    headers: Mapping[str, str]

    def request(self, body: bytes, headers: Mapping[str, str], limits: Mapping[str, float]) -> httpx2.Request:
        """A request; made here, since `build_request` takes as long as all the rest of a call."""
        import httpx2

        return httpx2.Request(
            "POST", self.url, headers={**self.headers, **headers}, content=body, extensions={"timeout": limits}
        )


class Clients:
    """The clients of one event loop, one a workspace. Nothing is sent twice.

    calls: how many may run at once; as many connections are kept open, or each wave of calls would open new ones.
    """

    def __init__(self, calls: int) -> None:
        self._calls = calls
        self._clients: dict[str, _Client] = {}

    async def close(self) -> None:
        """End their connections."""
        for client in self._clients.values():
            await client.http.aclose()

    async def _of(self, workspace: str) -> _Client:
        """The client of a workspace. Raises BadSettings when it has no key."""
        await api_keys.current_beside_loop(workspace)
        client = self._clients.get(workspace)
        if client is None:
            client = self._clients[workspace] = self._new(workspace)
        return client

    def _new(self, workspace: str) -> _Client:
        http = _http_client(self._calls, workspace)
        return _Client(http, http.base_url.join("v1/messages"), {**http.headers, "content-type": "application/json"})

    async def send(self, workspace: str, body: bytes, headers: Mapping[str, str], *, max_tokens: int) -> Reply:
        """Send one request, once. Raises for nothing that can be seen of it; BadSettings before it is sent.

        body: the request as JSON, without `stream`.
        max_tokens: of the answer: a long one is streamed.
        """
        reply = await self._sent(await self._of(workspace), body, headers, max_tokens)
        counted.api_call("message", reply.status)
        return reply

    async def _sent(self, client: _Client, body: bytes, headers: Mapping[str, str], max_tokens: int) -> Reply:
        reach("before message")
        try:
            async with asyncio.timeout(_LONGEST_S):
                if max_tokens > STREAMED_FROM:
                    return await _streamed(client, body, headers)
                return await _whole(client, body, headers)
        except TimeoutError:
            return Reply(None, True, text=f"no whole answer within {_LONGEST_S:.0f} s")
        except Exception as error:  # noqa: BLE001 - whatever a library raises, the call was made
            return _failed(error)
        finally:
            reach("after message")


def _http_client(calls: int, workspace: str) -> httpx2.AsyncClient:
    """Over connections of our own, and over httpx2's where a proxy of the environment stands before the API."""
    import httpx2

    from overnight_workers.anthropic_api.connections import Connections

    options = http_client.options(workspace)
    if not http_client.is_behind_proxy():
        return httpx2.AsyncClient(**options, transport=Connections())
    limits = httpx2.Limits(max_connections=calls, max_keepalive_connections=calls, keepalive_expiry=30)
    return httpx2.AsyncClient(**options, limits=limits)


async def _whole(client: _Client, body: bytes, headers: Mapping[str, str]) -> Reply:
    response = await client.http.send(client.request(body, headers, _WHOLE_LIMITS))
    if not response.is_success:
        raise StatusError(response)
    return Reply(response.status_code, True, response.content, whole=True, headers=response.headers)


async def _streamed(client: _Client, body: bytes, headers: Mapping[str, str]) -> Reply:
    import httpx2

    request = client.request(b'{"stream":true,' + body[1:], headers, _STREAM_LIMITS)
    response = await client.http.send(request, stream=True)
    if not response.is_success:
        try:
            await response.aread()
        finally:
            await response.aclose()
        raise StatusError(response)
    gathered, size = Gathered(), 0
    try:
        async for chunk in response.aiter_bytes():
            reach("in the stream")
            size += len(chunk)
            if size > _MOST_BYTES:
                raise ValueError(f"more than {_MOST_BYTES:,} bytes")
            gathered.take(chunk)
        message = gathered.message()
        text = gathered.fault or ("" if gathered.is_whole else "the stream ended without its end")
        return Reply(response.status_code, True, message, whole=gathered.is_whole, text=text, headers=response.headers)
    except (httpx2.HTTPError, ValueError, RecursionError) as error:
        text = f"the stream broke off: {type(error).__name__}: {error}"
        return Reply(response.status_code, True, text=text, headers=response.headers)
    finally:
        await response.aclose()


def _failed(error: Exception) -> Reply:
    """What is known of a call that raised."""
    import httpx2

    if isinstance(error, StatusError):
        return Reply(
            error.status,
            True,
            text=error.said,
            error_code=error.error_code,
            error_type=error.error_type,
            retry_after_s=retry_after_s(error.response.headers),
            headers=error.response.headers,
        )
    # nothing was written: there was no connection, none was free, or a proxy refused to make it
    never_sent = (
        httpx2.ConnectError,
        httpx2.ConnectTimeout,
        httpx2.PoolTimeout,
        httpx2.ProxyError,
        httpx2.UnsupportedProtocol,
    )
    return Reply(None, not isinstance(error, never_sent), text=f"{type(error).__name__}: {error}".rstrip(": "))
