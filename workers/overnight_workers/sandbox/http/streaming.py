"""Sending results while they are made, whole or broken off as the faults say."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator
from itertools import islice

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from overnight_workers.sandbox.faults.faults import Rule
from overnight_workers.sandbox.http.calls import hang_up

_LINES_AT_ONCE = 500


class Lines(Response):
    """A JSON-lines answer without a length and without a newline at its end."""

    media_type = "application/x-jsonl"

    def __init__(self, lines: Iterator[bytes], count: int, filename: str, rules: list[Rule]) -> None:
        super().__init__(headers={"content-disposition": f'attachment; filename="{filename}"'})
        del self.headers["content-length"]
        self._lines = lines
        breaks = [rule for rule in rules if rule.do in ("cut_mid_line", "cut_at_line", "reset", "stall")]
        self._break = breaks[0] if breaks else None
        self._break_after = count // 2
        if self._break is not None and self._break.lines is not None:
            self._break_after = self._break.lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the lines; stop when nobody reads any more."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            if self._break is not None:
                whole = await self._send_broken(self._break, scope, send)
            else:
                whole = await self._send_all(scope, send, first=True)
            if whole:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            if isinstance(self._lines, Generator):
                self._lines.close()

    async def _send_all(self, scope: Scope, send: Send, *, first: bool) -> bool:
        transport: asyncio.Transport = scope["state"]["transport"]
        while not transport.is_closing():
            chunk = await run_in_threadpool(self._next, _LINES_AT_ONCE)
            if not chunk:
                return True
            await send({"type": "http.response.body", "body": chunk if first else b"\n" + chunk, "more_body": True})
            first = False
        return False

    async def _send_broken(self, rule: Rule, scope: Scope, send: Send) -> bool:
        left, first = self._break_after, True
        while left > 0:
            chunk = await run_in_threadpool(self._next, min(left, _LINES_AT_ONCE))
            if not chunk:
                return True
            await send({"type": "http.response.body", "body": chunk if first else b"\n" + chunk, "more_body": True})
            left -= _LINES_AT_ONCE
            first = False
        if rule.do == "stall":
            await rule.lasts()
            return await self._send_all(scope, send, first=first)
        if rule.do == "cut_at_line":
            return True
        line = self._next(1)
        half = line[: len(line) // 2]
        await send({"type": "http.response.body", "body": half if first else b"\n" + half, "more_body": True})
        if rule.do == "cut_mid_line":
            return True
        # Let what was written reach the other side before the reset throws it away.
        await asyncio.sleep(0.05)
        hang_up(scope, reset=True)
        return False

    def _next(self, count: int) -> bytes:
        return b"\n".join(islice(self._lines, count))
