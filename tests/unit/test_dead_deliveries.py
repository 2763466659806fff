"""Dead deliveries on their page, by what was said."""

from __future__ import annotations

from overnight_models.ledger.operators.delivery_list import DeadGroup
from overnight_workers.flower_tab.delivery_pages import grouped


def test_two_statuses_of_an_endpoint_are_two_lines_and_tries_that_differ_in_numbers_are_one() -> None:
    said = [
        DeadGroup("shop", "webhook:orders", "orders", f"HTTP {status} after {tries} tries", 1, tries)
        for status in (503, 404)
        for tries in range(3 if status == 503 else 2)
    ]
    assert [(group.error, group.n, group.newest_item_id) for group in grouped(said)] == [
        ("HTTP 503 after # tries", 3, 2),
        ("HTTP 404 after # tries", 2, 1),
    ]
