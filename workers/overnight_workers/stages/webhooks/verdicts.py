"""What an endpoint's answer means for the deliveries in its request, and for the endpoint. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from overnight_models.ledger.deliver.obstacles import GONE_S
from overnight_models.wire.webhook import read_reply
from overnight_workers.webhooks.posting import Answer

_UNTIL_RESUMED_S: Final = 100 * GONE_S
_LONGEST_S: Final = 86400.0
"""A `Retry-After` that asks for more isn't believed."""
_GONE: Final = 410
_TOO_MANY: Final = 429


@dataclass(frozen=True)
class Verdict:
    """What one answer means."""

    delivered: frozenset[str] = frozenset()
    """Delivery ids that were taken."""
    failed: dict[str, str] = field(default_factory=dict)
    """By delivery id, why it wasn't taken, in the endpoint's own words: a try is counted."""
    untried: frozenset[str] = frozenset()
    """Delivery ids that are due as before: nothing is counted."""
    why: str = ""
    """What is wrong with the endpoint, without its words; empty where it takes webhooks."""
    is_away: bool = False
    """It isn't there, or takes nothing: others needn't try."""
    pause_s: float | None = None
    """For how long it wants to be left alone."""

    @property
    def is_well(self) -> bool:
        """Whether the endpoint takes webhooks, whatever became of single deliveries."""
        return not self.why


def judge(delivery_ids: frozenset[str], answer: Answer) -> Verdict:
    """What an answer means."""
    if answer.is_taken:
        taken = read_reply(delivery_ids, answer.body)
        return Verdict(
            frozenset(taken.delivered), {id_: f"the endpoint says: {_clean(why)}" for id_, why in taken.failed.items()}
        )
    why = answer.why
    if answer.status == _GONE:
        said = f"{why}: the endpoint is gone, nothing is sent to it until `overnight webhooks resume NAME`"
        return Verdict(untried=delivery_ids, why=said, is_away=True, pause_s=_UNTIL_RESUMED_S)
    if answer.retry_after_s is not None:
        said = f"{why} (Retry-After: {answer.retry_after_s:,.0f} s)"
        return Verdict(untried=delivery_ids, why=said, is_away=True, pause_s=min(answer.retry_after_s, _LONGEST_S))
    if answer.status == _TOO_MANY or not answer.may_have_come:
        return Verdict(untried=delivery_ids, why=why, is_away=True)
    said = f"{why}: {answer.said}" if answer.said else why
    return Verdict(failed=dict.fromkeys(delivery_ids, said), why=why)


def _clean(text: str) -> str:
    """A text that Postgres can keep."""
    return text.replace("\x00", " ").encode("utf-8", "replace").decode()
