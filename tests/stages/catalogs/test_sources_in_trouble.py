"""A source that is written while it is read, or is torn: never half a night without a word, and nothing paid twice."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread, Timer

import duckdb
import pytest

from overnight_models.errors import TransientError
from overnight_workers.catalogs.declaration import DeclaredSource
from overnight_workers.catalogs.runs import advancing
from overnight_workers.catalogs.sources.opening import opened
from overnight_workers.catalogs.task import advance_runs
from tests.stages.catalogs.conftest import Enriched, shop
from tests.stages.catalogs.test_runs_wait import work

SOURCE = DeclaredSource(path="in.csv")

ROWS = 40


def rewritten(place: Path) -> None:
    """In place: empty for a moment, then there again."""
    text = place.read_text()
    place.write_text("")
    place.write_text(text)


def appended(place: Path) -> None:
    """Half a row more, and the other half."""
    with place.open("a") as file:
        file.write(f"B{place.stat().st_size},a kettle")
        file.flush()
        file.write(",Acme,1.10\n")


def cut(place: Path) -> None:
    """The last row goes, and is there again."""
    whole = place.read_bytes()
    os.truncate(place, len(whole) - 20)
    place.write_bytes(whole)


def replaced(place: Path) -> None:
    """By rename: each file is whole, and the next one another."""
    aside = place.with_name("aside")
    aside.write_bytes(place.read_bytes())
    aside.replace(place)


@contextmanager
def writing(place: Path, write: Callable[[Path], None]) -> Iterator[None]:
    """Somebody who does it all the time; in the end the file is as it was."""
    over, whole = Event(), place.read_bytes()

    def go_on() -> None:
        while not over.is_set():
            write(place)

    writer = Thread(target=go_on)
    writer.start()
    try:
        yield
    finally:
        over.set()
        writer.join()
        place.write_bytes(whole)


def as_parquet(catalog: Enriched) -> None:
    file = catalog.directory / "shop.toml"
    file.write_text(file.read_text().replace('path = "in.csv"', 'path = "in.parquet"'))
    with duckdb.connect() as connection:
        source, target = catalog.directory / "in.csv", catalog.directory / "in.parquet"
        connection.execute(f"COPY (FROM read_csv('{source}', all_varchar = true)) TO '{target}'")


@pytest.mark.parametrize(
    ("write", "end"), [(rewritten, "csv"), (appended, "csv"), (cut, "csv"), (replaced, "csv"), (replaced, "parquet")]
)
def test_a_source_that_is_written_while_it_is_read_is_waited_for_and_then_sent_whole(
    catalog: Enriched, write: Callable[[Path], None], end: str
) -> None:
    catalog.write(shop(ROWS))
    if end == "parquet":
        as_parquet(catalog)
    place = catalog.directory / f"in.{end}"
    run = catalog.begin()
    with writing(place, write):
        advance_runs()
        waiting = advancing.read(run.id)
    assert (waiting.state, waiting.is_over, waiting.plan) == ("planned", False, None)
    assert str(waiting.reason).startswith("waits: ")
    assert f"in.{end} was changed while it was read, so it may not be whole: it is read again" in str(waiting.reason)
    done = work(catalog, run)
    assert (done.state, done.reason, catalog.sent, len(catalog.published())) == ("complete", None, ROWS, ROWS)


def test_a_file_that_is_still_empty_is_looked_at_once_more_before_it_is_called_bad(tmp_path: Path) -> None:
    place = tmp_path / "in.csv"
    place.touch()
    writer = Timer(0.3, place.write_text, ["sku,name\nA1,kettle\n"])
    writer.start()
    try:
        with pytest.raises(TransientError, match="was changed while it was read"), opened(SOURCE, tmp_path):
            raise AssertionError("it is empty")
    finally:
        writer.join()
    with opened(SOURCE, tmp_path) as source:
        assert source.columns == ("sku", "name")


def test_a_source_that_is_torn_while_rows_are_handed_over_is_waited_for(catalog: Enriched) -> None:
    catalog.declare(more="[pilot]\nrows = 0")
    catalog.write(shop(ROWS))
    run = catalog.finish(catalog.begin(), until="sending")
    taken = advancing.take(run.id, "a test")
    assert taken is not None
    advancing.leave(taken)
    with writing(catalog.directory / "in.csv", cut):
        advance_runs()
        while advancing.read(run.id).reason is None and advancing.read(run.id).enqueued_at is None:
            advance_runs()
    done = work(catalog, run)
    assert done.state in ("complete", "partial")
    assert catalog.run().state == "complete"
    assert (catalog.sent, len(catalog.published())) == (ROWS, ROWS)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("in.jsonl", '{"sku": "A1", "name": "a kettle", "maker": "Acme"}\n{"sku": "A2", "na', "in.jsonl:2: not JSON: "),
        ("in.csv", "sku,name,maker\nA1,a kettle,Acme\nA2,a ket", "in.csv:3: the row has too few cells (2 of 3)"),
        ("in.csv", 'sku,name,maker\nA1,a kettle,Acme\nA2,"a ket', "in.csv:3: the row has "),
    ],
)
def test_half_a_row_at_the_end_stops_the_run_with_its_line_and_costs_nothing(
    catalog: Enriched, name: str, text: str, says: str
) -> None:
    file = catalog.directory / "shop.toml"
    file.write_text(file.read_text().replace('path = "in.csv"', f'path = "{name}"'))
    place = catalog.directory / name
    place.write_text(text[: text.index("\nA2" if name == "in.csv" else '\n{"sku": "A2"') + 1])
    run = catalog.begin()
    place.write_text(text)
    run = catalog.finish(run)
    assert (run.state, catalog.sent) == ("stopped", 0)
    assert says in str(run.reason)


@pytest.mark.parametrize("gone", ["delete", "mark"])
def test_a_source_of_which_half_is_missing_asks_before_it_takes_rows_out_of_the_sink(
    catalog: Enriched, gone: str
) -> None:
    catalog.declare(gone=f'gone = "{gone}"')
    catalog.write(shop(60))
    assert catalog.run().state == "complete"
    catalog.write(shop(30))
    asking = catalog.run()
    assert asking.state == "asking"
    done = {"delete": "deleted", "mark": "marked"}[gone]
    said = f"30 of 60 rows are gone from the source and would be {done} in the sink, ask_above is 20%"
    assert str(asking.reason).startswith(said)
    assert len(catalog.published()) == 60
    advancing.approve(asking.id)
    assert catalog.finish(asking).state == "complete"
    assert sum(row.get("overnight_gone") != "true" for row in catalog.published()) == 30


def test_rows_that_left_the_source_and_stay_in_the_sink_ask_nobody(catalog: Enriched) -> None:
    catalog.write(shop(60))
    assert catalog.run().state == "complete"
    catalog.write(shop(30))
    assert catalog.run().state == "complete"
    catalog.write(shop(60))
    assert catalog.run().state == "complete", "their answers are kept, so nothing is paid that somebody has to be asked"
    assert (catalog.sent, len(catalog.published())) == (60, 60)


@pytest.mark.parametrize("end", ["gz", "bz2", "xz", "zst"])
def test_a_packed_source_that_is_cut_off_or_damaged_is_a_sentence(catalog: Enriched, end: str) -> None:
    import fsspec

    place = catalog.directory / f"in.csv.{end}"
    with fsspec.open(str(place), "wb", compression="infer") as file:
        file.write(b"sku,name,maker\n" + os.urandom(60_000).hex().encode())
    packed = place.read_bytes()
    declared = catalog.directory / "shop.toml"
    declared.write_text(declared.read_text().replace('path = "in.csv"', f'path = "in.csv.{end}"'))
    run = catalog.begin()
    place.write_bytes(packed[: len(packed) // 2] + os.urandom(500))
    advance_runs()
    stopped = advancing.read(run.id)
    assert stopped.state == "stopped"
    assert f"in.csv.{end} can't be read: " in str(stopped.reason)


def test_the_tests_writer_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    place = tmp_path / "in.csv"
    with place.open("w", newline="") as file:
        csv.writer(file).writerows([["sku"], ["A1"]])
    before = place.read_bytes()
    with writing(place, appended):
        pass
    assert place.read_bytes() == before
