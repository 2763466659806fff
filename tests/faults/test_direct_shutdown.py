"""A real worker of the direct road that is told to stop, or loses Redis, while calls are under way."""

from __future__ import annotations

from pathlib import Path

from overnight_models import routes
from overnight_workers.stages import doorbell
from tests.driving import Service, item
from tests.faults.test_shutdown import worker
from tests.waiting import wait_until

APP = "overnight_workers.app"


def test_told_to_stop_it_waits_for_what_is_under_way_and_sends_nothing_more(service: Service, tmp_path: Path) -> None:
    service.configure(lane={"road": "direct"}, direct={"calls": 2})
    service.accept(*(item(key) for key in "abcdef"))
    service.api.fault("messages", "delay", seconds=5)
    with worker(tmp_path / "direct", APP, routes.DIRECT, REMAP_SIGTERM="") as process:
        log = tmp_path / "direct" / "log"
        doorbell.ring(routes.DIRECT)
        wait_until(lambda: service.api.meter()["billed"] == 2, 300, what=lambda: log.read_text()[-3000:])
        process.terminate()
        assert process.wait(60) == 0
    states = service.ledger.states("item")
    assert (states.count("succeeded"), states.count("waiting")) == (2, 4), log.read_text()[-3000:]
    assert service.ledger.fetch_one("SELECT count(*) AS n FROM maybe_billed")["n"] == 0
    assert service.api.meter()["billed"] == 2
