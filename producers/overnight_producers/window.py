"""The window: messages that were sent and aren't confirmed, kept until they are."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from overnight_models.errors import KeyMissing, NotConfirmed, Unreachable
from overnight_models.wire.message import Line
from overnight_producers.receipts import Confirmation, Sent, read_verdict
from overnight_producers.steps import Pause, Steps
from overnight_producers.wire import Wire

_ROOM: Final = 16
"""Messages kept in memory."""
_SILENCE_S: Final = 5.0
"""After so long without a word of a message it is sent again."""


class Window:
    """Sends messages, asks after them, and sends again what there is silence about.

    timeout_s: seconds without any confirmation after which it gives up.
    """

    def __init__(
        self,
        wire: Wire,
        sent: Sent,
        timeout_s: float,
        progress: Callable[[Confirmation], None] | None,
    ) -> None:
        self._wire = wire
        self._sent = sent
        self._timeout_s = timeout_s
        self._progress = progress
        self._kept: dict[str, list[Line]] = {}
        self._sent_at: dict[str, float] = {}
        self._total = Confirmation()
        self._heard_at = time.monotonic()

    def add(self, message_id: str, lines: list[Line]) -> Steps[None]:
        """Send one more message, when there is room for it."""
        yield from self._drain(_ROOM - 1)
        self._kept[message_id] = lines
        yield from self._send(message_id)

    def finish(self) -> Steps[Confirmation]:
        """Wait for the rest."""
        yield from self._drain(0)
        return self._total

    def _drain(self, room: int) -> Steps[None]:
        pause_s = 0.005
        self._heard_at = time.monotonic()
        while len(self._kept) > room:
            silence = yield from self._ask()
            if silence is None:
                pause_s = 0.005
                continue
            if time.monotonic() - self._heard_at > self._timeout_s:
                raise NotConfirmed(
                    f"{len(self._kept)} messages to lane {self._sent.lane!r} aren't confirmed: {silence}."
                    f" {self._total.accepted + self._total.known} items are in; send the same again, it's free"
                )
            yield from self._send_silent()
            yield Pause(pause_s)  # the workers are asked again; there is nothing here to wait on
            pause_s = min(pause_s * 1.5, 0.2)

    def _ask(self) -> Steps[str | None]:
        """Ask after what is kept. Returns why nothing was heard, or None when something was."""
        try:
            verdicts = yield from self._wire.ask_verdicts(self._kept, timeout_s=self._timeout_s)
        except (TimeoutError, KeyMissing, Unreachable) as error:
            return str(error)
        for message_id, verdict in verdicts.items():
            del self._kept[message_id], self._sent_at[message_id]
            self._total += read_verdict(verdict, self._sent, message_id)
        if not verdicts:
            return "they haven't arrived"
        self._heard_at = time.monotonic()
        if self._progress is not None:
            self._progress(self._total)
        return None

    def _send_silent(self) -> Steps[None]:
        now = time.monotonic()
        for message_id in [sent for sent, sent_at in self._sent_at.items() if now - sent_at > _SILENCE_S]:
            yield from self._send(message_id)

    def _send(self, message_id: str) -> Steps[None]:
        self._sent_at[message_id] = time.monotonic()
        try:
            yield from self._wire.send_lines(message_id, self._sent.lane, self._sent.run, self._kept[message_id])
        except Unreachable:
            return  # it is kept, and sent again
