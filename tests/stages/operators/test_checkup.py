"""`overnight doctor` and `overnight health` as probes: exit codes, what they cost, whose settings they go by."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import orjson
import pytest
import redis
from typer.testing import CliRunner

from overnight_models import routes
from overnight_models.ledger import schema
from overnight_models.ledger.database import Database
from overnight_models.ledger.probe import newest_revision, probe
from overnight_models.wire.policy import Policy
from overnight_workers import process
from overnight_workers.cli import app
from overnight_workers.operators import checkup, checkup_page, redis_health, thorough
from overnight_workers.operators.redis_look import look
from overnight_workers.operators.snapshot import take_snapshot
from overnight_workers.operators.watch import watch
from overnight_workers.operators.workers import MISSING, Sign, forget_gone
from overnight_workers.settings import settings
from overnight_workers.stages.rescue import sweep
from tests.driving import Service, item

HOST = socket.gethostname()
NOWHERE = "redis://127.0.0.1:1/0"


def show(service: Service, *queues: str, host: str = HOST, stuck_s: float = 0.0, name: str = "all") -> None:
    """A worker's sign of life, as it writes it."""
    sign = Sign(f"{name}@{host}", host, queues or routes.QUEUES, stuck_s)
    with redis.Redis.from_url(service.redis_url) as client:
        client.sadd(routes.WORKERS_KEY, sign.worker)
        client.set(routes.WORKER_KEY.format(sign.worker), orjson.dumps(asdict(sign)), ex=45)


@pytest.fixture
def well(service: Service) -> Service:
    """A service of which nothing is to be said."""
    sweep()
    watch()
    show(service)
    return service


def states() -> dict[str, str]:
    """What each check says, where it isn't ok."""
    return {finding.check: finding.state for finding in checkup.doctor() if finding.state != "ok"}


def run(*words: str) -> tuple[int, str]:
    """A command: its exit code, and what it printed."""
    done = CliRunner().invoke(app, words)
    return done.exit_code, done.output


def test_where_all_is_well_nobody_is_needed(well: Service) -> None:
    assert states() == {}
    code, said = run("doctor")
    assert (code, "FAULT" in said) == (0, False)
    assert f"none is on, as {HOST} sees it" in said
    document = json.loads(run("doctor", "--json")[1])
    assert (document["ok"], document["exit"]) == (True, 0)


def test_the_short_way_looks_at_the_same_as_the_thorough_one(well: Service) -> None:
    quick = [(finding.check, finding.state, finding.found) for finding in checkup.doctor()]
    long = [(finding.check, finding.state, finding.found) for finding in thorough.ledger(settings(), None)]
    said = {check: words for check, _, words in long}
    assert [(check, state, said.get(check, words)) for check, state, words in quick if check in said] == long


def test_the_newest_revision_is_alembics(fresh_database: Database) -> None:
    with fresh_database.transaction() as connection:
        assert schema.revisions(connection) == (newest_revision(), newest_revision())


def test_an_urgent_alarm_needs_somebody_and_another_one_is_a_note(well: Service) -> None:
    well.ledger.execute("INSERT INTO lane (name, paused_at, paused_reason) VALUES ('quiet', now(), 'prompt')")
    well.restart()
    watch()
    assert states() == {"lane paused": "note"}
    assert run("doctor")[0] == 0
    well.ledger.execute("UPDATE workspace SET held_at = now(), held_reason = '402'")
    well.ledger.execute("INSERT INTO workspace (name, held_at, held_reason) VALUES ('w', now(), '402')")
    well.restart()
    watch()
    assert states()["workspace held"] == "fault"
    assert run("doctor")[0] == 1


def test_without_a_watch_the_ledger_is_read_here(well: Service) -> None:
    well.ledger.execute("INSERT INTO workspace (name, held_at, held_reason) VALUES ('w', now(), '402')")
    process.redis_client().delete(routes.WATCH_KEY)
    assert states() == {"workspace held": "fault"}


def test_what_the_workers_see_is_of_their_ledger(well: Service) -> None:
    seen = process.redis_client().get(routes.WATCH_KEY)
    assert isinstance(seen, bytes)
    process.redis_client().set(routes.WATCH_KEY, orjson.dumps(orjson.loads(seen) | {"deployment": "another"}))
    assert states() == {"deployment": "fault"}


@pytest.mark.parametrize(
    ("variable", "value", "unknown"),
    [
        ("OVERNIGHT_REDIS_URL", NOWHERE, {"redis", "workers"}),
        ("OVERNIGHT_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere", {"database"}),
    ],
)
def test_with_a_server_away_it_can_not_be_told(
    well: Service, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, unknown: set[str]
) -> None:
    monkeypatch.setenv(variable, value)
    well.restart()
    assert {check for check, state in states().items() if state == "unknown"} == unknown
    assert run("doctor")[0] == 2


def test_faults_of_the_settings_need_somebody(well: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERNIGHT_LANES", "5")
    settings.cache_clear()
    assert run("doctor") == (
        1,
        (
            "FAULT configuration: OVERNIGHT_LANES: it holds tables, such as [lanes.NAME], and isn't a number\n"
            "      → mend overnight.toml or the environment\n"
        ),
    )


def test_workers_that_are_gone_frozen_or_missing_need_somebody(well: Service) -> None:
    process.redis_client().delete(routes.WORKER_KEY.format(f"all@{HOST}"))
    assert states() == {"workers": "fault"}
    show(well, *[queue for queue in routes.QUEUES if queue != routes.PACK])
    assert [finding.found for finding in checkup.doctor() if finding.check == "workers"] == [
        "nobody works on overnight.pack"
    ]
    show(well, routes.PACK, name="pack", stuck_s=61.0)
    assert any("begins none" in finding.found for finding in checkup.doctor())
    seen = take_snapshot(process.database(), process.redis_client()).alarms(settings())
    assert [(finding.kind, finding.text.split()[0]) for finding in seen] == [(MISSING, "Worker"), (MISSING, "Nobody")]


def test_a_key_that_is_missing_here_is_no_fault_while_a_worker_submits(
    well: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    assert states() == {}
    show(well, routes.DELIVER)
    assert states()["key of workspace default"] == "fault"


def test_a_key_that_is_missing_here_can_not_be_told_while_redis_is_away(
    well: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.setenv("OVERNIGHT_REDIS_URL", NOWHERE)
    well.restart()
    assert states()["key of workspace default"] == "unknown"
    assert run("doctor")[0] == 2


# --- health ----------------------------------------------------------------------------------------------------------


def test_health_is_of_this_hosts_worker_of_that_queue(service: Service) -> None:
    show(service, routes.SUBMIT, host="elsewhere")
    assert run("health", "--queue", routes.SUBMIT)[0] == 1
    show(service, routes.SUBMIT, routes.PACK)
    assert run("health", "--queue", routes.SUBMIT) == (0, f"ok    {routes.SUBMIT}: all@{HOST}\n")
    assert run("health", "--queue", routes.SUBMIT, "--queue", routes.COLLECT)[0] == 1


def test_health_of_a_worker_whose_processes_begin_nothing(service: Service) -> None:
    show(service, routes.SUBMIT, stuck_s=59.0)
    assert run("health", "--queue", routes.SUBMIT)[0] == 0
    show(service, routes.SUBMIT, stuck_s=61.0)
    code, said = run("health", "--queue", routes.SUBMIT)
    assert (code, "its processes are frozen" in said) == (1, True)


def test_health_without_redis_can_not_be_told(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERNIGHT_REDIS_URL", NOWHERE)
    service.restart()
    assert run("health", "--queue", routes.SUBMIT)[0] == 2


def test_health_of_a_queue_that_is_not_there_lists_them(service: Service) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "health", "--queue", "overnight.submitt"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "there is no queue overnight.submitt" in done.stderr
    assert routes.SUBMIT in done.stderr


def test_names_of_containers_that_are_gone_are_forgotten(service: Service) -> None:
    show(service, name="old", host="container-1")
    show(service)
    client = process.redis_client()
    client.delete(routes.WORKER_KEY.format("old@container-1"))
    forget_gone(client)
    assert client.smembers(routes.WORKERS_KEY) == {f"all@{HOST}".encode()}


# --- what it costs ---------------------------------------------------------------------------------------------------

MAIN = "from overnight_workers.command import main; main()"
COUNTED = """
import json, os, sys
leave = os._exit
def counted(code):
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr, flush=True)
    leave(code)
os._exit = counted
"""
"""A probe ends by it, at once: whatever else it imported would be taken apart first."""
DEAR = {"alembic", "anthropic", "celery", "kombu", "pydantic", "redis", "rich", "sqlalchemy", "structlog", "typer"}


@pytest.mark.parametrize(
    ("words", "also"),
    [(["doctor"], set()), (["health", "--queue", routes.SUBMIT], {"psycopg"})],
    ids=["doctor", "health"],
)
def test_a_probe_imports_nothing_dear(well: Service, words: list[str], also: set[str]) -> None:
    done = subprocess.run([sys.executable, "-c", COUNTED + MAIN, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(json.loads(done.stderr)) & (DEAR | also) == set()


@pytest.mark.parametrize("words", [["doctor"], ["doctor", "--json"], ["health", "--queue", routes.SUBMIT]])
def test_the_short_way_prints_what_the_command_line_prints(
    well: Service, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    def without_clock(text: str) -> list[str]:
        return [line for line in text.splitlines() if "apart" not in line and "policy" not in line]

    code = checkup_page.main(words[0], words[1:])
    assert (code, without_clock(capsys.readouterr().out)) == (0, without_clock(run(*words)[1]))


@pytest.mark.parametrize("words", [["doctor", "--help"], ["doctor", "--jso"], ["health"], ["health", "--queue"]])
def test_words_that_it_does_not_know_are_for_the_command_line(words: list[str]) -> None:
    assert checkup_page.main(words[0], words[1:]) is None


# --- the same Redis, asked by the small client -------------------------------------------------------------


@pytest.fixture
def own_redis(service: Service) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(service.redis_url) as client:
        yield client
        client.replicaof("NO", "ONE")
        client.config_set("maxmemory", 0)


@pytest.mark.parametrize("trouble", ["none", "a replica", "nearly full", "full", "away"])
def test_the_small_client_says_of_redis_what_the_large_one_says(
    service: Service, own_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    used = int(own_redis.info("memory")["used_memory"])
    if trouble == "a replica":
        own_redis.replicaof("127.0.0.1", 1)
    elif trouble == "nearly full":
        own_redis.config_set("maxmemory", used + used // 20)
    elif trouble == "full":
        own_redis.config_set("maxmemory", 1)
    elif trouble == "away":
        monkeypatch.setenv("OVERNIGHT_REDIS_URL", NOWHERE)
        service.restart()
    small, large = look(settings()).health, redis_health.look(process.redis_client())
    assert small.is_away == large.is_away == (trouble == "away")
    assert (small.fault or "").partition(" (")[0].split(" of ")[0].split(" uses ")[0] == (
        (large.fault or "").partition(" (")[0].split(" of ")[0].split(" uses ")[0]
    )
    assert small.version == large.version


def test_a_user_without_rights_is_said_to_have_none(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    with redis.Redis.from_url(service.redis_url) as client:
        client.acl_setuser("reader", reset=True, enabled=True, passwords=["+x"], commands=["+ping", "+select"])
        monkeypatch.setenv("OVERNIGHT_REDIS_URL", service.redis_url.replace("redis://", "redis://reader:x@"))
        service.restart()
        assert "doesn't let us in" in str(look(settings()).health.fault)
        client.acl_deluser("reader")


# --- whose policy ----------------------------------------------------------------------------------------------------


def test_a_lane_that_only_this_directory_lacks_is_no_urgent_alarm(service: Service) -> None:
    service.configure(lanes={"copy": {"max_wait": "1h"}})
    service.accept(item("a"), lane="copy")
    sweep()
    show(service)
    service.configure()
    on = {alarm.kind: alarm for alarm in take_snapshot(process.database(), process.redis_client()).alarms(settings())}
    assert set(on) == {"other policy"}
    assert not on["other policy"].urgent
    assert (
        f"Lane copy isn't in the configuration read here, and in the policy in force ({HOST}, "
        in on["other policy"].text
    )
    assert f"{os.environ['OVERNIGHT_CONFIG']})." in on["other policy"].text
    policy = next(finding for finding in checkup.doctor() if finding.check == "policy")
    assert policy.state == "note"
    assert f"in force: default, copy ({HOST}, " in policy.found
    sweep()  # the workers' own configuration has lost it
    (alarm,) = take_snapshot(process.database(), process.redis_client()).alarms(settings())
    assert (alarm.kind, alarm.urgent) == ("lane unknown", True)
    assert f"the policy in force ({HOST}, " in alarm.text


def test_a_policy_of_an_older_version_has_no_publisher(service: Service) -> None:
    old = orjson.loads(process.policy().dump())
    del old["published"]
    assert Policy.load(orjson.dumps(old)) == process.policy()


def test_a_probe_of_a_ledger_that_is_not_well_says_nothing(service: Service, tmp_path: Path) -> None:
    assert probe(service.database_url) is not None
    service.ledger.execute("UPDATE overnight_version SET version_num = '0001'")
    try:
        assert probe(service.database_url) is None
    finally:
        service.ledger.execute(f"UPDATE overnight_version SET version_num = '{newest_revision()}'")
    assert probe("postgresql://nobody@127.0.0.1:1/nowhere") is None
