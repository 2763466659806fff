"""A worker that can't work says why at its start, in a sentence, and ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from overnight_workers.celery_worker import start_checks
from overnight_workers.celery_worker.temporary_directory import temporary_directory_fault
from overnight_workers.cli import app
from tests.driving import Service

CELERY = [sys.executable, "-m", "celery", "-A", "overnight_workers.app"]


def started(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OVERNIGHT_")}
    return subprocess.run(
        [*CELERY, *words], env=clean | variables, capture_output=True, text=True, timeout=90, check=False
    )


def test_a_pool_of_threads_is_refused_in_a_sentence(database_url: str, redis_url: str) -> None:
    done = started(
        *("worker", "-P", "threads", "-Q", "overnight.submit"),
        OVERNIGHT_DATABASE_URL=database_url,
        OVERNIGHT_REDIS_URL=redis_url,
    )
    assert done.returncode == os.EX_USAGE
    assert "-P threads: only a process can be ended when its time is over. Start the worker without -P" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("option", ["-Q", "-X"])
def test_queues_that_there_are_not_are_named_with_those_that_there_are(
    option: str, database_url: str, redis_url: str
) -> None:
    done = started(
        *("worker", option, "overnight.intake,overnight.pack,overnight.colect"),
        OVERNIGHT_DATABASE_URL=database_url,
        OVERNIGHT_REDIS_URL=redis_url,
    )
    assert done.returncode == os.EX_USAGE
    said = "there is no queue 'overnight.intake', 'overnight.colect' (-Q or -X); there are: overnight.accept, "
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["worker", "beat", "flower"])
def test_wrong_settings_are_sentences_and_no_traceback(command: str) -> None:
    done = started(command, OVERNIGHT_LANES="5")
    assert done.returncode == 1
    assert done.stderr.startswith("overnight: the configuration has faults:\n  - OVERNIGHT_LANES: ")
    assert "Traceback" not in done.stderr + done.stdout


@pytest.mark.parametrize("pool", ["prefork", "processes", "solo"])
def test_pools_of_processes_are_taken(pool: str) -> None:
    start_checks.require_pool(pool)


def test_a_temporary_directory_without_room_for_the_largest_batch_is_a_finding(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    service.configure(lane={"max_bytes": "100MB"})
    assert temporary_directory_fault() is None
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    printed = " ".join(CliRunner().invoke(app, ["doctor"]).output.split())
    assert "temporary directory: on this host, no temporary directory can be used" in printed
    assert "set TMPDIR to one with 100.0 MB free" in printed
