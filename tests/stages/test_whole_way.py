"""From a product's message to its callback's queue, stage by stage."""

from __future__ import annotations

import pytest

from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, callback, item

pytestmark = pytest.mark.usefixtures("apart")


def test_an_item_goes_the_whole_way(service: Service) -> None:
    assert service.accept(item("a", callback=callback())) == {"accepted": 1, "known": 0, "rejected": []}
    assert service.ledger.item("a")["state"] == "waiting"
    pack()
    assert (service.ledger.item("a")["state"], service.ledger.states("batch")) == ("batched", ["packed"])
    submit()
    assert (service.ledger.states("batch"), service.ledger.states("submission")) == (["open"], ["open"])
    poll()
    assert service.ledger.states("batch") == ["ended"]
    collect()
    assert (service.ledger.states("batch"), service.ledger.states("submission")) == (["collected"], ["done"])
    assert service.ledger.item("a")["state"] == "succeeded"
    assert service.ledger.states("delivery") == ["due"]
    deliver()
    assert service.ledger.states("delivery") == ["delivered"]
    assert service.api.meter()["creates"] == 1


def test_every_answer_goes_to_its_own_item(service: Service) -> None:
    service.accept(*(item(f"k{n}", callback=callback()) for n in range(50)))
    service.finish()
    assert service.ledger.states("item") == ["succeeded"] * 50
    assert service.api.meter()["requests"] == 50
    doubles = service.ledger.fetch_all(
        "SELECT item_id, count(*) AS n FROM outcome GROUP BY item_id HAVING count(*) <> 1"
    )
    assert doubles == []
