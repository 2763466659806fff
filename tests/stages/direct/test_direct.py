"""Direct: items of a lane whose road is direct are sent in real time; outcome, bill and delivery are as for a batch."""

from __future__ import annotations

from typing import Any

from overnight_models.ledger.cancel import Canceled, cancel
from overnight_workers import process
from overnight_workers.celery_worker import stopping
from overnight_workers.stages.direct.direct import direct
from overnight_workers.stages.measure.measure import measure
from overnight_workers.stages.pack.pack import pack
from tests.driving import Service, callback, item, params

REFUSED: dict[str, Any] = {"tools": [{"name": "look_up", "input_schema": {"type": "string"}}]}


def on_the_direct_road(service: Service, **lane: object) -> None:
    service.configure(lane={"road": "direct", **lane})


def states(service: Service) -> dict[str, str]:
    rows = service.ledger.fetch_all("SELECT key, state FROM item JOIN request ON item_id = item.id ORDER BY item.id")
    return {row["key"]: row["state"] for row in rows}


def test_they_are_answered_priced_in_real_time_and_delivered(service: Service) -> None:
    on_the_direct_road(service)
    service.accept(*(item(key, callback=callback()) for key in "abc"))
    pack()
    assert service.ledger.states("item") == ["waiting"] * 3, "a batch leaves them"
    direct()
    assert service.ledger.states("item") == ["succeeded"] * 3
    meter = service.api.meter()
    bill = service.ledger.fetch_one(
        "SELECT count(*) AS n, sum(cost_nano) AS cost, sum(realtime_nano) AS realtime, min(via) AS via,"
        " count(api_batch_id) AS batches FROM outcome"
    )
    assert (bill["n"], bill["cost"], bill["realtime"]) == (3, meter["nano"], meter["nano"])
    assert (bill["via"], bill["batches"]) == ("direct", 0)
    assert service.ledger.fetch_one("SELECT sum(cost_nano) AS nano FROM spending")["nano"] == meter["nano"]
    assert len(service.queue()) == 3
    assert service.ledger.fetch_all("SELECT 1 FROM direct_call") == []
    assert service.ledger.fetch_one("SELECT count(*) AS n FROM direct_claim WHERE done_at IS NULL")["n"] == 0


def test_a_request_that_the_api_refuses_fails_alone_and_unpaid(service: Service) -> None:
    on_the_direct_road(service)
    service.accept(item("a"), item("b", fault="errored:invalid_request_error"))
    direct()
    assert states(service) == {"a": "succeeded", "b": "failed"}
    failed = service.ledger.item("b")
    assert (failed["problem"], failed["cost_nano"]) == ("errored", 0)
    assert service.api.meter()["billed"] == 1


def test_a_long_answer_is_streamed_and_is_the_same_message(service: Service) -> None:
    on_the_direct_road(service)
    long = params("Describe a very long river", max_tokens=64_000)
    service.accept(item("a", params=long))
    service.finish()
    outcome = service.ledger.item("a")
    assert outcome["ok"], outcome["detail"]
    assert outcome["cost_nano"] == service.api.meter()["nano"]


def test_of_a_shape_that_the_api_refuses_nothing_is_sent(service: Service) -> None:
    on_the_direct_road(service)
    service.accept(*(item(f"bad{n}", params=params(f"Describe {n}", **REFUSED)) for n in range(5)), item("good"))
    sent = sum(service.api.calls("messages").values())
    direct()
    row = service.ledger.item("bad4")
    assert (row["state"], row["problem"], row["cost_nano"]) == ("failed", "rejected", 0)
    assert "tools" in row["detail"]
    assert states(service)["good"] == "succeeded"
    assert sum(service.api.calls("messages").values()) == sent + 1


def test_with_check_first_off_each_is_refused_by_itself_and_unpaid(service: Service) -> None:
    on_the_direct_road(service, check_first=False)
    service.accept(*(item(f"bad{n}", params=params(f"Describe {n}", **REFUSED)) for n in range(3)))
    refused = service.api.calls("messages").get("400", 0)
    direct()
    assert set(states(service).values()) == {"failed"}
    assert service.ledger.item("bad1")["problem"] == "errored"
    assert service.api.calls("messages").get("400") == refused + 3


def test_what_may_be_too_long_for_its_lane_is_measured_before_it_is_sent(service: Service) -> None:
    on_the_direct_road(service, max_input_tokens=3_000)
    service.accept(item("long", "kettle " * 4_000), item("short"))
    direct()
    assert states(service) == {"long": "waiting", "short": "succeeded"}
    measure()
    direct()
    assert (states(service)["long"], service.ledger.item("long")["problem"]) == ("failed", "too_long")
    assert service.api.meter()["billed"] == 1


def test_what_is_taken_back_before_it_is_sent_is_canceled_on_the_direct_road(service: Service) -> None:
    on_the_direct_road(service)
    service.accept(item("a"))
    with process.database().transaction() as connection:
        assert cancel(connection, service.ledger.item("a")["id"]) == Canceled.CANCELED
    direct()
    assert states(service) == {"a": "canceled"}
    assert service.ledger.fetch_one("SELECT via FROM outcome")["via"] == "direct"
    assert service.api.meter()["billed"] == 0


def test_told_to_stop_it_takes_nothing(service: Service) -> None:
    on_the_direct_road(service)
    service.accept(item("a"))
    stopping.set_stopping()
    try:
        direct()
    finally:
        stopping.set_stopping(stop=False)
    assert states(service) == {"a": "waiting"}
