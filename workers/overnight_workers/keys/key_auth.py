"""Each request to the API bears the key that its workspace has then: a key may be replaced while workers run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from typing import Final

import httpx2

from overnight_workers.keys.api_keys import after_refusal, current, current_beside_loop, last

RENEWED: Final = "overnight_key_renewed"
"""An extension of a request that was turned down with an old key, while there is a new one."""


class KeyAuth(httpx2.Auth):
    """Sends each request with the key that its workspace has then; once more where that was an old one.

    A create isn't sent once more, since its body comes only once: its request says that there is a new key.
    """

    def __init__(self, workspace: str) -> None:
        self._workspace = workspace

    def sync_auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """For clients that wait."""
        used = _give(request, current(self._workspace))
        response = yield request
        if response.status_code == 401 and (key := after_refusal(self._workspace, used)) and _may_be_repeated(request):
            _give(request, key)
            yield request

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """For clients of an event loop. Whoever sends has just looked for the key: that one is given."""
        used = _give(request, last(self._workspace) or await current_beside_loop(self._workspace))
        response = yield request
        if response.status_code != 401:
            return
        key = await asyncio.to_thread(after_refusal, self._workspace, used)
        if key and _may_be_repeated(request):
            _give(request, key)
            yield request


def _give(request: httpx2.Request, key: str) -> str:
    request.headers["x-api-key"] = key
    # where Anthropic's SDK puts it: a gateway may read no other
    request.headers["authorization"] = f"Bearer {key}"
    return key


def _may_be_repeated(request: httpx2.Request) -> bool:
    """Whether it can be sent once more: only whole bodies can. Notes on it that there is a new key."""
    request.extensions[RENEWED] = True
    return isinstance(request.stream, httpx2.ByteStream)
