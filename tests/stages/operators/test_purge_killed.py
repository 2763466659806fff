"""Whoever purges may be killed: the sweep goes on with it, and leaves nothing in Redis either."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
import redis

from overnight_models import routes
from overnight_models.ledger.operators import actions
from overnight_models.ledger.operators.actions import By
from overnight_models.ledger.operators.item_filter import ItemFilter
from overnight_models.ledger.operators.purge import steps
from overnight_models.request.prefix import Prefix
from overnight_models.wire.message import Line, write_items
from overnight_producers.wire import envelope
from overnight_workers import process
from overnight_workers.operators import acting, purging
from overnight_workers.stages import rescue, waiting_messages
from overnight_workers.stages.rescue import sweep
from tests import finding
from tests.driving import Service, item, put_prefix
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
    for _ in range(2):  # its group; and it begins to look for who else has the prefix
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


ACME = ItemFilter(tenant="acme")


def send(service: Service, *keys: str) -> None:
    """A message with items of the tenant that waits to be accepted."""
    lines = [json.dumps(theirs(key)).encode() for key in keys]
    written = write_items([Line(n, line, None) for n, line in enumerate(lines)])
    message = {"v": 1, "message_id": str(uuid4()), "lane": "default", "run": None, **written}
    with redis.Redis.from_url(service.redis_url) as client:
        client.lpush(routes.ACCEPT, envelope(routes.ACCEPT, message, shown="some"))


def test_killed_while_items_are_taken_out_of_messages_the_record_has_all_of_them(service: Service) -> None:
    send(service, "a", "b")
    preview = purging.preview_purge(purging.of(ACME, cancel=True, keys=False, shared_batches=False))
    begun = acting.begin(preview, By("ada"))
    wanted = waiting_messages.Wanted(None, "acme", None, None)
    assert waiting_messages.take_out(process.redis_client(), wanted, begun.id) == 2, "and then it is killed"
    send(service, "c")
    service.ledger.execute("UPDATE action SET stepped_at = now() - interval '1 minute'")
    sweep()
    assert record()["removed"] == {"not accepted": 3}
    assert finding.in_redis(service.redis_url, SECRET) == set()


def test_a_purge_that_waits_for_redis_keeps_no_other_action_waiting(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.accept(theirs("a"), item("ours"))
    purge = purging.preview_purge(purging.of(ACME, cancel=True, keys=False, shared_batches=False))
    acting.begin(purge, By("ada"))
    acting.begin(acting.preview_cancel(ItemFilter(key="ours")), By("ada"))
    service.ledger.execute("UPDATE action SET stepped_at = now() - interval '1 minute'")
    monkeypatch.setenv("OVERNIGHT_REDIS_URL", "redis://127.0.0.1:1/0")
    service.restart()
    rescue._go_on()
    assert service.ledger.states("item") == ["waiting", "canceled"]
    monkeypatch.setenv("OVERNIGHT_REDIS_URL", service.redis_url)
    service.restart()
    rescue._go_on()
    assert found(service) == set()
