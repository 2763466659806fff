"""Enqueuing: what a product is told at once of what it hands over, by what `enqueue` and its sisters return."""

from __future__ import annotations

from overnight_producers import Item, Overnight
from overnight_producers.receipts import Confirmation
from overnight_workers.stages.rescue import publish_policy
from tests.driving import Service, params


def test_known_traps_are_told_in_what_is_returned(service: Service) -> None:
    publish_policy()
    overnight = Overnight(service.redis_url)
    (told_warning,) = overnight.enqueue(params("a")).warnings
    assert "answers may be cut off" in told_warning
    assert overnight.enqueue(params("b", max_tokens=5_000)).warnings == ()
    items = [Item(params=params(f"text {n}")) for n in range(30)] + [Item(params=params(max_tokens=200_000))]
    sent = overnight.enqueue_many([*items, Item(params={"model": "claude-unknown"})])
    assert (sent.items, len(sent.bad)) == (31, 1), "a warning keeps nothing out, a fault does"
    assert sent.warnings[told_warning] == 30
    assert any("which is all that" in warning and n == 1 for warning, n in sent.warnings.items())
    overnight.close()


def test_what_several_confirmations_warn_of_is_one_count() -> None:
    first, other = Confirmation(accepted=1), Confirmation(accepted=2)
    other.warnings["careful"] += 2
    assert (first + other).warnings == {"careful": 2}
