"""Prefixes on the direct road: put together as they were cut, cached where that pays, and measured."""

from __future__ import annotations

from overnight_models.request.prefix import Prefix
from overnight_workers.stages.direct.direct import direct
from tests.driving import Service, item, params, put_prefix

CONTRACT = "Every clause of it. " * 3000


def test_a_shared_prefix_is_cached_read_and_measured(service: Service) -> None:
    service.configure(lane={"road": "direct"})
    prefix = put_prefix(service, Prefix.of({"system": CONTRACT}))
    for turn in range(3):
        service.accept(*(item(f"{turn}-{n}", prefix=prefix, params=params(f"Question {turn} {n}")) for n in range(10)))
        direct()
    service.finish()
    assert set(service.ledger.states("item")) == {"succeeded"}
    total = service.ledger.fetch_one(
        "SELECT sum(cost_nano)::bigint AS nano, sum(cache_read_tokens) AS read FROM whole_outcome"
    )
    assert total["nano"] == service.api.meter()["nano"]
    assert total["read"] > 0
    measured = service.ledger.fetch_one("SELECT sum(answers) AS answers, sum(read_tokens) AS read FROM caching")
    assert (measured["answers"], measured["read"]) == (30, total["read"])
