"""A standstill is an alarm within two minutes, whatever stands still."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import pytest
import redis

from overnight_models import routes
from overnight_models.ledger import rescue as ledger_rescue
from overnight_workers import process
from overnight_workers.operators import redis_health
from overnight_workers.operators.snapshot import take_snapshot
from overnight_workers.settings import settings
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.rescue import WOKEN_BY_PRODUCTS, sweep
from tests.driving import Service, item
from tests.stages.ledger.recording import recording

TWO_MINUTES_AGO: Final = "now() - interval '2 minutes'"


def alarms() -> dict[str, str]:
    """What the alarms say, by kind; without the seconds that the test itself takes."""
    said = take_snapshot(process.database()).alarms(settings())
    return {alarm.kind: re.sub(r"(?<=2 min) \d+ s", "", alarm.text) for alarm in said}


def test_an_installation_that_never_ran_has_no_alarm(service: Service) -> None:
    assert alarms() == {}


def test_a_sweep_that_stopped_is_an_alarm_and_the_next_sweep_ends_it(service: Service) -> None:
    sweep()
    assert alarms() == {}
    service.ledger.execute(f"UPDATE pulse SET ran_at = {TWO_MINUTES_AGO} WHERE stage = '{routes.RESCUE}'")
    assert alarms() == {"sweep missing": "Nobody has swept for 2 min (overnight.rescue)."}
    sweep()
    assert alarms() == {}


def test_a_sweep_of_an_idle_ledger_asks_eighteen_statements(service: Service) -> None:
    with recording() as recorded:
        service.restart()
        sweep()  # it keeps house, which is done once a minute
        recorded.statements.clear()
        sweep()
    asked = sorted(f"{file} {name}" for (file, name), texts in recorded.statements.items() for _ in texts)
    assert len(asked) == 18, asked


def test_lists_that_stopped_are_an_alarm(service: Service) -> None:
    poll()
    service.ledger.execute(f"UPDATE pulse SET ran_at = {TWO_MINUTES_AGO} WHERE stage = '{routes.POLL}'")
    assert alarms() == {"sweep missing": "Nobody has looked for batches for 2 min (overnight.poll)."}


def test_work_without_a_worker_is_an_alarm_until_a_worker_runs(service: Service) -> None:
    service.accept(item("a"))
    sweep()
    service.ledger.execute(f"UPDATE pulse SET work_since = {TWO_MINUTES_AGO} WHERE stage = '{routes.PACK}'")
    sweep()  # it doesn't say that the work is new
    assert alarms() == {"stage silent": "overnight.pack has had work for 2 min and has never run."}
    pack()
    assert alarms() == {}


def test_messages_of_products_that_nobody_accepts_are_work(service: Service) -> None:
    process.redis_client().lpush(routes.ACCEPT, b"{}")
    sweep()
    service.ledger.execute(f"UPDATE pulse SET work_since = {TWO_MINUTES_AGO}")
    assert set(alarms()) == {"stage silent"}
    process.redis_client().delete(routes.ACCEPT)
    sweep()
    assert alarms() == {}


@pytest.fixture
def own_redis(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client
        client.replicaof("NO", "ONE")
        client.config_set("maxmemory", 0)
        client.acl_deluser("reader")


def test_a_redis_that_is_well_says_which_version_it_is(own_redis: redis.Redis) -> None:
    health = redis_health.look(own_redis)
    assert health.fault is None
    assert health.version.startswith("valkey ")


def test_a_replica_is_told_to_be_one(own_redis: redis.Redis) -> None:
    own_redis.replicaof("127.0.0.1", 1)
    assert "a replica and takes no writes" in str(redis_health.look(own_redis).fault)


def test_a_full_redis_is_told_before_it_is_full_and_when_it_is(own_redis: redis.Redis) -> None:
    used = int(own_redis.info("memory")["used_memory"])
    own_redis.config_set("maxmemory", used + used // 20)
    assert "raise maxmemory" in str(redis_health.look(own_redis).fault)
    own_redis.config_set("maxmemory", 1)
    assert "is full and takes no writes" in str(redis_health.look(own_redis).fault)


def test_a_redis_that_is_away_is_an_alarm_with_what_to_do(service: Service) -> None:
    with redis.Redis.from_url("redis://127.0.0.1:1/0") as nowhere:
        (alarm,) = take_snapshot(process.database(), nowhere).alarms(settings())
    assert (alarm.kind, alarm.urgent) == ("redis away", True)
    assert "start it, or correct OVERNIGHT_REDIS_URL" in alarm.text


def test_a_user_without_info_and_config_is_no_fault(own_redis: redis.Redis, redis_url: str) -> None:
    own_redis.acl_setuser("reader", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-info", "-config"])
    with redis.Redis.from_url(redis_url, username="reader", password="x") as client:
        assert redis_health.look(client).fault is None
    own_redis.acl_setuser("reader", reset=True, enabled=True, nopass=True, commands=["+ping"])
    with redis.Redis.from_url(redis_url, username="reader", password="x") as client:
        assert "doesn't let us in" in str(redis_health.look(client).fault)


def test_every_queue_of_our_own_is_watched_by_its_ticks_by_its_work_or_by_its_messages() -> None:
    ticks = {routes.RESCUE, routes.POLL}
    assert {*ticks, *ledger_rescue.STAGES, *WOKEN_BY_PRODUCTS} == set(routes.QUEUES)
