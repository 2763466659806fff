"""Webhooks of a lane whose encryption key is away."""

from __future__ import annotations

from pathlib import Path

import pytest

from overnight_workers.stages.webhooks.webhooks import webhooks
from tests.driving import Service
from tests.endpoints import SECRET, listening
from tests.stages.encryption.keys import new_key, write
from tests.stages.webhooks.test_webhooks import look_again, states, to_shop


def test_while_an_encryption_key_is_away_its_outcomes_wait_untried_and_others_are_delivered(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, own = tmp_path / "keys", new_key()
    monkeypatch.setenv("OVERNIGHT_SHOP_SECRET", SECRET)
    with listening() as shop:

        def configure(key: str) -> None:
            write(keys, key)
            service.configure(
                lane={"encrypt": "main"},
                lanes={"other": {"max_wait": "0s"}},
                encryption={"main": {"keys": f"file:{keys}"}},
                webhooks={"shop": shop.settings()},
            )

        configure(own)
        service.accept(to_shop("a"), to_shop("b"))
        service.accept(to_shop("c"), lane="other")
        service.round()
        configure(new_key())
        for _ in range(3):
            look_again(service)
            webhooks()
        assert [(state, tries) for state, tries, _ in states(service)] == [("due", 0), ("due", 0), ("delivered", 1)]
        assert [outcome["key"] for came in shop.came for outcome in came.outcomes] == ["c"]
        configure(own)
        look_again(service)
        assert webhooks() == "2 delivered"
        assert {(outcome["key"], outcome["ok"]) for came in shop.came for outcome in came.outcomes} == {
            ("a", True),
            ("b", True),
            ("c", True),
        }
