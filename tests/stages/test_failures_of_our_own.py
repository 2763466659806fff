"""A failure of our own, in any stage: nothing stays taken, the others go on, and an alarm says what to mend.

Postgres itself fails here, by a trigger: as a defect of ours would, or as a full disk does.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
from celery.signals import task_failure, task_success
from typer.testing import CliRunner

import overnight_workers.app  # noqa: F401 - notes the failures of tasks
from overnight_models import routes
from overnight_models.ledger.collect import collect as readings
from overnight_models.ledger.operators.failures import MOST_OF_A_KIND
from overnight_models.ledger.submit import submit as submissions
from overnight_workers import process
from overnight_workers.cli import app
from overnight_workers.operators.snapshot import take_snapshot
from overnight_workers.settings import settings
from overnight_workers.stages import protocol, pulse
from overnight_workers.stages.accept.accept import MAX_TRIES, accept
from overnight_workers.stages.answer import answer
from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.measure.measure import measure
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.rescue import sweep
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, callback, item, params

DISK_FULL, DEFECT = "53100", "P0001"
NO_ROOM = "failed here: OSError: [Errno 28] No space left on device"


@pytest.fixture
def full_directory(tmp_path: Path) -> Iterator[Path]:
    """A directory with room for 64 KB."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a small file system")
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], check=False)
    if mounted.returncode:
        pytest.skip("a small file system can't be mounted here")
    yield small
    subprocess.run(["umount", str(small)], check=True)


@contextmanager
def failing(service: Service, change: str, when: str = "true", code: str = DEFECT) -> Iterator[None]:
    """Within the block Postgres refuses a change, as `INSERT ON batch`, of the rows of which something holds."""
    said = "could not extend file: No space left on device" if code == DISK_FULL else "a defect"
    service.ledger.execute(
        "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{said}' USING ERRCODE = '{code}'; END $$"
    )
    service.ledger.execute(
        f"CREATE TRIGGER refusing BEFORE {change} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION refuse()"
    )
    try:
        yield
    finally:
        service.ledger.execute(f"DROP TRIGGER refusing ON {change.rpartition(' ')[2]}")


def failures() -> list[str]:
    """What the alarms *stage failing* say."""
    on = take_snapshot(process.database()).alarms(settings())
    return [alarm.text for alarm in on if alarm.kind == "stage failing"]


def says(*words: str) -> bool:
    """Whether one alarm says that, and `doctor` does too."""
    (text,) = failures()
    printed = CliRunner().invoke(app, ["doctor"]).output
    return all(word in text for word in words) and "FAULT stage failing" in printed


def test_a_batch_whose_body_has_no_room_is_given_back_and_sent_when_there_is_room(
    service: Service, full_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.accept(item("a", params=params("x" * 200_000)))
    pack()
    with monkeypatch.context() as small:
        small.setattr(tempfile, "tempdir", str(full_directory))
        submit()
    batch = service.ledger.fetch_one("SELECT state, reason, not_before > now() AS later FROM batch")
    assert (batch["state"], batch["reason"], batch["later"]) == ("packed", NO_ROOM, True)
    assert says(routes.SUBMIT, "batch 1: OSError: [Errno 28] No space left on device")
    service.clock.pauses_are_over()
    submit()
    assert service.api.meter()["creates"] == 1


def test_a_batch_is_given_back_when_a_statement_of_its_submitter_fails(service: Service) -> None:
    service.accept(item("a"))
    pack()
    with failing(service, "UPDATE ON submission", "NEW.state = 'sending'", DISK_FULL):
        submit.apply()
    assert service.ledger.states("batch") == ["packed"]
    assert says(routes.SUBMIT, "batch 1: DatabaseFull", "has no room on its disk")
    service.finish()
    assert service.api.meter()["creates"] == 1


def a_submitter_dies() -> None:
    """It has taken the batch and sent nothing; the sweep takes it back."""
    with process.database().transaction() as connection:
        token = protocol.new_token(process.deployment())
        assert submissions.claim(connection, token=token, owner=1, lease_s=60) is not None
    sweep()


def test_a_batch_over_which_submitters_die_again_and_again_is_an_alarm(service: Service) -> None:
    service.accept(item("a"))
    pack()
    for _ in range(3):
        assert failures() == []
        a_submitter_dies()
    assert says(
        routes.SUBMIT, "batch 1: Unfinished: 3 workers began it and none came to its end, and no error is known"
    )


def test_a_batch_over_whose_results_collectors_die_again_and_again_is_an_alarm(service: Service) -> None:
    service.accept(item("a"))
    pack()
    submit()
    poll()
    for _ in range(3):
        with process.database().transaction() as connection:
            assert readings.claim(connection, owner=1, lease_s=60) is not None
    pulse.begun_again(routes.COLLECT, "batch 1", 2, None)
    assert failures() == []
    pulse.begun_again(routes.COLLECT, "batch 1", 3, None)
    assert says(
        routes.COLLECT, "batch 1: Unfinished: 3 workers began it and none came to its end, and no error is known"
    )
    pulse.succeeded(routes.COLLECT, "batch 1")
    with failing(service, "DELETE ON failure"):
        collect()
    assert says(routes.COLLECT, "batch 1: Unfinished: 3 workers began it"), "the next one said so"
    pulse.succeeded(routes.COLLECT, "batch 1")
    assert failures() == []


def test_of_workers_that_do_not_come_to_an_end_for_a_full_disk_the_disk_is_said(service: Service) -> None:
    service.accept(item("a"))
    pack()
    with failing(service, "UPDATE ON submission", "NEW.state = 'sending'", DISK_FULL):
        submit.apply()
    service.clock.pauses_are_over()
    for _ in range(3):
        a_submitter_dies()
    assert says(routes.SUBMIT, "batch 1: DatabaseFull", "has no room on its disk")
    service.ledger.execute("UPDATE failure SET what = 'batch 2'")
    a_submitter_dies()
    assert any("batch 1: Unfinished: 4 workers" in text and "last: DatabaseFull" in text for text in failures())


def test_a_failure_that_the_ledger_does_not_take_is_said_as_soon_as_it_does(service: Service) -> None:
    service.accept(item("a"))
    pulse.at_work(routes.PACK)
    with failing(service, "INSERT ON batch"), failing(service, "INSERT ON failure"):
        pack()
    assert failures() == []
    process.pulse_said_at().clear()  # as after ten seconds
    pulse.at_work(routes.PACK)
    assert says(routes.PACK, "lane ", "a defect")
    pack()
    assert failures() == []


def test_one_that_fails_is_said_until_it_succeeds_while_another_of_its_stage_fails_and_succeeds(
    service: Service,
) -> None:
    pulse.failed(routes.POLL, OSError("no route"), about="workspace a", again_in_s=300)
    for _ in range(2):
        pulse.failed(routes.POLL, OSError("no name"), about="workspace b")
        assert [name in " ".join(failures()) for name in ("workspace a: ", "workspace b: ")] == [True, True]
        pulse.succeeded(routes.POLL, "workspace b")
        assert says(routes.POLL, "workspace a: OSError: no route")
    pulse.succeeded(routes.POLL, "workspace a")
    assert failures() == []


def test_another_process_that_succeeds_at_a_part_ends_the_alarm_of_that_part_alone(service: Service) -> None:
    for name in ("a", "b"):
        pulse.failed(routes.PACK, OSError("no room"), about=f"lane {name}")
    assert says("lane a: OSError: no room; for the same reason at lane b")
    process.failing().clear()
    process.pulse_said_at().clear()
    pulse.at_work(routes.PACK)
    pulse.succeeded(routes.PACK, "lane a")
    assert says(routes.PACK, "lane b: OSError: no room")


def test_a_task_that_fails_on_one_host_is_said_while_it_goes_well_on_another(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on(host: str) -> None:
        monkeypatch.setattr("socket.gethostname", lambda: host)
        process.failing().clear()
        process.pulse_said_at().clear()
        pulse.at_work(routes.PACK)

    for host in ("one", "two"):
        on(host)
        task_failure.send(sender=pack, exception=OSError(f"no room on {host}"))
    task_success.send(sender=pack)
    assert says(routes.PACK, "host one: OSError: no room on one")
    on("one")
    task_success.send(sender=pack)
    assert failures() == []


def test_many_that_fail_are_few_rows_and_crowd_out_no_other_kind(service: Service) -> None:
    for n in range(MOST_OF_A_KIND + 5):
        pulse.failed(routes.MEASURE, OSError(f"reason {n}"), about=f"item {n}")
    pulse.failed(routes.MEASURE, OSError("no room"))
    counted = service.ledger.fetch_one("SELECT count(*) AS n FROM failure")["n"]
    assert counted == MOST_OF_A_KIND + 1
    said = failures()
    assert len(said) == 6
    assert said[-1] == f"{routes.MEASURE} fails at {MOST_OF_A_KIND - 4} other things; its log says why."
    service.ledger.execute("UPDATE failure SET until = now() - interval '11 minutes'")
    sweep()
    assert service.ledger.fetch_one("SELECT count(*) AS n FROM failure")["n"] == 0


def test_what_a_worker_of_an_earlier_version_says_of_its_failure_is_an_alarm(service: Service) -> None:
    service.ledger.execute(
        "INSERT INTO pulse (stage, failing_since, failing_until, failing_why) VALUES"
        " (%s, now(), now() + interval '1 minute', 'batch 7: OSError: no room')",
        routes.SUBMIT,
    )
    assert says(routes.SUBMIT, "last: batch 7: OSError: no room")


def test_results_that_can_not_be_recorded_are_read_again_with_the_reason(service: Service) -> None:
    service.accept(item("a"))
    pack()
    submit()
    poll()
    with failing(service, "INSERT ON outcome"):
        collect()
    row = service.ledger.fetch_one(
        "SELECT error, lease_until IS NULL AS free, next_read_at > now() AS later FROM submission"
    )
    assert "a defect" in row["error"]
    assert (row["free"], row["later"]) == (True, True)
    assert says(routes.COLLECT, "batch 1: ", "a defect")
    service.finish()
    assert service.ledger.states("item") == ["succeeded"]


def test_a_lane_that_can_not_be_packed_keeps_no_other_lane_waiting(service: Service) -> None:
    service.configure(lanes={"other": {"max_wait": "0s"}})
    service.accept(item("a"))
    service.accept(item("b"), lane="other")
    with failing(service, "INSERT ON batch", "NEW.lane_id = 1"):
        pack()
    assert sorted(service.ledger.states("item")) == ["batched", "waiting"]
    assert says(routes.PACK, "lane ", "a defect")
    pack()
    assert service.ledger.states("item") == ["batched", "batched"]


def test_a_queue_that_fails_keeps_no_other_queue_waiting(service: Service, apart: None) -> None:
    service.accept(item("a", callback=callback("first")), item("b", callback=callback("second")))
    service.round()
    with failing(service, "UPDATE ON delivery", "NEW.state = 'delivered' AND NEW.item_id = 1"):
        deliver()
    assert service.ledger.states("delivery") == ["sending", "delivered"]
    assert says(routes.DELIVER, "queue first: ", "a defect")
    service.clock.leases_lapse()
    sweep()
    deliver()
    assert service.ledger.states("delivery") == ["delivered", "delivered"]


def test_items_whose_count_can_not_be_recorded_wait_without_a_lease(service: Service) -> None:
    service.configure(lane={"max_input_tokens": 3_000})
    service.accept(item("a", "kettle " * 1_000))
    with failing(service, "DELETE ON unmeasured"):
        measure()
    row = service.ledger.fetch_one("SELECT lease_until, not_before > now() AS later FROM unmeasured")
    assert (row["lease_until"], row["later"]) == (None, True)
    assert says(routes.MEASURE, "items 1 to 1: ", "a defect")
    service.finish()
    assert service.ledger.states("item") == ["succeeded"]


def test_a_workspace_whose_list_can_not_be_recorded_keeps_no_other_waiting(service: Service) -> None:
    service.configure(
        lanes={"other": {"max_wait": "0s", "workspace": "other"}},
        workspaces={"other": {"api_key_env": "ANTHROPIC_API_KEY"}},
    )
    service.accept(item("a"))
    service.accept(item("b"), lane="other")
    pack()
    submit()
    with failing(service, "UPDATE ON submission", "NEW.ended_at IS NOT NULL AND NEW.batch_id = 1"):
        poll()
    assert service.ledger.fetch_one("SELECT count(*) AS n FROM submission WHERE ended_at IS NOT NULL")["n"] == 1
    assert says(routes.POLL, "workspace ", "a defect")


def test_a_part_of_the_sweep_that_fails_keeps_no_other_part_from_being_done(service: Service) -> None:
    service.accept(item("a"))
    service.ledger.execute("UPDATE inbox SET done_at = now() - interval '9 d', received_at = now() - interval '9 d'")
    with failing(service, "DELETE ON inbox"):
        sweep()
    assert says(routes.RESCUE, "forget: ", "a defect")
    assert service.ledger.fetch_one("SELECT ran_at FROM pulse WHERE stage = %s", routes.RESCUE)["ran_at"]


def test_a_message_that_a_full_disk_kept_out_is_not_turned_down_for_it(service: Service) -> None:
    message_id = str(uuid4())
    lines = orjson.dumps(item("a")).decode()
    message = {"v": 1, "message_id": message_id, "lane": "default", "items": lines}
    with failing(service, "INSERT ON item", code=DISK_FULL):
        for _ in range(MAX_TRIES + 1):
            accept.apply(kwargs=message)
        assert says(routes.ACCEPT, message_id, "has no room on its disk")
    accept.apply(kwargs=message)
    assert service.ledger.verdict(message_id)["accepted"] == 1


def test_a_task_that_fails_anywhere_else_is_an_alarm(service: Service) -> None:
    service.ledger.execute("ALTER TABLE run RENAME TO elsewhere")
    try:
        answer.apply(kwargs={"question": "run", "reply_to": "nobody", "about": {"run": "night"}})
    finally:
        service.ledger.execute("ALTER TABLE elsewhere RENAME TO run")
    assert says(routes.ANSWER, "ProgrammingError")


def test_a_failure_is_over_a_while_after_its_next_try(service: Service) -> None:
    with failing(service, "INSERT ON batch"):
        service.accept(item("a"))
        pack()
    assert failures()
    service.ledger.execute("UPDATE failure SET until = now()")
    assert failures() == []


def test_doctor_of_a_database_without_the_ledger_says_what_to_run(service: Service) -> None:
    service.ledger.execute("ALTER TABLE deployment RENAME TO somewhere_else")
    try:
        done = CliRunner().invoke(app, ["doctor"])
    finally:
        service.ledger.execute("ALTER TABLE somewhere_else RENAME TO deployment")
    assert "mend what stands above first" in done.output
