"""One signed request to an endpoint, and what was seen of its answer, as plain values.

By httpcore2 itself: it follows no redirect, knows no proxy of the environment, keeps no cookie and decodes nothing.
"""

from __future__ import annotations

import asyncio
import email.utils
import ipaddress
import os
import re
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from urllib.parse import unquote, urlsplit

import httpcore2
import httpx2

from overnight_models.wire.signature import Secret, signed_headers
from overnight_workers.configuration.addresses import why_refused
from overnight_workers.configuration.webhook_settings import Webhook
from overnight_workers.webhooks.guard import AddressRefused, GuardedBackend, Resolve, resolve

_MOST_BYTES: Final = 1_000_000
"""Of an answer's body; the rest isn't read."""
_SHOWN: Final = 200
"""Characters of an answer that an error shows."""
_KEPT_FOR_S: Final = 15.0
_TRUSTED: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_NEVER_SENT: Final = (
    AddressRefused,
    httpcore2.ConnectError,
    httpcore2.ConnectTimeout,
    httpcore2.PoolTimeout,
    httpcore2.ProxyError,
    httpcore2.UnsupportedProtocol,
)


@dataclass(frozen=True)
class Answer:
    """What was seen of one request."""

    status: int | None
    """None when no answer came."""
    may_have_come: bool
    """The endpoint may have read the request."""
    why: str = ""
    """What went wrong, in a sentence without its end; empty for a status of 2xx. Nothing of the answer's body."""
    said: str = ""
    """The beginning of that body. It may quote what was sent: only who may read answers may see it."""
    body: bytes = b""
    retry_after_s: float | None = None
    took_s: float = 0.0
    tls: str = ""
    """Version and cipher; empty where it isn't encrypted."""

    @property
    def is_taken(self) -> bool:
        """Whether the status is 2xx."""
        return self.status is not None and 200 <= self.status < 300


class Poster:
    """Requests to one endpoint, by connections that are kept alive. For one event loop."""

    def __init__(self, webhook: Webhook, *, resolve: Resolve = resolve) -> None:
        self._webhook = webhook
        connections = webhook.concurrency
        proxy = _proxy(webhook.proxy) if webhook.proxy else None
        network = (
            httpcore2.AnyIOBackend()
            if proxy is not None
            else GuardedBackend(webhook.allow_private, only_allowed=webhook.is_plain, resolve=resolve)
        )
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=None if webhook.is_plain else _tls(webhook.ca_file, tuple(map(os.environ.get, _TRUSTED))),
            proxy=proxy,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=_KEPT_FOR_S,
            network_backend=network,
        )

    async def close(self) -> None:
        """End its connections."""
        await self._pool.aclose()

    async def post(self, secrets: Sequence[Secret], message_id: str, body: bytes) -> Answer:
        """Send one body, once. Never raises for what the endpoint or the network does."""
        webhook, began = self._webhook, time.monotonic()
        headers = {
            "content-type": "application/json",
            "accept-encoding": "identity",
            "user-agent": "overnight-webhooks",
            **signed_headers(secrets, message_id, datetime.now(UTC), body),
        }
        try:
            _check_literal(webhook)
            async with asyncio.timeout(webhook.connect_timeout + webhook.timeout):
                answer = await self._exchange(headers, body)
        except TimeoutError:
            answer = Answer(None, True, f"no whole answer within {webhook.timeout:g} s")
        except Exception as error:  # noqa: BLE001 - whatever a library raises, the request may have been sent
            answer = Answer(None, not isinstance(error, _NEVER_SENT), _said(error))
        return Answer(**{**vars(answer), "took_s": time.monotonic() - began})

    async def _exchange(self, headers: dict[str, str], body: bytes) -> Answer:
        webhook = self._webhook
        limits = {
            "connect": webhook.connect_timeout,
            "pool": webhook.connect_timeout,
            "read": webhook.timeout,
            "write": webhook.timeout,
        }
        async with self._pool.stream(
            "POST", webhook.url, headers=list(headers.items()), content=body, extensions={"timeout": limits}
        ) as response:
            parts, size = [], 0
            async for part in response.aiter_stream():
                parts.append(part)
                size += len(part)
                if size > _MOST_BYTES:
                    break
            answered = b"".join(parts)
            stream = response.extensions.get("network_stream")
            tls = _tls_of(stream.get_extra_info("ssl_object") if stream is not None else None)
            given = {name.lower(): value for name, value in response.headers}
        taken = 200 <= response.status < 300
        return Answer(
            response.status,
            True,
            "" if taken else _refusal(response.status, given.get(b"location", b"")),
            " ".join(answered[: 4 * _SHOWN].decode("utf-8", "replace").replace("\x00", " ").split())[:_SHOWN],
            answered,
            retry_after_s(given.get(b"retry-after"), datetime.now(UTC)),
            tls=tls,
        )


def retry_after_s(header: bytes | None, now: datetime) -> float | None:
    """Seconds that an answer's `Retry-After` asks for, in either of its forms; None where it says nothing."""
    text = (header or b"").decode("latin-1").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        return float(text)
    try:
        at = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max((at - now).total_seconds(), 0.0)


def _check_literal(webhook: Webhook) -> None:
    """An address in the URL itself is looked at also where a proxy dials it. Raises AddressRefused."""
    if not webhook.proxy:
        return
    try:
        address = ipaddress.ip_address(urlsplit(webhook.url).hostname or "")
    except ValueError:
        return
    why = why_refused(address, webhook.allow_private)
    if why is not None:
        raise AddressRefused(f"webhooks don't go to {address}: {why}")


def _proxy(url: str) -> httpcore2.Proxy:
    parts = urlsplit(url)
    place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    if parts.username is None:
        return httpcore2.Proxy(place)
    return httpcore2.Proxy(place, auth=(unquote(parts.username), unquote(parts.password or "")))


@lru_cache(maxsize=100)
def _tls(ca_file: str, _environment: tuple[str | None, ...]) -> ssl.SSLContext:
    """What the machine trusts (SSL_CERT_FILE too), and that file's certificates. Making one takes some 20 ms."""
    context = httpx2.create_ssl_context()
    if ca_file:
        context.load_verify_locations(ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _tls_of(tls: ssl.SSLObject | None) -> str:
    if tls is None:
        return ""
    cipher = tls.cipher()
    return f"{tls.version()}, {cipher[0]}" if cipher else str(tls.version())


def _refusal(status: int, location: bytes) -> str:
    if 300 <= status < 400:
        parts = urlsplit(location.decode("latin-1"))
        where = f" to {parts.scheme}://{parts.hostname}" if parts.hostname else ""
        return f"HTTP {status}: it redirects{where}, which isn't followed: write the last URL into the configuration"
    return f"HTTP {status}"


def _said(error: Exception) -> str:
    if isinstance(error, AddressRefused):
        return str(error)
    if isinstance(error, (httpcore2.ReadTimeout, httpcore2.WriteTimeout)):
        return "no whole answer in time"
    text = " ".join(str(error).split())[:_SHOWN]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
