"""HTTP as the API takes it: its address, its headers and its errors, over httpx2.

The SDK isn't used here. Of it there would be left what this file holds: its retries may pay for a batch twice, and its
messages lose what was answered. It would take 40 MB and more than a second of a processor in every worker.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, TypedDict
from urllib.request import getproxies

import orjson

from overnight_workers.settings import settings

if TYPE_CHECKING:
    import ssl

    import httpx2

_API: Final = "https://api.anthropic.com"
_VERSION: Final = "2023-06-01"
"""Of the API, where a request names no other."""
_KEEPALIVE: Final = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 60), ("TCP_KEEPCNT", 5))


class NoAnswer(Exception):
    """No whole answer came, whatever a library says of it: the cause is what it raised."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}".rstrip(": "))


class StatusError(Exception):
    """An answer that is no success.

    body: its JSON; its text when it has none.
    """

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self.status = response.status_code
        try:
            self.body: object = orjson.loads(response.content)
        except ValueError:
            self.body = response.text.strip()
        super().__init__(f"HTTP status {self.status}")

    @property
    def error_type(self) -> str | None:
        """The broad kind of error."""
        return _text(self._error.get("type"))

    @property
    def error_code(self) -> str | None:
        """A stable word for the cause, where the API has one."""
        details = self._error.get("details")
        return _text(details.get("error_code")) if isinstance(details, Mapping) else None

    @property
    def said(self) -> str:
        """The API's own words, whatever form they have (a proxy's 413 is HTML)."""
        location = self.response.headers.get("location")
        if self.status < 400 and location is not None:
            return f"a redirect to {location[:200]}, which isn't followed: base_url must be the API's own address"
        if self._error:
            return f"{self._error.get('type', 'error')}: {self._error.get('message', '')}".strip()
        return " ".join(str(self.body or self).split())[:500]

    @property
    def _error(self) -> Mapping[str, object]:
        error = self.body.get("error") if isinstance(self.body, Mapping) else None
        return error if isinstance(error, Mapping) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def is_behind_proxy() -> bool:
    """Whether the environment names a proxy: then httpx2 connects by itself, as it reads those variables."""
    return bool(getproxies().keys() & {"http", "https", "all"})


class Options(TypedDict):
    """See `options`."""

    base_url: str
    headers: dict[str, str]
    auth: httpx2.Auth
    follow_redirects: bool


def options(workspace: str) -> Options:
    """What httpx2's clients are told, those that wait and those of an event loop.

    A redirect isn't followed: it sends a create twice, and the key to whatever host an answer names. The client has no
    key: each request gets the one of then.
    """
    from overnight_workers.keys import key_auth

    return {
        "base_url": settings().workspaces[workspace].base_url or os.environ.get("ANTHROPIC_BASE_URL") or _API,
        "headers": {
            "accept": "application/json",
            "user-agent": f"overnight/{version('overnight')}",
            "anthropic-version": _VERSION,
            **_custom_headers(),
        },
        "auth": key_auth.KeyAuth(workspace),
        "follow_redirects": False,
    }


def _custom_headers() -> dict[str, str]:
    """`Name: value` a line of the variable that the SDK reads too: what a gateway between wants of each request."""
    lines = [line.partition(":") for line in os.environ.get("ANTHROPIC_CUSTOM_HEADERS", "").split("\n") if ":" in line]
    return {name.strip(): value.strip() for name, _, value in lines}


def waiting_client(workspace: str) -> httpx2.Client:
    """A client that waits for its answers. Connections that say nothing for long are kept alive by TCP."""
    import httpx2

    transport = None
    if not is_behind_proxy():
        keepalive = [(socket.IPPROTO_TCP, getattr(socket, name), s) for name, s in _KEEPALIVE if hasattr(socket, name)]
        keepalive.append((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1))
        transport = httpx2.HTTPTransport(verify=trusted(), socket_options=keepalive)
    timeout = httpx2.Timeout(60.0, connect=5.0)
    return httpx2.Client(**options(workspace), verify=trusted(), transport=transport, timeout=timeout)


@cache
def trusted() -> ssl.SSLContext:
    """The certificates that httpx2 trusts. To read them takes 25 ms, so a process does it once for all workspaces."""
    import httpx2

    return httpx2.create_ssl_context()


def begun(client: httpx2.Client, request: httpx2.Request) -> httpx2.Response:
    """An answer whose body is still to be read. Raises StatusError for one that is no success, or NoAnswer."""
    try:
        response = client.send(request, stream=True)
        if response.is_success:
            return response
        try:
            response.read()
        finally:
            response.close()
    except Exception as error:
        # what is raised by what feeds the body, or by the key's command, isn't httpx2's
        raise NoAnswer(error) from error
    raise StatusError(response)


def whole(client: httpx2.Client, request: httpx2.Request) -> httpx2.Response:
    """An answer with its body. Raises StatusError for one that is no success, or NoAnswer."""
    response = begun(client, request)
    try:
        response.read()
    except Exception as error:
        raise NoAnswer(error) from error
    finally:
        response.close()
    return response
