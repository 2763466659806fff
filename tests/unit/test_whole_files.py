"""A file that is put in the place of another: whole, its owner's alone, and nothing stays beside it after a kill."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from signal import SIGKILL

import pytest

from overnight_workers.on_disk import put
from tests.forking import forked, processes


def _killed_while_it_writes(path: Path) -> None:
    def make(aside: Path) -> None:
        aside.write_text("half of")
        os.kill(os.getpid(), SIGKILL)

    put(path, make)


def test_what_a_killed_process_left_aside_is_removed_by_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "shop.report.html"
    put(path, lambda aside: aside.write_text("the night before"))
    with forked():
        process = processes.Process(target=_killed_while_it_writes, args=(path,))
        process.start()
    process.join()
    assert process.exitcode == -SIGKILL
    assert path.read_text() == "the night before"
    assert len(list(tmp_path.iterdir())) == 2, "something was left"
    put(path, lambda aside: aside.write_text("last night"))
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "last night"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_many_that_write_one_file_at_once_leave_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "shop.report.json"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: put(path, lambda aside: aside.write_text(str(number) * 1000)), range(100)))
    assert list(tmp_path.iterdir()) == [path]
    assert len(set(path.read_text())) <= 2


def test_a_file_that_can_not_be_made_leaves_the_old_one_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "shop[1].problems.html"
    put(path, lambda aside: aside.write_text("old"))

    def make(aside: Path) -> None:
        aside.write_text("half of")
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        put(path, make)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "old"
