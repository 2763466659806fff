"""A restored, copied or moved ledger holds and looks before it sends: what it has forgotten is paid once (R11)."""

from __future__ import annotations

from uuid import uuid4

import orjson
import psycopg
import pytest

from overnight_models import routes
from overnight_models.ledger import deployment
from overnight_models.ledger.database import Database
from overnight_models.ledger.submit import submit as ledger
from overnight_workers import process
from overnight_workers.celery_worker import waiting
from overnight_workers.stages import protocol
from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.rescue import sweep
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, callback, item


def allowances_are_over(service: Service) -> None:
    """What was being sent when the ledger moved is listed by now."""
    service.ledger.execute(
        "UPDATE deployment SET moved_at = moved_at - interval '32 s'"
    )  # create_timeout, wire and quiet
    service.clock.quiet_is_over()


def give_word() -> None:
    with process.database().transaction() as connection:
        assert deployment.give_word(connection)


def another_timeline(service: Service) -> None:
    """As if the backup had been restored to a point in time, or a standby had taken over: the same place otherwise."""
    home = service.ledger.fetch_one("SELECT home FROM deployment")["home"]
    with psycopg.connect(service.database_url) as connection:
        row = connection.execute("SELECT oid::text FROM pg_database WHERE datname = current_database()").fetchone()
    assert row is not None
    system, timeline, _ = home.split("/")
    service.ledger.execute("UPDATE deployment SET home = %s", f"{system}/{int(timeline) + 1}/{row[0]}")


def test_what_was_sent_after_the_backup_is_not_sent_again(service: Service) -> None:
    service.accept(item("a", callback=callback()), item("b"))
    pack()
    backup = service.backup()
    submit()
    assert service.api.meter()["requests"] == 2
    service.restore(backup)
    another_timeline(service)
    for _ in range(3):
        sweep()
        service.round()
    assert service.api.meter()["requests"] == 2, "it holds, and looks"
    assert service.ledger.states("batch") == ["packed", "collected"], "the forgotten one was found by its token's mark"
    assert service.ledger.states("item") == ["succeeded", "succeeded"]
    allowances_are_over(service)
    service.finish()
    service.round()
    deliver()
    assert service.api.meter()["requests"] == 2
    assert service.ledger.states("batch") == ["canceled", "collected"], "nothing was left of the one that it remembered"
    assert service.ledger.states("delivery") == ["delivered"]
    assert service.ledger.fetch_one("SELECT sum(cost_nano) AS nano FROM bill")["nano"] == service.api.meter()["nano"]


def test_what_was_not_sent_is_sent_once_the_look_is_over(service: Service) -> None:
    service.accept(item("a"))
    pack()
    service.restore(service.backup())
    another_timeline(service)
    sweep()
    poll()
    submit()
    assert service.api.meter()["creates"] == 0, "what was being sent may still be listed"
    allowances_are_over(service)
    service.finish()
    assert service.api.meter()["creates"] == 1


@pytest.mark.parametrize("stage", ["claimed", "sending", "let go"])
def test_a_backup_from_the_middle_of_a_create_knows_that_it_knows_nothing(service: Service, stage: str) -> None:
    service.accept(item("a"))
    pack()
    with process.database().transaction() as connection:
        token = protocol.new_token(process.deployment())
        claim = ledger.claim(connection, token=token, owner=process.database().owner(), lease_s=60)
        assert claim is not None
        if stage != "claimed":
            assert ledger.send(connection, claim.submission_id, items=1, create_timeout_s=20, allowance_s=5)
        if stage == "let go":
            assert ledger.authorize_last_bytes(connection, claim.submission_id, margin_s=1)
    backup = service.backup()
    created = create_at_the_api(service, token)
    service.restore(backup)
    another_timeline(service)
    sweep()
    assert service.ledger.states("submission") == ["unclear"], "whatever its row said, it may have been created since"
    poll()
    assert service.ledger.fetch_one("SELECT api_id FROM submission")["api_id"] == created
    allowances_are_over(service)
    service.finish()
    assert service.api.meter()["requests"] == 1


def create_at_the_api(service: Service, token: str) -> str:
    """What the process that was copied did in its other life."""
    ((item_id, asked),) = service.ledger.asked().items()
    request = f'{{"requests":[{{"custom_id":"{token}_{item_id}","params":{asked}}}]}}'
    headers = {"content-type": "application/json"}
    return str(service.api.http.post("/v1/messages/batches", content=request, headers=headers).json()["id"])


def test_a_batch_that_still_runs_is_waited_for(service: Service) -> None:
    service.accept(item("a"))
    pack()
    backup = service.backup()
    submit()
    service.restore(backup)
    another_timeline(service)
    sweep()
    allowances_are_over(service)
    service.api.fault("results", "missing")  # unreadable, as if it hadn't ended
    for _ in range(3):
        service.round()
    assert (service.api.meter()["creates"], service.ledger.states("item")) == (1, ["batched"])
    service.api.faults_are_over()
    service.finish()
    assert service.api.meter()["creates"] == 1


def test_a_strangers_batch_keeps_nothing_back(service: Service) -> None:
    service.api.stranger(2)
    service.accept(item("a"), item("b"))
    pack()
    service.restore(service.backup())
    another_timeline(service)
    sweep()
    allowances_are_over(service)
    service.finish()
    assert service.api.meter()["requests"] == 2


def test_a_copy_in_another_database_waits_for_a_word_however_clear_the_list(service: Service) -> None:
    service.accept(item("a"))
    pack()
    service.restore(service.backup())
    sweep()
    allowances_are_over(service)
    for _ in range(3):
        service.round()
    assert service.api.meter()["creates"] == 0, "its original may still run"
    give_word()
    service.finish()
    assert service.api.meter()["creates"] == 1


def test_a_copy_sends_nothing_even_before_anybody_noticed(service: Service) -> None:
    service.accept(item("a"))
    pack()
    service.restore(service.backup())
    submit()
    assert service.api.meter()["creates"] == 0


def test_a_ledger_that_was_set_back_in_place_is_noticed_by_its_log(service: Service) -> None:
    sweep()
    kept = process.redis_client().get(routes.LEDGER_POSITION_KEY)
    assert isinstance(kept, bytes)
    before = orjson.loads(kept)
    before["position"] += 1 << 40
    process.redis_client().set(routes.LEDGER_POSITION_KEY, orjson.dumps(before))
    sweep()
    row = service.ledger.fetch_one("SELECT moved_why, word_wanted FROM deployment")
    assert row == {"moved_why": "it was set back to an earlier state", "word_wanted": False}
    service.ledger.execute("UPDATE deployment SET moved_at = NULL")
    sweep()
    assert service.ledger.fetch_one("SELECT moved_at FROM deployment")["moved_at"] is None, "once"


def test_items_accepted_after_a_restore_get_ids_that_no_forgotten_one_had(service: Service) -> None:
    service.accept(item("a"))
    backup = service.backup()
    service.accept(item("forgotten"))
    service.finish()
    service.restore(backup)
    another_timeline(service)
    sweep()
    service.accept(item("new"))
    allowances_are_over(service)
    service.finish()
    assert [service.ledger.item(key)["state"] for key in ("a", "new")] == ["succeeded", "succeeded"]
    answer = orjson.loads(service.ledger.item("new")["message"])["content"]
    assert "forgotten" not in str(answer)
    assert service.ledger.fetch_one("SELECT sum(cost_nano) AS nano FROM bill")["nano"] == service.api.meter()["nano"], (
        "what is forgotten was paid, and is billed"
    )


def test_a_worker_does_not_start_on_the_ledger_of_another_deployment(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = process.deployment()
    database = Database(service.database_url)
    monkeypatch.setenv("OVERNIGHT_DEPLOYMENT", str(own))
    service.restart()
    assert waiting._not_ready(database) is None
    monkeypatch.setenv("OVERNIGHT_DEPLOYMENT", str(uuid4()))
    service.restart()
    assert "another one's copy" in str(waiting._not_ready(database))
    database.close()


def test_without_the_mark_a_forgotten_batch_is_nobodys(service: Service) -> None:
    service.accept(item("a"))
    pack()
    backup = service.backup()
    submit()
    service.restore(backup)
    service.ledger.execute("UPDATE deployment SET id = gen_random_uuid()")
    another_timeline(service)
    service.restart()
    sweep()
    poll()
    collect()
    assert service.ledger.fetch_one("SELECT ours FROM sighting")["ours"] is False
    assert service.ledger.states("batch") == ["packed"]
