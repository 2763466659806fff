"""One message in real time: sent by the SDK's async client, once, and what was seen of it as plain values.

The SDK's client says where a request goes, with which headers, and over which connections. A stream is sent by its
`post`; what has no stream goes to its HTTP client at once, since what `post` does for each call (options copied,
headers put together and checked anew) costs more of a processor than all that is left of it.

The bytes of the answer are kept as they came, since the SDK makes a message of anything: HTML under 200 comes out of it
as a text, an error as a message of Nones, a body that was cut as an error of the JSON reader.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.request import getproxies

import orjson

from overnight_models.crash_points import reach
from overnight_workers.anthropic_api.api import retry_after_s, said
from overnight_workers.anthropic_api.stream import Gathered
from overnight_workers.keys import api_keys
from overnight_workers.settings import settings
from overnight_workers.telemetry import counted

if TYPE_CHECKING:
    import anthropic
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
    """The SDK's client of one workspace, and what of it is the same for each request."""

    sdk: anthropic.AsyncAnthropic
    http: httpx2.AsyncClient
    url: httpx2.URL
    headers: Mapping[str, str]

    def request(self, body: bytes, headers: Mapping[str, str]) -> httpx2.Request:
        """A request as the SDK would send it, but for its count of retries and its timeouts, which are notes of it."""
        import httpx2

        return httpx2.Request(
            "POST", self.url, headers={**self.headers, **headers}, content=body, extensions={"timeout": _WHOLE_LIMITS}
        )


class Clients:
    """The clients of one event loop, one a workspace. The SDK's retries are off, and so are redirects.

    calls: how many may run at once; as many connections are kept open, or each wave of calls would open new ones.
    """

    def __init__(self, calls: int) -> None:
        self._calls = calls
        self._clients: dict[str, _Client] = {}

    async def close(self) -> None:
        """End their connections."""
        for client in self._clients.values():
            await client.sdk.close()

    async def _of(self, workspace: str) -> _Client:
        """The client of a workspace. Raises BadSettings when it has no key."""
        await api_keys.current_beside_loop(workspace)
        client = self._clients.get(workspace)
        if client is None:
            client = self._clients[workspace] = self._new(workspace)
        return client

    def _new(self, workspace: str) -> _Client:
        import anthropic

        from overnight_workers.keys import key_auth

        configured = settings().workspaces[workspace]
        http = _http_client(self._calls, key_auth.KeyAuth(workspace))
        sdk = anthropic.AsyncAnthropic(
            api_key=key_auth.PLACEHOLDER, base_url=configured.base_url, max_retries=0, http_client=http
        )
        # the names of the SDK's own are in another case
        own = {name.lower(): value for name, value in sdk.default_headers.items() if isinstance(value, str)}
        own = {**http.headers, **own}
        return _Client(sdk, http, sdk.base_url.join("v1/messages"), own)

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
                    return await _streamed(client.sdk, body, headers)
                return await _whole(client, body, headers)
        except TimeoutError:
            return Reply(None, True, text=f"no whole answer within {_LONGEST_S:.0f} s")
        except Exception as error:  # noqa: BLE001 - whatever a library raises, the call was made
            return _failed(error)
        finally:
            reach("after message")


def _http_client(calls: int, auth: httpx2.Auth) -> httpx2.AsyncClient:
    """What the SDK sends by: connections of our own, and httpx2's where a proxy of the environment stands before it."""
    import anthropic
    import httpx2

    from overnight_workers.anthropic_api.connections import Connections

    if not getproxies().keys() & {"http", "https", "all"}:
        return anthropic.DefaultAsyncHttpxClient(follow_redirects=False, auth=auth, transport=Connections())
    limits = httpx2.Limits(max_connections=calls, max_keepalive_connections=calls, keepalive_expiry=30)
    return anthropic.DefaultAsyncHttpxClient(follow_redirects=False, auth=auth, limits=limits)


async def _whole(client: _Client, body: bytes, headers: Mapping[str, str]) -> Reply:
    response = await client.http.send(client.request(body, headers))
    if not response.is_success:
        return _failed(_status_error(response))
    return Reply(response.status_code, True, response.content, whole=True, headers=response.headers)


def _status_error(response: httpx2.Response) -> anthropic.APIStatusError:
    """What the SDK raises for an answer that is no success."""
    import anthropic

    try:
        body: object = orjson.loads(response.content)
    except ValueError:
        body = response.text.strip()
    return anthropic.APIStatusError(f"Error code: {response.status_code}", response=response, body=body)


async def _streamed(client: anthropic.AsyncAnthropic, body: bytes, headers: Mapping[str, str]) -> Reply:
    import anthropic
    import httpx2
    from anthropic._constants import RAW_RESPONSE_HEADER

    response = await client.post(
        "/v1/messages",
        cast_to=anthropic.AsyncAPIResponse[bytes],
        content=b'{"stream":true,' + body[1:],
        options={
            "headers": {**headers, RAW_RESPONSE_HEADER: "stream"},
            "timeout": httpx2.Timeout(_SILENT_S, connect=_CONNECT_S),
            "max_retries": 0,
        },
    )
    gathered, size = Gathered(), 0
    try:
        async for chunk in response.iter_bytes():
            reach("in the stream")
            size += len(chunk)
            if size > _MOST_BYTES:
                raise ValueError(f"more than {_MOST_BYTES:,} bytes")
            gathered.take(chunk)
        message = gathered.message()
        text = gathered.fault or ("" if gathered.is_whole else "the stream ended without its end")
        return Reply(response.status_code, True, message, whole=gathered.is_whole, text=text, headers=response.headers)
    except (anthropic.APIError, httpx2.HTTPError, ValueError, RecursionError) as error:
        text = f"the stream broke off: {type(error).__name__}: {error}"
        return Reply(response.status_code, True, text=text, headers=response.headers)
    finally:
        await response.close()


def _failed(error: Exception) -> Reply:
    """What is known of a call that raised."""
    import anthropic
    import httpx2

    if isinstance(error, anthropic.APIStatusError):
        return Reply(
            error.status_code,
            True,
            text=said(error),
            error_code=error.error_code,
            error_type=_type_of(error.body),
            retry_after_s=retry_after_s(error.response.headers),
            headers=error.response.headers,
        )
    # the SDK's own say it by their cause
    cause = error.__cause__ or error if isinstance(error, anthropic.APIConnectionError) else error
    # nothing was written: there was no connection, none was free, or a proxy refused to make it
    never_sent = (
        httpx2.ConnectError,
        httpx2.ConnectTimeout,
        httpx2.PoolTimeout,
        httpx2.ProxyError,
        httpx2.UnsupportedProtocol,
    )
    return Reply(None, not isinstance(cause, never_sent), text=f"{type(cause).__name__}: {cause}".rstrip(": "))


def _type_of(body: object) -> str | None:
    inner = body.get("error") if isinstance(body, Mapping) else None
    kind = inner.get("type") if isinstance(inner, Mapping) else None
    return cast(Any, kind) if isinstance(kind, str) else None
