"""A sender of webhooks, frozen past its lease: another sends, and what the frozen one sends has the same ids."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from overnight_models.ledger.documents import delivery_id
from overnight_workers.stages.rescue import sweep
from overnight_workers.stages.webhooks.webhooks import webhooks
from tests.driving import Service, item
from tests.endpoints import SECRET, Endpoint, listening
from tests.races.test_frozen_hosts import frozen


@pytest.fixture
def shop(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """An endpoint, which the configuration calls `shop`."""
    monkeypatch.setenv("OVERNIGHT_SHOP_SECRET", SECRET)
    with listening() as endpoint:
        service.configure(webhooks={"shop": endpoint.settings(group={"items": 3, "within": "0s"}, concurrency=1)})
        yield endpoint


@pytest.mark.parametrize("at", ["before webhook", "after webhook"])
def test_another_takes_over_and_the_product_sees_one_id_of_each(service: Service, shop: Endpoint, at: str) -> None:
    service.answered(*(item(key, callback={"webhook": "shop"}) for key in "abc"))
    with frozen(service, webhooks, at) as sender:
        service.ledger.execute("UPDATE delivery SET due_at = due_at - interval '1 hour' WHERE state = 'sending'")
        service.ledger.execute("UPDATE target SET sender_until = now()")
        sweep()
        service.ledger.execute("UPDATE delivery SET due_at = due_at - interval '1 hour' WHERE state = 'due'")
        webhooks()
        assert service.ledger.states("delivery") == ["delivered"] * 3
        assert sender.goes_on() is not None
    assert service.ledger.states("delivery") == ["delivered"] * 3, "what it says late changes nothing"
    keys = {row["key"]: delivery_id(row["receipt"]) for row in service.ledger.fetch_all("SELECT * FROM request")}
    outcomes = [outcome for came in shop.came for outcome in came.outcomes]
    assert {outcome["key"]: outcome["delivery_id"] for outcome in outcomes} == keys
    assert {(outcome["key"], outcome["delivery_id"]) for outcome in outcomes} == set(keys.items())
    assert len({came.headers["webhook-id"] for came in shop.came}) == 1
    assert len(shop.came) <= 2
