"""A full disk under `overnight up`: it says so, stays up, and goes on when there is room."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from overnight_workers.one_machine.embedded.redis import EmbeddedRedis
from overnight_workers.one_machine.supervision.disk import DiskWatch
from overnight_workers.one_machine.supervision.leash import leashed
from overnight_workers.operators import redis_health
from tests.faults.installed import Installed
from tests.faults.processes import OVERNIGHT
from tests.waiting import wait_until

MEGABYTE = 1 << 20


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """A file system with so much room."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a small file system")
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(place)], check=False)
    if mounted.returncode:
        pytest.skip("a small file system can't be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def fill(place: Path) -> Path:
    """A file that takes all the room that there is."""
    with (filler := place / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * MEGABYTE) == MEGABYTE:
                pass
        except OSError:
            pass
    return filler


def test_a_new_installation_without_room_is_one_sentence(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "20m") as disk:
        done = subprocess.run(
            [*OVERNIGHT, "up", "--data-dir", str(disk / "data"), "--no-flower"],
            # servers of its own, and none that is given
            env={name: value for name, value in os.environ.items() if not name.endswith("_URL")},
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
    words = " ".join(done.stderr.split())
    assert done.returncode == 1
    assert "MB free, and a new database needs" in words
    assert "Traceback" not in words


def test_that_the_disk_is_full_and_has_room_again_is_said_once(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "60m") as disk:
        watch = DiskWatch(disk)
        assert watch.news() is None
        filler = fill(disk)
        assert "0 MB free" in (watch.news() or "")
        assert watch.news() is None
        filler.unlink()
        assert "has room again" in (watch.news() or "")
        assert watch.news() is None


def test_a_redis_whose_disk_is_full_is_told_from_one_that_is_away(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "8m") as disk:
        server = EmbeddedRedis(disk / "redis")
        server.prepare()
        with subprocess.Popen(leashed(server.argv(), signal.SIGTERM), stdout=subprocess.DEVNULL) as process:
            server.wait_ready()
            filler = fill(disk)
            with redis.Redis.from_url(server.url) as client:
                wait_until(lambda: "make room there" in (redis_health.look(client).fault or ""))
                filler.unlink()
                wait_until(lambda: redis_health.look(client).fault is None)
            process.kill()


@pytest.mark.whole
def test_an_installation_survives_a_full_disk_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "130m") as disk:
        overnight = Installed(tmp_path)
        overnight.data_dir = disk / "data"
        try:
            overnight.start()
            filler = fill(disk)
            wait_until(lambda: "can't write" in overnight.output.read_text(), what=overnight.output.read_text)
            overnight.kill("submit")
            wait_until(lambda: "submit died" in overnight.output.read_text(), what=overnight.output.read_text)
            filler.unlink()
            wait_until(lambda: "has room again" in overnight.output.read_text(), what=overnight.output.read_text)
            order = overnight.order(20)
            overnight.finish(order, 150)
            overnight.assert_books_are_right(order)
            assert overnight.is_up
            assert "Traceback" not in overnight.output.read_text()
        finally:
            overnight.close()
