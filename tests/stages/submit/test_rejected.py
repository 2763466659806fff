"""A rejected create is divided down to the culprit, which fails alone, with the API's own words."""

from __future__ import annotations

import pytest

from overnight_models.ledger.operators import lanes
from overnight_workers import process
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, item


@pytest.mark.parametrize("culprit", [0, 3, 7])
def test_the_culprit_fails_alone_with_the_apis_words(service: Service, culprit: int) -> None:
    service.accept(*(item(f"k{n}", fault="reject" if n == culprit else None) for n in range(8)))
    service.finish()
    assert [row["state"] for row in service.ledger.fetch_all("SELECT state FROM item ORDER BY id")] == [
        "failed" if n == culprit else "succeeded" for n in range(8)
    ]
    failed = service.ledger.item(f"k{culprit}")
    assert failed["problem"] == "rejected"
    assert failed["detail"].startswith("400 invalid_request_error:")
    assert (failed["message"], failed["cost_nano"]) == (None, 0)
    assert service.api.meter()["requests"] == 7, "rejected creates are free, and nobody is sent twice"


def test_it_takes_few_creates_to_find_it(service: Service) -> None:
    service.accept(*(item(f"k{n}", fault="reject" if n == 5 else None) for n in range(64)))
    service.finish()
    assert len(service.ledger.states("submission")) <= 13
    assert service.api.meter()["creates"] == 6


def test_two_culprits_are_both_found(service: Service) -> None:
    service.accept(*(item(f"k{n}", fault="reject" if n in (0, 6) else None) for n in range(7)))
    service.finish()
    assert service.ledger.states("item").count("failed") == 2
    assert service.api.meter()["requests"] == 5


def test_a_413_is_divided_by_bytes_even_when_a_proxy_says_it_in_html(service: Service) -> None:
    service.accept(item("large", "x" * 9000), *(item(f"k{n}", "x" * 1000) for n in range(9)))
    pack()
    service.api.fault("create", "status", status=413, html=True, count=1)
    submit()
    parts = service.ledger.fetch_all("SELECT items, size FROM batch WHERE parent_id IS NOT NULL ORDER BY id")
    assert [part["items"] for part in parts] in ([1, 9], [2, 8])
    assert "413" in service.ledger.fetch_one("SELECT reason FROM batch WHERE state = 'split'")["reason"]
    service.finish()
    assert service.api.meter()["requests"] == 10


def test_a_culprit_with_a_callback_is_told(service: Service) -> None:
    service.accept(item("a", fault="reject", callback={"task": "t", "queue": "q"}))
    service.finish()
    assert service.ledger.states("delivery") == ["delivered"]


def test_what_every_half_is_rejected_for_alike_holds_the_lane_instead_of_going_down_to_single_items(
    service: Service,
) -> None:
    service.accept(*(item(f"k{n}") for n in range(64)))
    pack()
    service.api.fault("create", "status", status=400, message="requests.17: header anthropic-beta: unknown value")
    for _ in range(5):
        submit()
    assert len(service.ledger.states("submission")) <= 9, "and not 127"
    assert "rejected alike" in service.ledger.fetch_one("SELECT paused_reason FROM lane")["paused_reason"]
    assert service.ledger.states("item") == ["batched"] * 64, "nobody is blamed"
    service.api.faults_are_over()
    with process.database().transaction() as connection:
        again = lanes.resume(connection, 1)
    assert again == 1, "the batch that was rejected last"
    service.finish()
    assert service.ledger.states("item") == ["succeeded"] * 64
    assert service.api.meter()["requests"] == 64


def test_too_large_in_the_same_words_again_and_again_is_no_reason_to_hold(service: Service) -> None:
    service.accept(*(item(f"k{n}") for n in range(16)))
    pack()
    service.api.fault("create", "status", status=413, html=True, count=15)
    service.finish()
    assert service.ledger.states("item") == ["succeeded"] * 16
    assert service.ledger.fetch_one("SELECT paused_at FROM lane")["paused_at"] is None
