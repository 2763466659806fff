"""The supervisor, with real processes: what is killed comes back, what is stopped leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from overnight_workers.one_machine.supervision import child, process_table
from overnight_workers.one_machine.supervision.process_table import Entry
from overnight_workers.one_machine.supervisor import AlreadyRunning, NotReady, Process, Supervisor, SupervisorStopped
from tests.waiting import wait_until

SLEEP = ["sleep", "1000"]
# A child in the same session, one in a session of its own (as Postgres backends are), and a stubborn leader.
FAMILY = "sleep 1000 & setsid sleep 1000 & wait"
STUBBORN = [
    "sh",
    "-c",
    "trap '' TERM; sleep 1000 & setsid sleep 1000 & echo stubborn; while :; do sleep 1000; done",
]

SCRIPT = """
import sys
from pathlib import Path
from overnight_workers.one_machine.supervisor import Process, Supervisor
data_dir = Path(sys.argv[1])
try:
    with Supervisor(data_dir) as supervisor:
        for name, command in [word.split("=", 1) for word in sys.argv[2:]]:
            ready = (lambda: False) if name == "never" else None
            supervisor.start(Process(name, ["sh", "-c", command], ready=ready))
        (data_dir / "up").touch()
        supervisor.run_forever()
except KeyboardInterrupt:
    sys.exit(130)
"""


class Script:
    """A supervisor in a process of its own."""

    def __init__(self, data_dir: Path, **commands: str) -> None:
        self.data_dir = data_dir
        data_dir.mkdir(exist_ok=True)
        (data_dir / "up").unlink(missing_ok=True)
        self.popen = subprocess.Popen(
            [
                sys.executable,
                "-c",
                SCRIPT,
                str(data_dir),
                *(f"{name}={line}" for name, line in commands.items()),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_up(self) -> None:
        wait_until((self.data_dir / "up").exists)

    def family(self) -> list[Entry]:
        """All of its descendants, itself excluded."""
        table = process_table.all_entries()
        pids = {self.popen.pid}
        while more := {who.pid for who in table if who.parent in pids} - pids:
            pids |= more
        return [who for who in table if who.pid in pids and who.pid != self.popen.pid]

    def ends(self) -> tuple[int, str]:
        """Its exit status and what it said."""
        said, _ = self.popen.communicate(timeout=60)
        return self.popen.returncode, said


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, said: list[str]) -> Iterator[Supervisor]:
    with Supervisor(tmp_path, said.append) as running:
        yield running


@pytest.fixture
def run_script(tmp_path: Path) -> Iterator[Callable[..., Script]]:
    scripts: list[Script] = []

    def run(**commands: str) -> Script:
        scripts.append(Script(tmp_path, **commands))
        return scripts[-1]

    yield run
    for script in scripts:
        # A second signal, should the test have sent the first, and harmless to one that has ended.
        script.popen.terminate()
        script.popen.communicate(timeout=60)


def living(these: list[Entry]) -> list[Entry]:
    return [who for who in these if process_table.is_alive(who)]


def entry_of(pid: int) -> Entry:
    entry = process_table.entry(pid)
    assert entry is not None
    return entry


def test_starts_once_the_one_before_is_ready(supervisor: Supervisor, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    supervisor.start(Process("first", ["sh", "-c", f"sleep 0.2; touch {flag}; sleep 1000"], ready=flag.exists))
    assert flag.exists()
    supervisor.start(Process("second", SLEEP))
    assert set(supervisor.pids()) == {"first", "second"}


def test_stops_the_last_group_first(tmp_path: Path, said: list[str]) -> None:
    order = tmp_path / "order"
    line = f"trap 'echo $0 >> {order}; exit 0' TERM; touch {tmp_path}/$0; while :; do sleep 0.01; done"
    with Supervisor(tmp_path, said.append) as supervisor:
        for name in ("server", "worker", "beat"):
            supervisor.start(Process(name, ["sh", "-c", line, name], ready=(tmp_path / name).exists))
    assert order.read_text().split() == ["beat", "worker", "server"]
    assert said == []


def test_a_group_stops_at_once_not_one_after_the_other(tmp_path: Path, said: list[str]) -> None:
    """Each ends when all were asked: the first of a row would have to be killed, which is said."""
    all_asked = f"while [ $(ls {tmp_path} | grep -c asked-) -lt 6 ]; do sleep 0.02; done"
    asked = f"touch {tmp_path}/asked-$0; {all_asked}; exit 0"
    line = f"trap '{asked}' TERM; touch {tmp_path}/$0; while :; do sleep 0.01; done"
    names = [f"worker-{number}" for number in range(6)]
    with Supervisor(tmp_path, said.append) as supervisor:
        supervisor.start(
            *(Process(n, ["sh", "-c", line, n], ready=(tmp_path / n).exists, grace_seconds=10) for n in names)
        )
    assert said == []


def test_killed_is_started_again_and_said(supervisor: Supervisor, said: list[str]) -> None:
    supervisor.start(Process("worker", SLEEP))
    before = supervisor.pids()["worker"]
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: supervisor.pids().get("worker", before) != before)
    wait_until(lambda: len(said) == 2)
    assert said[0].startswith("worker died (signal 9) ")
    assert "starting it again in 0.2 s" in said[0]
    assert said[1] == "worker started again"


def test_the_rest_of_a_dead_leaders_session_goes_before_it_is_started_again(supervisor: Supervisor) -> None:
    supervisor.start(Process("worker", ["sh", "-c", "sleep 1000 & sleep 1000 & wait"]))
    leader = entry_of(supervisor.pids()["worker"])
    wait_until(lambda: len(process_table.family(leader.pid, leader.started)) == 3)
    session = process_table.family(leader.pid, leader.started)
    os.kill(leader.pid, signal.SIGKILL)
    wait_until(lambda: supervisor.pids().get("worker", leader.pid) != leader.pid)
    assert not living(session)


def test_dying_again_and_again_waits_longer_and_shows_the_log(supervisor: Supervisor, said: list[str]) -> None:
    supervisor.start(Process("broken", ["sh", "-c", "echo no such thing as a database; exit 3"]))
    wait_until(lambda: sum("died" in news for news in said) >= 3)
    deaths = [news for news in said if "died" in news]
    for news, delay in zip(deaths, ("0.2", "0.4", "0.8"), strict=False):
        again = rf"broken died \(exit status 3\) [\d.]+ s after its start, starting it again in {delay} s\. Its log, "
        assert re.match(again, news)
        assert "broken.log" in news
        assert news.count("no such thing as a database") == 1


def test_the_log_is_shown_also_of_one_that_ended_after_a_good_life(
    supervisor: Supervisor, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "_LIVED_WELL_SECONDS", 0.3)
    monkeypatch.setattr("overnight_workers.one_machine.supervisor._SHORT_LIFE_SECONDS", 0.1)
    supervisor.start(Process("broken", ["sh", "-c", "sleep 0.5; echo the port is taken; exit 3"]))
    wait_until(lambda: said)
    assert said[0].startswith("broken died (exit status 3), started again. Its log, ")
    assert said[0].endswith("the port is taken")


def test_a_command_that_does_not_exist_says_so(supervisor: Supervisor, said: list[str]) -> None:
    supervisor.start(Process("typo", ["no-such-command"]))
    wait_until(lambda: said)
    assert "no-such-command can't be run: " in said[0]


def test_one_that_should_not_be_started_again_is_not(supervisor: Supervisor, said: list[str]) -> None:
    supervisor.start(Process("once", ["true"], restart=False))
    wait_until(lambda: said)
    assert said == ["once ended (exit status 0)"]
    assert supervisor.pids() == {}


def test_not_ready_in_time_names_the_log(supervisor: Supervisor, tmp_path: Path) -> None:
    log = tmp_path / "log" / "slow.log"

    def never() -> bool:
        wait_until(lambda: log.exists() and log.read_text())  # its words are there, whoever is slow
        return False

    command = ["sh", "-c", "echo still warming up; exec sleep 1000"]
    slow = Process("slow", command, ready=never, ready_timeout_seconds=0.2)
    with pytest.raises(NotReady, match=r"slow isn't ready after 0\.\d+ s. Its log, .*slow.log, ends:\n    still warm"):
        supervisor.start(slow)


def test_what_is_still_at_work_is_waited_for(supervisor: Supervisor, tmp_path: Path, said: list[str]) -> None:
    began = time.monotonic()
    busy = Process(
        "busy",
        [sys.executable, "-c", "while True: pass"],
        ready=lambda: time.monotonic() > began + 1.5,
        ready_timeout_seconds=0.3,
    )
    supervisor.start(busy)
    assert any("busy is still starting, after" in line for line in said)


def test_what_does_not_stop_is_killed_with_all_its_children(tmp_path: Path, said: list[str]) -> None:
    with Supervisor(tmp_path, said.append) as supervisor:
        log = tmp_path / "log" / "stubborn.log"
        ready = lambda: log.exists() and "stubborn" in log.read_text()  # noqa: E731
        supervisor.start(Process("stubborn", STUBBORN, grace_seconds=0.2, ready=ready))
        leader = entry_of(supervisor.pids()["stubborn"])
        wait_until(lambda: len(process_table.family(leader.pid, leader.started)) == 4)
        family = process_table.family(leader.pid, leader.started)
    assert not living(family)
    assert said == ["stubborn didn't stop within 0.2 s, killed"]


def test_nothing_is_started_once_stopped(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        supervisor.stop()
        with pytest.raises(SupervisorStopped):
            supervisor.start(Process("late", SLEEP))


def test_run_forever_ends_when_another_thread_stops_it(supervisor: Supervisor) -> None:
    supervisor.start(Process("worker", SLEEP))
    threading.Timer(0.1, supervisor.stop).start()
    supervisor.run_forever()
    assert supervisor.pids() == {}


def test_a_second_supervisor_is_refused_by_the_pid_of_the_first(supervisor: Supervisor, tmp_path: Path) -> None:
    with pytest.raises(AlreadyRunning, match=rf"pid {os.getpid()}\)"), Supervisor(tmp_path):
        pass
    supervisor.start(Process("worker", SLEEP))  # the first isn't disturbed


def test_a_large_log_is_set_aside(supervisor: Supervisor, tmp_path: Path) -> None:
    log = tmp_path / "log" / "worker.log"
    log.write_bytes(b"x" * 10_000_001)
    supervisor.start(Process("worker", SLEEP))
    assert log.stat().st_size == 0
    assert log.with_name("worker.log.1").stat().st_size == 10_000_001


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything(run_script: Callable[..., Script], number: signal.Signals) -> None:
    script = run_script(first="exec sleep 1000", second=FAMILY)
    script.wait_up()
    wait_until(lambda: len(script.family()) == 4)
    family = script.family()
    script.popen.send_signal(number)
    assert script.ends() in ((0, ""), (130, ""))
    wait_until(lambda: not living(family))


def test_a_signal_while_waiting_for_readiness_stops_everything(
    run_script: Callable[..., Script], tmp_path: Path
) -> None:
    script = run_script(first="exec sleep 1000", never="echo here; exec sleep 1000")
    wait_until(lambda: len(script.family()) == 2 and "here" in (tmp_path / "log/never.log").read_text())
    family = script.family()
    script.popen.send_signal(signal.SIGINT)
    assert script.ends()[0] == 130
    assert not living(family)


def test_a_second_ctrl_c_kills_at_once(run_script: Callable[..., Script]) -> None:
    script = run_script(stubborn=STUBBORN[2])
    script.wait_up()
    wait_until(lambda: len(script.family()) == 4)
    family = script.family()
    script.popen.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        script.popen.wait(0.5)
    script.popen.send_signal(signal.SIGINT)
    assert script.ends()[0] == 0
    assert not living(family)


def test_children_die_with_a_killed_supervisor(run_script: Callable[..., Script]) -> None:
    script = run_script(first="exec sleep 1000", second="exec sleep 1000")
    script.wait_up()
    family = script.family()
    assert len(family) == 2
    script.popen.kill()
    script.ends()
    wait_until(lambda: not living(family))
    again = run_script(first="exec sleep 1000")
    again.wait_up()
    again.popen.send_signal(signal.SIGTERM)
    # 130 when the signal comes before run_forever: a clean stop too
    assert again.ends() in ((0, ""), (130, ""))


def test_what_outlives_a_killed_supervisor_is_ended_by_the_next(
    run_script: Callable[..., Script], tmp_path: Path, said: list[str]
) -> None:
    # It gets its parent-death signal, dies of it, and leaves children that nobody told.
    script = run_script(parent="sleep 1000 & sleep 1000 & wait")
    script.wait_up()
    wait_until(lambda: len(script.family()) == 3)
    family = script.family()
    script.popen.kill()
    script.ends()
    wait_until(lambda: len(living(family)) == 2)
    with Supervisor(tmp_path, said.append):
        assert not living(family)
    assert said == ["ended what an earlier run left behind: parent"]


def test_a_stranger_with_a_recorded_pid_is_left_alone(
    run_script: Callable[..., Script], tmp_path: Path, said: list[str]
) -> None:
    stranger = subprocess.Popen(SLEEP, start_new_session=True)
    try:
        script = run_script(worker="exec sleep 1000")
        script.wait_up()
        record = tmp_path / "run" / "processes.json"
        (worker,) = script.family()
        text = record.read_text()
        script.popen.kill()
        script.ends()
        wait_until(lambda: not living([worker]))
        record.write_text(text.replace(f" {worker.pid},", f" {stranger.pid},"))
        with Supervisor(tmp_path, said.append):
            assert stranger.poll() is None
        assert said == []
    finally:
        stranger.kill()
        stranger.wait()


def test_the_allocator_is_told_to_keep_memory_unless_somebody_said_otherwise(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1")
    monkeypatch.delenv("MALLOC_MMAP_THRESHOLD_", raising=False)
    file = tmp_path / "told"
    tell = f'echo "$MALLOC_TRIM_THRESHOLD_ $MALLOC_MMAP_THRESHOLD_ $OWN" > {file}; sleep 1000'
    supervisor.start(Process("told", ["sh", "-c", tell], env={"OWN": "2"}))
    wait_until(lambda: file.exists() and file.read_text())
    assert file.read_text().split() == ["1", str(32 << 20), "2"]
