"""What the fork server forks is a process like any other: its own settings, its own end, on the supervisor's leash."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from overnight_workers.one_machine.supervision import process_table
from overnight_workers.one_machine.supervision.fork_server import ForkServer, Wish
from overnight_workers.one_machine.supervision.process_table import Entry
from tests.waiting import wait_until

SUPERVISOR = """
import sys
from pathlib import Path
from overnight_workers.one_machine.supervision.fork_server import ForkServer
from overnight_workers.one_machine.supervisor import Process, Supervisor
home = Path(sys.argv[1])
server = ForkServer(home / "run")
with Supervisor(home) as supervisor:
    supervisor.start(Process("fork-server", server.argv(), ready=server.answers))
    argv = [sys.executable, "-m", "worker_of_a_test", str(home / "facts"), "-n", "name"]
    supervisor.start(
        Process("worker", argv, env={"OWN": "its own"}, ready=(home / "facts").exists, fork_server=server)
    )
    (home / "up").touch()
    supervisor.run_forever()
"""
WORKER = """
import atexit, json, os, subprocess, sys, time
from pathlib import Path
WANTED = {"psycopg", "celery.app.base", "overnight_workers.settings", "overnight_workers.operators.watch"}
READ_VARIABLES = {"billiard.common", "overnight_workers.celery_worker.celery_app"}
imported = WANTED <= sys.modules.keys()
early = sorted(READ_VARIABLES & sys.modules.keys())
if imported:
    early += ["settings"] * sys.modules["overnight_workers.settings"].settings.cache_info().currsize
    early += ["shared memory"] * ("overnight_workers.celery_worker.stopping" in sys.modules)
subprocess.Popen(["sleep", "1000"])
facts = {
    "pid": os.getpid(), "parent": os.getppid(), "session": os.getsid(0), "words": sys.argv[1:], "main": __name__,
    "own": os.environ["OWN"], "imported": imported, "early": early, "name": Path("/proc/self/comm").read_text().strip(),
    "umask": os.umask(0o077),
}
print("it has begun", flush=True)
file = Path(sys.argv[1])
file.with_suffix(".new").write_text(json.dumps(facts))
file.with_suffix(".new").replace(file)
atexit.register(Path(f"{file}.left").touch)
while not Path(f"{file}.end").exists():
    time.sleep(0.02)  # it lives until the test says so
Path(f"{file}.end").unlink()
sys.exit(3)
"""


class Supervised:
    """A supervisor with a fork server and a worker of it, in a process of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "worker_of_a_test.py").write_text(WORKER)
        with (home / "said").open("wb") as said:
            self.popen = subprocess.Popen(
                [sys.executable, "-c", SUPERVISOR, str(home)],
                stdout=said,
                stderr=said,
                env={**os.environ, "PYTHONPATH": str(home), "PYTHONUNBUFFERED": "1"},
            )
        wait_until((home / "up").exists, what=self.said)

    def said(self) -> str:
        return (self.home / "said").read_text()

    def facts(self) -> dict[str, Any]:
        """What the worker says of itself."""
        facts: dict[str, Any] = json.loads((self.home / "facts").read_text())
        return facts

    def leader(self, name: str) -> Entry:
        record = json.loads((self.home / "run" / "processes.json").read_text())
        (pid,) = [pid for process, pid, *_ in record["processes"] if process == name]
        process = process_table.entry(pid)
        assert process is not None
        return process

    def family(self, name: str) -> list[Entry]:
        leader = self.leader(name)
        return process_table.family(leader.pid, leader.started)

    def after(self, attack: Callable[[], object]) -> dict[str, Any]:
        """What the next worker says of itself, once this one has ended by an attack."""
        before = self.facts()["pid"]
        attack()
        wait_until(lambda: self.facts()["pid"] != before, what=self.said)
        return self.facts()

    def children(self) -> list[Entry]:
        """Its children that live."""
        return [process for process in process_table.all_entries() if process.parent == self.popen.pid]

    def zombies(self) -> list[str]:
        """Children that have ended and that nobody has asked about."""
        stats = [path / "stat" for path in Path("/proc").iterdir() if path.name.isdigit()]
        texts = [stat.read_text() for stat in stats if stat.exists()]
        return [text for text in texts if text.rpartition(")")[2].split()[:2] == ["Z", str(self.popen.pid)]]


@pytest.fixture(scope="module")
def supervised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervised]:
    with supervising(tmp_path_factory.mktemp("supervised")) as running:
        yield running


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Supervised]:
    """Its worker hasn't died yet: who dies often is started again later and later."""
    with supervising(tmp_path) as running:
        yield running


@contextmanager
def supervising(home: Path) -> Iterator[Supervised]:
    """As long as the block lasts, or its supervisor lives."""
    running = Supervised(home)
    yield running
    if running.popen.poll() is None:
        running.popen.terminate()
        assert running.popen.wait(60) == 0


def test_it_is_a_process_like_any_other_and_its_libraries_are_there(supervised: Supervised) -> None:
    facts = supervised.facts()
    assert facts["imported"]
    assert facts["early"] == [], "what reads variables is imported by whoever has its own"
    assert facts["parent"] == supervised.popen.pid
    assert facts["session"] == facts["pid"]
    assert facts["words"] == [str(supervised.home / "facts"), "-n", "name"]
    assert (facts["own"], facts["main"], facts["name"], facts["umask"]) == ("its own", "__main__", "worker", 0o077)
    assert (supervised.home / "log" / "worker.log").read_text() == "it has begun\n"


def test_it_is_forked_again_however_it_ended_and_the_supervisor_says_how(supervised: Supervised) -> None:
    again = supervised.after(lambda: os.kill(supervised.facts()["pid"], signal.SIGKILL))
    assert again["imported"]
    assert "worker died (signal 9)" in supervised.said()
    assert not (supervised.home / "facts.left").exists()
    again = supervised.after((supervised.home / "facts.end").touch)
    assert again["imported"]
    assert (supervised.home / "facts.left").exists(), "what it wanted to do at its end was done"
    assert "worker died (exit status 3)" in supervised.said()


def test_what_it_had_started_ends_with_it_and_leaves_no_zombie(supervised: Supervised) -> None:
    wait_until(lambda: len(supervised.family("worker")) == 2)
    before = supervised.family("worker")
    supervised.after(lambda: os.kill(supervised.facts()["pid"], signal.SIGKILL))
    assert not [who for who in before if process_table.is_alive(who)]
    wait_until(lambda: not supervised.zombies(), what=supervised.zombies)


def test_it_ends_with_a_killed_supervisor(fresh: Supervised) -> None:
    everybody = [fresh.leader("worker"), fresh.leader("fork-server")]
    fresh.popen.kill()
    fresh.popen.wait()
    wait_until(lambda: not [who for who in everybody if process_table.is_alive(who)])


def test_without_a_fork_server_it_is_started_the_usual_way_and_forked_when_there_is_one_again(
    fresh: Supervised,
) -> None:
    def kill_both() -> None:
        process_table.send(fresh.leader("fork-server"), signal.SIGKILL)
        os.kill(fresh.facts()["pid"], signal.SIGKILL)

    assert not fresh.after(kill_both)["imported"]
    wait_until(ForkServer(fresh.home / "run").answers)
    assert fresh.after(lambda: os.kill(fresh.facts()["pid"], signal.SIGKILL))["imported"]


def test_a_frozen_fork_server_delays_a_start_by_seconds_and_starts_nothing_twice(fresh: Supervised) -> None:
    frozen = fresh.leader("fork-server")
    process_table.send(frozen, signal.SIGSTOP)
    assert not fresh.after(lambda: os.kill(fresh.facts()["pid"], signal.SIGKILL))["imported"]
    process_table.send(frozen, signal.SIGCONT)
    # asked again, it comes to this wish after the one that nobody waits for any more
    assert fresh.after(lambda: os.kill(fresh.facts()["pid"], signal.SIGKILL))["imported"]
    wait_until(lambda: len(fresh.children()) == 2, what=fresh.children)


def test_who_asks_without_a_fork_server_is_told_that_there_is_none(tmp_path: Path) -> None:
    nobody = ForkServer(tmp_path)
    wish = Wish("worker", "json.tool", [], {}, None, os.getpid(), signal.SIGTERM)
    with (tmp_path / "log").open("wb") as log:
        assert nobody.fork(wish, log.fileno()) is None
    assert not nobody.answers()
