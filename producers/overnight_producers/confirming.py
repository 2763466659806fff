"""Confirming: asking the workers after messages until each has its verdict."""

from __future__ import annotations

import time

from overnight_models.errors import KeyMissing, NotConfirmed, Rejected, Unreachable
from overnight_producers.receipts import Confirmation, Receipt, Sent, read_verdict
from overnight_producers.steps import Pause, Steps
from overnight_producers.wire import Wire


def confirm(wire: Wire, receipt: Receipt | Sent, *, timeout: float) -> Steps[Confirmation]:
    """Ask until every message has its verdict.

    Raises NotConfirmed after `timeout` seconds, and Rejected when a receipt's item was turned down.
    """
    waiting = (
        list(receipt.messages) if isinstance(receipt, Sent) else [receipt.message_id] if receipt.message_id else []
    )
    cause: Exception | None = None
    stop_at = time.monotonic() + timeout
    total = Confirmation()
    pause_s = 0.01
    silence = "they haven't arrived"
    while waiting:
        try:
            left_s = max(stop_at - time.monotonic(), 0.05)
            verdicts = yield from wire.ask_verdicts(waiting, timeout_s=left_s)
        except (TimeoutError, KeyMissing, Unreachable) as error:
            verdicts, silence, cause = {}, str(error), error
        waiting = [message_id for message_id in waiting if message_id not in verdicts]
        for message_id, verdict in verdicts.items():
            total += read_verdict(verdict, receipt, message_id)
        if waiting and time.monotonic() + pause_s > stop_at:
            raise NotConfirmed(
                f"{len(waiting)} messages to lane {receipt.lane!r} aren't confirmed after {timeout:g} s: {silence}."
                f" {_do(receipt)}"
            ) from cause
        if waiting:
            yield Pause(pause_s)  # the workers are asked again; there is nothing here to wait on
            pause_s = min(pause_s * 1.5, 0.5)
    if isinstance(receipt, Receipt) and total.rejected:
        raise Rejected(f"item {receipt.key!r}: {total.rejected[0].why}")
    return total


def _do(receipt: Receipt | Sent) -> str:
    """What to do about silence."""
    if receipt.in_transaction:
        return (
            "Not yet: has your transaction committed? Then nothing is lost, and `overnight relay` takes it on: is it"
            " running, and what does `overnight doctor` say?"
        )
    return "Send them again, it's free; if it stays so, is `overnight up` (or an accept worker) running?"
