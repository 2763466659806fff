"""Rate limits of real time, where operators look: how much is used, which is used up, and what waits for it."""

from __future__ import annotations

import json

from prometheus_client.core import Metric

from overnight_workers import limiter
from overnight_workers.cli import app
from overnight_workers.flower_tab.document import document
from overnight_workers.flower_tab.metrics import metrics
from overnight_workers.limiter import Grant, Need, Used
from overnight_workers.operators.limits_used import limits
from overnight_workers.operators.snapshot import Look, take_snapshot
from overnight_workers.process import database, redis_client
from overnight_workers.settings import settings
from overnight_workers.stages.direct.direct import direct
from tests.driving import MODEL, Service, item, read_command


def value(families: list[Metric], name: str, **labels: str) -> float:
    (number,) = [s.value for family in families for s in family.samples if s.name == name and s.labels == labels]
    return number


def limited(service: Service, **limit: int) -> None:
    service.configure(lane={"road": "direct"}, workspaces={"default": {"limits": {MODEL: limit}}})


def test_status_flower_and_metrics_say_which_limit_is_used_up_and_how_many_wait_for_it(service: Service) -> None:
    limited(service, requests=2)
    service.accept(*(item(key) for key in "abc"))
    direct()
    assert set(service.ledger.states("item")) >= {"waiting"}
    waiting = service.ledger.states("item").count("waiting")
    seen = take_snapshot(database(), redis_client())
    (view,) = limits(seen)
    assert (view.items, view.used_up, view.is_at_work) == (waiting, ["requests"], True)
    pools = json.loads(read_command(app, "status", "--json"))["limits"]
    assert pools == document(Look(seen, None), settings())["limits"]
    (pool,) = pools
    assert (pool["workspace"], pool["items_waiting"], pool["pace"]) == ("default", waiting, 1.0)
    assert [name for name, bucket in pool["buckets"].items() if bucket["is_used_up"]] == ["requests"]
    page = " ".join(read_command(app, "status").split())
    assert "used up: requests" in page
    assert f"{waiting} items wait for it" in page
    families = list(metrics(seen))
    names = {"workspace": "default", "pool": pool["pool"]}
    assert value(families, "overnight_rate_limited_items", **names) == waiting
    assert value(families, "overnight_rate_limit_used_up", **names, limit="requests") == 1
    assert value(families, "overnight_rate_limit_used_up", **names, limit="output_tokens") == 0


def test_the_share_that_is_used_is_that_of_the_last_minute(service: Service) -> None:
    limited(service, requests=60_000, output_tokens=60_000)
    (first,) = limiter.acquire("default", MODEL, [Need(10, 50)], ahead_s=5)
    assert isinstance(first, Grant)
    limiter.settle([(first, Used(10, 6_000))])
    (view,) = limits(take_snapshot(database(), redis_client()))
    assert 0.05 < view.shares["output tokens"] <= 0.11
    assert view.shares["requests"] < 0.01
    assert "output tokens 10%" in view.text or "output tokens 9%" in view.text


def test_nothing_is_said_of_limits_that_nothing_used(service: Service) -> None:
    service.accept(item("a"))
    assert json.loads(read_command(app, "status", "--json"))["limits"] == []
    assert "limits of" not in read_command(app, "status")
