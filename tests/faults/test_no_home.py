"""A container's user: a number without a name, and no HOME. What is started works, or says what is wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NOBODY = 12345
"""No user of this machine has that number."""
# it may read what root may: the interpreter can stand in root's home
BECOME = (f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
READING = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
COMMAND = ("-c", "from overnight_workers.command import main; main()")

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv, to become somebody else"
)


def run_as_nobody(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What Python says when a user without a name and a home runs it."""
    given = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"} | environment
    command = ["setpriv", *BECOME, *READING, sys.executable, *arguments]
    return subprocess.run(command, check=False, cwd="/", env=given, capture_output=True, text=True, timeout=120)


def test_status_and_doctor_of_a_user_without_a_home_answer(database_url: str, redis_url: str) -> None:
    urls = {"OVERNIGHT_DATABASE_URL": database_url, "OVERNIGHT_REDIS_URL": redis_url}
    status = run_as_nobody(*COMMAND, "status", **urls)
    assert status.returncode == 0, status.stderr
    doctor = run_as_nobody(*COMMAND, "doctor", **urls)
    assert "schema" in doctor.stdout
    assert "Traceback" not in doctor.stderr


def test_worker_of_a_user_without_a_home_starts(database_url: str, redis_url: str) -> None:
    done = run_as_nobody(
        *("-c", "from overnight_workers.app import app; app.WorkController(pool='solo', queues='overnight.submit')"),
        OVERNIGHT_DATABASE_URL=database_url,
        OVERNIGHT_REDIS_URL=redis_url,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["status", "up"])
def test_a_tilde_without_a_home_is_refused_with_what_to_set(command: str) -> None:
    done = run_as_nobody(*COMMAND, command, OVERNIGHT_DATA_DIR="~/night")
    words = " ".join(done.stderr.split())
    assert done.returncode == 1
    assert "~/night: this user has no home directory: set HOME" in words


def test_a_data_directory_that_can_not_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run_as_nobody(*COMMAND, "up", "--data-dir", str(tmp_path / "file" / "data"))
    words = " ".join(done.stderr.split())
    assert done.returncode == 1
    assert "can't be made (Not a directory): name another with --data-dir" in words


def test_a_product_of_a_user_without_a_home_is_asked_for_the_url() -> None:
    done = run_as_nobody("-c", "from overnight_producers.settings import ProducerSettings; ProducerSettings().url()")
    assert "Set OVERNIGHT_REDIS_URL" in done.stderr


def test_who_decides_is_named_by_number_without_a_name() -> None:
    done = run_as_nobody("-c", "from overnight_workers.cli.decide import user; print(user())")
    assert done.stdout.strip() == f"user {NOBODY}"
