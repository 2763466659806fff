"""Whoever purges may be killed: the sweep goes on with it, and leaves nothing in Redis either."""

from __future__ import annotations

from overnight_models.ledger.operators import actions
from overnight_models.ledger.operators.actions import By
from overnight_models.ledger.operators.item_filter import ItemFilter
from overnight_models.ledger.operators.purge import steps
from overnight_models.request.prefix import Prefix
from overnight_workers import process
from overnight_workers.operators import acting, purging
from overnight_workers.stages.rescue import sweep
from tests import finding
from tests.driving import Service, put_prefix
from tests.stages.operators.test_purge import SECRET, found, record, theirs


def test_killed_in_the_middle_the_sweep_goes_on_with_it(service: Service) -> None:
    service.accept(*(theirs(str(number)) for number in range(1100)))
    service.finish()
    preview = purging.preview_purge(
        purging.of(ItemFilter(tenant="acme"), cancel=False, keys=False, shared_batches=False)
    )
    begun = acting.begin(preview, By("ada"))
    with process.database().transaction() as connection:
        steps.prepare(connection, begun.id, 0)
    with process.database().transaction() as connection:
        step = actions.step(connection, begun.id)
    assert step is not None
    assert (step.done, step.is_over) == (1000, False)
    service.ledger.execute("UPDATE action SET stepped_at = now() - interval '1 minute'")
    sweep()
    assert found(service) == set()
    assert (record()["done"], record()["ended_at"] is not None) == (1100, True)


def test_killed_behind_the_last_group_its_prefixes_go_from_redis_with_a_sweep(service: Service) -> None:
    prefix = Prefix.of({"system": f"{SECRET} is their contract. " * 200})
    service.accept(theirs("a", prefix=put_prefix(service, prefix)))
    service.finish()
    service.empty()
    preview = purging.preview_purge(
        purging.of(ItemFilter(tenant="acme"), cancel=False, keys=False, shared_batches=False)
    )
    begun = acting.begin(preview, By("ada"))
    with process.database().transaction() as connection:
        steps.prepare(connection, begun.id, 0)
    with process.database().transaction() as connection:
        assert actions.step(connection, begun.id) == (1, False, False)
    with process.database().transaction() as connection:
        assert actions.step(connection, begun.id) == (1, True, False)
    sweep()
    assert finding.in_redis(service.redis_url, SECRET) != set(), "whoever ended it is at it"
    service.ledger.execute("UPDATE action SET ended_at = now() - interval '1 minute'")
    sweep()
    assert finding.in_redis(service.redis_url, SECRET) == set()
    assert record()["removed"]["prefixes"] == 1
