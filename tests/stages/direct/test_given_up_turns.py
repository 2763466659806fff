"""Turns that the ledger breaks off: what they had taken is sent by the same run, and doesn't wait for the run's end."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from overnight_workers.stages.direct.direct import direct
from tests.driving import Service, item, params
from tests.stages.test_failures_of_our_own import failing
from tests.waiting import wait_until

DEADLOCK = "40P01"
"""As where a turn, and retention that takes an old partition away, wait for each other."""


def test_what_a_broken_off_turn_had_taken_is_sent_while_other_calls_are_under_way(service: Service) -> None:
    service.configure(lane={"road": "direct"})
    service.accept(item("a"))
    service.api.fault("messages", "delay", seconds=3600, count=1)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(direct)
        wait_until(lambda: service.api.meter()["billed"] == 1)
        with failing(service, "UPDATE ON direct_call", code=DEADLOCK):
            service.accept(item("b"))
            wait_until(lambda: service.ledger.item("b")["state"] == "direct")
            threading.Event().wait(0.3)  # what authorizes it has failed
        wait_until(lambda: service.ledger.item("b")["state"] == "succeeded")
        assert service.ledger.item("a")["state"] == "direct", "the run isn't over"
        service.api.faults_are_over()
        sending.result(60)
    assert service.api.meter()["billed"] == 2


def test_what_was_let_go_before_its_turn_broke_off_is_sent(service: Service) -> None:
    """At another place, which nothing can be taken from."""
    service.configure(lane={"road": "direct"})
    service.accept(item("a"))
    service.accept(item("b", params=params("Describe b") | {"model": "claude-sonnet-5"}))
    service.ledger.execute(
        "UPDATE item SET direct_at = direct_at - interval '1 minute' WHERE id = (SELECT min(id) FROM item)"
    )
    model = service.ledger.item("b")["model_id"]
    with ThreadPoolExecutor(1) as pool:
        with failing(service, "INSERT ON direct_claim", f"NEW.model_id = {model}", DEADLOCK):
            sending = pool.submit(direct)
            wait_until(lambda: service.ledger.item("a")["state"] == "succeeded")
        sending.result(60)
    assert service.ledger.states("item") == ["succeeded", "succeeded"]
    assert (service.api.meter()["billed"], service.ledger.fetch_all("SELECT FROM maybe_billed")) == (2, [])
