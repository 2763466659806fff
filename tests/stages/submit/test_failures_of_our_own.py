"""A failure of our own in submit: the batch is given back with the reason, and an alarm says what to mend."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from overnight_models.ledger.operators.troubles import Unsent, troubles
from overnight_workers import process
from overnight_workers.cli import app
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, item, params

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


def unsent() -> tuple[Unsent, ...]:
    """What the alarm is made from."""
    with process.database().transaction() as connection:
        return troubles(connection).unsent


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
    assert unsent() == (Unsent(1, NO_ROOM),)
    service.ledger.execute("UPDATE batch SET not_before = NULL")
    submit()
    assert unsent() == ()
    assert service.api.meter()["creates"] == 1


def test_doctor_of_a_database_without_the_ledger_says_what_to_run(service: Service) -> None:
    service.ledger.execute("ALTER TABLE deployment RENAME TO somewhere_else")
    try:
        done = CliRunner().invoke(app, ["doctor"])
    finally:
        service.ledger.execute("ALTER TABLE somewhere_else RENAME TO deployment")
    assert "mend what stands above first" in done.output
