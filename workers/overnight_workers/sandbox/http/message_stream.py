"""A message's answer on its way: whole or as a stream of events, and broken off as the faults say."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from overnight_workers.sandbox.answers.events import PING, event, events_of
from overnight_workers.sandbox.errors import MESSAGE_BY_TYPE
from overnight_workers.sandbox.faults.faults import ANSWER_DEEDS, Rule
from overnight_workers.sandbox.http.calls import hang_up

#: So that what was written reaches the other side before the connection goes.
_LINGER_S = 0.05


class WholeMessage(Response):
    """The message as one JSON document."""

    media_type = "application/json"

    def __init__(self, message: bytes, rules: Sequence[Rule]) -> None:
        self._rule = next((rule for rule in rules if rule.do in ANSWER_DEEDS), None)
        if self._rule is not None and self._rule.do == "cut_body":
            message = message[: len(message) // 2]
        super().__init__(message)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, or half of it."""
        rule = self._rule
        if rule is None or rule.do not in ("break_body", "reset", "stall"):
            await super().__call__(scope, receive, send)
            return
        half = len(self.body) // 2
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body[:half], "more_body": True})
        if rule.do == "stall":
            await rule.lasts()
            await send({"type": "http.response.body", "body": self.body[half:], "more_body": False})
        else:
            await _break(scope, rule)


class MessageStream(Response):
    """The message as a stream of events."""

    media_type = "text/event-stream"

    def __init__(self, message: bytes, rules: Sequence[Rule]) -> None:
        super().__init__(headers={"cache-control": "no-cache"})
        del self.headers["content-length"]
        self._events = events_of(message)
        self._rule = next((rule for rule in rules if rule.do in ANSWER_DEEDS), None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events; stop when nobody reads any more."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        rule = self._rule
        if rule is None:
            await _write(send, b"".join(self._events))
        elif rule.do == "slow":
            await self._send_slowly(rule.seconds or 0.0, scope, send)
        else:
            place = len(self._events) // 2 if rule.lines is None else rule.lines
            await _write(send, b"".join(self._events[:place]))
            if rule.do in ("break_body", "reset"):
                await _break(scope, rule)
                return
            if rule.do == "stall":
                await rule.lasts()
                await _write(send, b"".join(self._events[place:]))
            elif rule.do == "error_event":
                kind = rule.type or "overloaded_error"
                words = rule.message or MESSAGE_BY_TYPE.get(kind, "Error")
                await _write(send, event("error", error={"type": kind, "message": words}))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_slowly(self, lasts_s: float, scope: Scope, send: Send) -> None:
        transport: asyncio.Transport = scope["state"]["transport"]
        for message_event in self._events:
            if transport.is_closing():
                return
            await _write(send, PING + message_event if message_event is not self._events[0] else message_event)
            await asyncio.sleep(lasts_s / len(self._events))


async def _write(send: Send, body: bytes) -> None:
    if body:
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _break(scope: Scope, rule: Rule) -> None:
    await asyncio.sleep(_LINGER_S)
    hang_up(scope, reset=rule.do == "reset")
