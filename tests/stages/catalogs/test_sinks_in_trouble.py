"""A sink that is full, locked, shared or lost, and a source that is away: waited for or told; nothing is paid twice."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest

from overnight_models.errors import PermanentError
from overnight_models.ledger.catalogs.runs import Run
from overnight_workers.catalogs import scratch as scratches
from overnight_workers.catalogs.faults import BadCatalog
from overnight_workers.catalogs.runs import advancing
from overnight_workers.catalogs.sinks import sink_of
from overnight_workers.catalogs.sources import sql
from overnight_workers.catalogs.task import advance_runs
from overnight_workers.process import database
from overnight_workers.settings import settings
from tests.driving import MODEL
from tests.faults.test_full_disk import fill, small_disk
from tests.forking import forked, processes
from tests.stages.catalogs.conftest import Enriched, shop
from tests.stages.catalogs.test_enrich_command import Enriching, ended
from tests.stages.catalogs.test_runs_wait import work
from tests.waiting import wait_until


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "200k") as place:
        yield place


def until_it_publishes(catalog: Enriched) -> Run:
    """A run whose answers have come, and that nobody has."""
    run = catalog.finish(catalog.begin(), until="publishing")
    taken = advancing.take(run.id, "a test")
    assert taken is not None
    advancing.leave(taken)
    return run


def declare_table(catalog: Enriched, url: str, name: str = "answers") -> None:
    file = catalog.directory / "shop.toml"
    catalog.declare()
    file.write_text(file.read_text().replace('path = "out.csv"', f'table = "{name}"\nurl = "{url}"'))


@pytest.mark.parametrize("kind", ["out.parquet", "sqlite"])
def test_a_full_disk_of_the_sink_is_waited_for_with_the_answers_kept(catalog: Enriched, disk: Path, kind: str) -> None:
    catalog.declare(sink=f"{disk}/out.parquet")
    if kind == "sqlite":
        catalog.declare(sink="out.csv")
        declare_table(catalog, f"sqlite:///{disk}/answers.db")
    catalog.write(shop(3))
    run = until_it_publishes(catalog)
    filler = fill(disk)

    advance_runs()

    waiting = advancing.read(run.id)
    assert (waiting.state, waiting.is_over) == ("publishing", False)
    said = {"out.parquet": "out.parquet can't be written: No space left on device", "sqlite": "disk is full"}
    assert str(waiting.reason).startswith("waits: the sink")
    assert str(waiting.reason).endswith(said[kind])
    filler.unlink()
    done = work(catalog, run)
    assert (done.state, done.reason, catalog.sent) == ("complete", None, 3)


def test_whoever_watches_a_run_hears_once_what_it_waits_for(catalog: Enriched, disk: Path) -> None:
    catalog.declare(sink=f"{disk}/out.parquet", more="[pilot]\nrows = 0")
    catalog.write(shop(2))
    command = Enriching(catalog)
    wait_until(lambda: len(catalog.service.ledger.states("item")) == 2)
    filler = fill(disk)

    def is_told() -> bool:
        catalog.service.clock.pauses_are_over()
        catalog.service.round()
        return "shop-1: waits: the sink" in command.said()

    wait_until(is_told, what=command.said)
    filler.unlink()
    (said,) = ended(catalog, command)
    assert (command.returncode, said.count("waits: "), "shop-1: complete" in said) == (0, 1, True), said


def test_a_table_that_somebody_has_locked_is_waited_for_and_said(
    catalog: Enriched, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = settings().database_url
    declare_table(catalog, url, "answers_locked")
    catalog.write(shop(2))
    assert catalog.run().state == "complete"
    monkeypatch.setitem(sql.WAIT_FOR_LOCKS, "postgresql", ("SET LOCAL lock_timeout = '50ms'",))
    catalog.write(shop(2, A1={"maker": "Bolt"}))
    with database().transaction() as connection:
        connection.exec_driver_sql("LOCK TABLE answers_locked IN ACCESS EXCLUSIVE MODE")
        run = catalog.begin()
        advance_runs()
        assert "waits: the sink's table answers_locked: canceling statement due to lock timeout" in str(
            advancing.read(run.id).reason
        )
    assert work(catalog, run).state == "complete"
    with database().transaction() as connection:
        connection.exec_driver_sql("DROP TABLE answers_locked")


def test_a_table_of_the_source_that_somebody_has_locked_is_waited_for_and_said(
    catalog: Enriched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sql.WAIT_FOR_LOCKS, "postgresql", ("SET LOCAL lock_timeout = '50ms'",))
    with database().transaction() as connection:
        connection.exec_driver_sql("CREATE TABLE locked_rows AS SELECT 'A1' AS sku, 'Acme' AS maker, 'kettle' AS name")
    file = catalog.directory / "shop.toml"
    query = f'query = "SELECT * FROM locked_rows"\nurl = "{settings().database_url}"'
    file.write_text(file.read_text().replace('path = "in.csv"', query))
    run = catalog.begin()
    with database().transaction() as connection:
        connection.exec_driver_sql("LOCK TABLE locked_rows IN ACCESS EXCLUSIVE MODE")
        advance_runs()
        waiting = advancing.read(run.id)
        assert (waiting.state, waiting.is_over) == ("planned", False)
        assert str(waiting.reason).startswith("waits: the query fails at ")
        assert str(waiting.reason).endswith("lock timeout (another session holds a lock on it)")
    done = work(catalog, run)
    assert (done.state, done.reason, catalog.sent) == ("complete", None, 1)
    with database().transaction() as connection:
        connection.exec_driver_sql("DROP TABLE locked_rows")


def test_a_catalog_waits_while_another_one_writes_the_file_that_they_share(catalog: Enriched) -> None:
    catalog.write(shop(2))
    run = until_it_publishes(catalog)
    other = os.open(catalog.directory, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    advance_runs()
    assert "waits: another catalog is writing into" in str(advancing.read(run.id).reason)
    os.close(other)
    assert work(catalog, run).state == "complete"


def test_a_sink_that_is_lost_or_another_one_gets_every_row_again_for_nothing_and_asks_nobody(catalog: Enriched) -> None:
    catalog.write(shop(25))
    assert catalog.run().state == "complete"
    (catalog.directory / "out.csv").unlink()

    run = catalog.run()

    assert run.state == "complete"
    lost = orjson.loads(run.plan or "{}")["reasons"]["lost"]
    assert (lost["rows"], lost["words"], lost["usd"]) == (25, "not in the sink any more", "0")
    assert (len(catalog.published()), catalog.sent) == (25, 25)
    assert catalog.plan()["send"] == 0


def test_a_lost_sink_whose_answers_are_not_kept_any_more_asks_since_they_are_paid_again(catalog: Enriched) -> None:
    catalog.write(shop(60))
    assert catalog.run().state == "complete"
    (catalog.directory / "out.csv").unlink()
    with database().transaction() as connection:  # what retention drops in time
        connection.exec_driver_sql("DELETE FROM item_key WHERE mod(item_id, 2) = 0")
    run = catalog.run()
    assert (run.state, catalog.sent) == ("asking", 60)
    assert str(run.reason).startswith("nothing is in its sink, so all rows go there, for nothing")
    advancing.approve(run.id)
    assert catalog.finish(run).state == "complete"
    assert len(catalog.published()) == 60


@pytest.mark.parametrize("kind", ["file", "table"])
def test_a_sink_that_is_an_older_copy_asks_and_with_the_right_one_in_its_place_nothing_is_missing(
    catalog: Enriched, kind: str
) -> None:
    url = f"sqlite:///{catalog.directory}/out.db"
    if kind == "table":
        declare_table(catalog, url)
    sink = catalog.directory / ("out.csv" if kind == "file" else "out.db")
    catalog.write(shop(3))
    assert catalog.run().state == "complete"
    yesterday = sink.read_bytes()
    catalog.write(shop(3, A1={"maker": "Bodum"}))
    assert catalog.run().state == "complete"
    today = sink.read_bytes()
    sink.write_bytes(yesterday)

    run = catalog.run()

    assert (run.state, catalog.sent) == ("asking", 4)
    assert str(run.reason).startswith("its sink has answers up to those of run 1 only, and 1 of later runs are missing")
    sink.write_bytes(today)
    advancing.approve(run.id)
    assert catalog.finish(run).state == "complete"
    assert "sink_behind" not in catalog.plan()
    assert catalog.sent == 4


def test_the_sink_of_another_catalog_with_fewer_runs_asks(catalog: Enriched) -> None:
    catalog.write(shop(2))
    assert catalog.run().state == "complete"
    other = (catalog.directory / "out.csv").read_bytes()
    catalog.write(shop(2, A1={"maker": "Bodum"}))
    assert catalog.run().state == "complete"
    (catalog.directory / "other.csv").write_bytes(other)
    catalog.declare(sink="other.csv")
    assert catalog.run().state == "asking"


def test_a_prompt_that_changed_too_is_what_a_lost_sink_asks_about(catalog: Enriched) -> None:
    catalog.write(shop(3))
    assert catalog.run().state == "complete"
    catalog.declare(prompt="Describe {{ name }} once more", sink="other.csv")
    run = catalog.run()
    assert (run.state, catalog.sent) == ("asking", 3)
    assert str(run.reason).startswith("prompt changed: 3 rows, about $")


def test_of_a_lost_sink_only_what_is_in_the_new_one_is_remembered(catalog: Enriched) -> None:
    catalog.write(shop(5))
    assert catalog.run().state == "complete"
    (catalog.directory / "out.csv").unlink()
    assert catalog.run(limit=2).state == "complete"
    assert len(catalog.published()) == 2
    assert catalog.run().state == "complete"
    assert (len(catalog.published()), catalog.sent) == (5, 5)


@pytest.mark.parametrize("kind", ["file", "table"])
def test_a_sink_that_is_lost_while_its_run_is_under_way_gets_the_other_rows_from_the_next_one(
    catalog: Enriched, kind: str
) -> None:
    if kind == "table":
        declare_table(catalog, f"sqlite:///{catalog.directory}/answers.db", "answers")
    catalog.write(shop(5))
    assert catalog.run().state == "complete"
    catalog.write(shop(5, A1={"maker": "Bell"}))
    run = catalog.finish(catalog.begin(), until="publishing")
    (catalog.directory / ("answers.db" if kind == "table" else "out.csv")).unlink()

    assert catalog.finish(run).state == "complete"
    later = catalog.run()

    assert orjson.loads(later.plan or "{}")["send"] == 4, "those that only the lost one had"
    assert (later.state, catalog.sent) == ("complete", 6)
    assert catalog.plan()["send"] == 0
    sink = sink_of(catalog.read())
    assert sink is not None
    assert sink.latest_run() == 3


def test_a_catalog_under_another_name_asks_and_what_it_pays_goes_over_the_older_answers(catalog: Enriched) -> None:
    catalog.write(shop(25))
    assert catalog.run().state == "complete"
    catalog.write(shop(25, A1={"maker": "Bell"}))
    assert catalog.run().state == "complete"

    catalog.declare(more="[pilot]\nrows = 0", model=f'{MODEL}"\nname = "renamed')
    run = catalog.run()

    assert (run.state, catalog.sent) == ("asking", 26), "all rows would be paid again"
    assert str(run.reason).startswith("its sink has answers, up to those of run 2, that nothing is known of here")
    assert run.name == "renamed-3", "older than those in the sink its answers would never be seen"
    advancing.approve(run.id)
    assert catalog.finish(run).state == "complete"
    assert {row["overnight_run"] for row in catalog.published()} == {"3"}
    plan = catalog.plan()
    assert (plan["send"], plan["sink_latest"], "sink_unknown" in plan) == (0, 3, False)

    out = catalog.directory / "out.csv"
    out.write_text(out.read_text().replace(",3,", ",2000000001,"))
    with pytest.raises(PermanentError, match=r"overnight_run has 2000000001, which is no number of a run"):
        catalog.plan()


def test_a_database_that_is_away_when_the_source_is_read_is_waited_for(catalog: Enriched) -> None:
    catalog.write(shop(1))
    file = catalog.directory / "shop.toml"
    good = file.read_text()
    away = 'query = "SELECT 1 AS sku, 2 AS name, 3 AS maker"\nurl = "postgresql://nobody@127.0.0.1:9/nothing"'
    run = catalog.begin()
    with database().transaction() as connection:
        connection.exec_driver_sql("UPDATE catalog_run SET declaration = %s", (good.replace('path = "in.csv"', away),))
    advance_runs()
    waiting = advancing.read(run.id)
    assert (waiting.state, waiting.is_over) == ("planned", False)
    assert "waits: the query fails at 127.0.0.1: " in str(waiting.reason)
    file.write_text(good.replace('path = "in.csv"', away))
    with pytest.raises(BadCatalog, match=r"shop\.toml:6: source: the query fails at 127\.0\.0\.1: "):
        catalog.read()


def test_many_that_begin_at_once_leave_each_other_their_directories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def used(number: int) -> str:
        with scratches.scratch() as directory:
            (directory / "rows").write_text(str(number))
            return (directory / "rows").read_text()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(used, range(200))) == [str(number) for number in range(200)]
    assert list(tmp_path.iterdir()) == []


def _killed_with_rows_on_disk(place: str) -> None:
    tempfile.tempdir = place
    with scratches.scratch() as directory:
        (directory / "rows").write_text("a row")
        os.kill(os.getpid(), 9)


def test_rows_that_a_killed_process_left_on_disk_are_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with forked():
        process = processes.Process(target=_killed_with_rows_on_disk, args=(str(tmp_path),))
        process.start()
    process.join()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (left,) = tmp_path.iterdir()
    assert (left / "rows").read_text() == "a row"
    with scratches.scratch() as living, scratches.scratch() as other:
        assert sorted(tmp_path.iterdir()) == sorted([living, other])
    assert list(tmp_path.iterdir()) == []
