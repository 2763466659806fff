"""A real worker of webhooks that is told to stop while requests are under way."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from overnight_models import routes
from overnight_workers.stages import doorbell
from overnight_workers.stages.rescue import sweep
from overnight_workers.stages.webhooks.webhooks import webhooks
from tests.driving import Service, item
from tests.endpoints import SECRET, Reply, listening
from tests.faults.test_shutdown import worker
from tests.waiting import wait_until


def test_told_to_stop_it_ends_within_seconds_and_what_was_under_way_comes_again_with_its_id(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERNIGHT_SHOP_SECRET", SECRET)
    with listening() as shop:
        shop.always = Reply(after_s=120.0)
        service.configure(webhooks={"shop": shop.settings(concurrency=2)})
        service.answered(*(item(key, callback={"webhook": "shop"}) for key in "abcd"))
        with worker(tmp_path / "webhooks", "overnight_workers.app", routes.WEBHOOKS) as process:
            log = tmp_path / "webhooks" / "log"

            def has_come() -> bool:
                doorbell.ring(routes.WEBHOOKS)  # as a sweep does, until somebody listens
                return len(shop.came) == 2

            wait_until(has_come, 120, what=lambda: log.read_text()[-3000:])
            told_at = time.monotonic()
            process.terminate()
            assert process.wait(120) == 0
        assert time.monotonic() - told_at < 100
        shop.always = Reply()
        service.ledger.execute("UPDATE delivery SET due_at = now() WHERE state = 'sending'")
        service.restart()
        sweep()
        assert webhooks() == "4 delivered"
    assert len(shop.came) == 6
    assert len({came.headers["webhook-id"] for came in shop.came}) == 4
