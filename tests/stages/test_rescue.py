"""Rescue: whatever was begun and not ended comes home, and whatever has work is rung for."""

from __future__ import annotations

import os
import socket
from dataclasses import replace

import pytest
import redis

from overnight_models import routes
from overnight_models.ledger.collect import collect as collecting
from overnight_models.ledger.submit import submit as submitting
from overnight_models.wire.policy import Policy
from overnight_workers import process
from overnight_workers.stages import protocol
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.rescue import sweep
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, callback, item

pytestmark = pytest.mark.usefixtures("apart")


def claim(service: Service) -> submitting.Claim:
    service.accept(item("a"))
    pack()
    database = process.database()
    with database.transaction() as connection:
        claim_ = submitting.claim(
            connection, token=protocol.new_token(process.deployment()), owner=database.owner(), lease_s=60
        )
    assert claim_ is not None
    return claim_


def send(claim: submitting.Claim) -> None:
    with process.database().transaction() as connection:
        assert submitting.send(connection, claim.submission_id, items=1, create_timeout_s=20, allowance_s=5)


def die(service: Service) -> None:
    """The process that held everything is gone; this one only looks."""
    process.database().close()


def states(service: Service) -> tuple[str, str]:
    return service.ledger.states("batch")[0], service.ledger.states("submission")[0]


def test_a_live_submitter_is_left_alone(service: Service) -> None:
    claimed = claim(service)
    sweep()
    assert states(service) == ("submitting", "claimed")
    send(claimed)
    sweep()
    assert states(service) == ("submitting", "sending")


def test_a_submitter_that_died_while_building_created_nothing(service: Service) -> None:
    claim(service)
    die(service)
    sweep()
    assert states(service) == ("packed", "void")


def test_a_submitter_that_is_frozen_while_building_loses_it_with_its_lease(service: Service) -> None:
    claim(service)
    service.clock.leases_lapse()
    sweep()
    assert states(service) == ("packed", "void")


def test_a_submitter_that_died_before_its_last_bytes_created_nothing(service: Service) -> None:
    send(claim(service))
    die(service)
    sweep()
    assert states(service) == ("packed", "void")


def test_a_submitter_that_died_after_its_last_bytes_leaves_it_unclear(service: Service) -> None:
    claimed = claim(service)
    send(claimed)
    with process.database().transaction() as connection:
        assert submitting.authorize_last_bytes(connection, claimed.submission_id, margin_s=1)
    die(service)
    sweep()
    assert states(service) == ("unclear", "unclear")
    service.clock.quiet_is_over()
    service.ledger.execute("UPDATE submission SET api_workspace_id = %s", service.api.workspace)
    service.finish()
    assert service.ledger.item("a")["state"] == "succeeded"
    assert service.api.meter()["creates"] == 1


def test_letting_go_after_the_rescue_is_refused(service: Service) -> None:
    claimed = claim(service)
    send(claimed)
    die(service)  # or it only looked so: then it may still try, with time left
    sweep()
    assert states(service) == ("packed", "void")
    with process.database().transaction() as connection:
        assert not submitting.authorize_last_bytes(connection, claimed.submission_id, margin_s=1)


def test_a_collector_that_died_is_followed_by_another(service: Service) -> None:
    service.accept(item("a"))
    pack()
    submit()
    poll()
    database = process.database()
    with database.transaction() as connection:
        assert collecting.claim(connection, owner=database.owner(), lease_s=60) is not None
    with database.transaction() as connection:
        assert collecting.claim(connection, owner=database.owner(), lease_s=60) is None
    die(service)
    with process.database().transaction() as connection:
        assert collecting.claim(connection, owner=process.database().owner(), lease_s=60) is not None


def test_whatever_has_work_is_rung_for(service: Service) -> None:
    assert sweep() == "nothing to ring for"
    service.accept(item("a", callback=callback()))
    assert routes.PACK in sweep()
    pack()
    assert routes.SUBMIT in sweep()
    submit()
    poll()
    assert routes.COLLECT in sweep()
    service.round()
    assert routes.DELIVER in sweep()


def test_a_bell_that_rings_unheard_is_not_rung_twice(service: Service) -> None:
    service.accept(item("a"), item("b"))
    service.accept(item("c"))
    sweep()
    with redis.Redis.from_url(service.redis_url) as client:
        assert client.llen(routes.PACK) == 1


def test_the_policy_is_published_again_when_redis_forgot_it(service: Service) -> None:
    with redis.Redis.from_url(service.redis_url) as client:
        for _ in range(2):
            client.flushall()
            sweep()
            published = client.get(routes.POLICY_KEY)
            assert isinstance(published, bytes)
            policy = Policy.load(published)
            assert replace(policy, published=None) == process.policy()
            assert policy.published is not None
            assert policy.published.host == socket.gethostname()
            assert policy.published.file == os.environ["OVERNIGHT_CONFIG"]


def test_redis_may_be_empty_at_any_time(service: Service) -> None:
    with redis.Redis.from_url(service.redis_url) as client:
        service.accept(item("a", callback=callback()))
        for _ in range(4):
            client.flushall()
            sweep()
            service.round()
    assert service.ledger.item("a")["state"] == "succeeded"


def test_while_redis_is_away_items_are_answered_by_the_stages_alone(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No bell is rung, no policy told, no acknowledgement read: each of them is left to a later sweep."""
    service.accept(item("a"))
    monkeypatch.setenv("OVERNIGHT_REDIS_URL", "redis://127.0.0.1:1/0")
    service.restart()
    for _ in range(2):
        sweep()
        service.round()
    assert service.ledger.item("a")["state"] == "succeeded"


def test_messages_are_forgotten_a_week_after_they_were_answered(service: Service) -> None:
    service.accept(item("a"))
    service.accept(item("b"))
    service.ledger.execute(
        """
        UPDATE inbox SET received_at = now() - interval '9 days', done_at = now() - interval '8 days'
        WHERE message_id = (SELECT message_id FROM inbox LIMIT 1)
        """
    )
    service.ledger.execute("UPDATE inbox SET received_at = now() - interval '9 days'")
    sweep()
    assert len(service.ledger.fetch_all("SELECT 1 FROM inbox")) == 1
