"""`overnight enqueue`: what a person is told of a file before any of it is handed over, and of keys that are taken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from overnight_models.errors import PermanentError
from overnight_workers.cli import app
from tests.driving import MODEL, Service, item, params
from tests.service.ledger import Json
from tests.stages.product.conftest import answering, taking_in


def test_traps_are_told_once_each_with_a_count(service: Service, tmp_path: Path) -> None:
    lines = [
        *({"key": f"short{n}", "params": params("hello", max_tokens=500)} for n in range(3)),
        *({"key": f"long{n}", "params": params("hello", max_tokens=900_000)} for n in range(2)),
        {"key": "well", "params": params("hello", max_tokens=5_000)},
        # it keeps the others out: nothing is handed over, and what is known of them is told all the same
        {"key": "bad", "params": {"model": MODEL}},
    ]
    file = tmp_path / "file.jsonl"
    file.write_bytes(b"\n".join(map(orjson.dumps, lines)))

    done = CliRunner().invoke(app, ["enqueue", str(file), "--json"])

    assert isinstance(done.exception, PermanentError)
    document = orjson.loads(done.stdout)
    assert [(trap["trap"], trap["items"]) for trap in document["traps"]] == [("thinks_unasked", 3), ("max_tokens", 2)]
    assert f"! 3 items: {MODEL} thinks unless told not to" in " ".join(done.stderr.split())
    assert service.ledger.fetch_one("SELECT count(*) AS n FROM item")["n"] == 0


def enqueued(file: Path, *words: str) -> tuple[Json, str]:
    """What the command says as JSON, and to a person; a worker accepts meanwhile."""
    done = CliRunner().invoke(app, ["enqueue", str(file), "--json", *words])
    _, brace, document = f"\n{done.stdout}".rpartition("\n{\n")  # the worker's log stands before it
    assert brace, f"{done.output} {done.exception!r}"
    return orjson.loads(brace + document), " ".join(done.stderr.split())


@pytest.fixture
def file(tmp_path: Path, service: Service) -> Iterator[Path]:
    path = tmp_path / "file.jsonl"
    path.write_bytes(b"\n".join(orjson.dumps({"key": f"k{n}", "params": params(f"Say {n}")}) for n in range(2)))
    service.accept(item("the lane is known"))
    with taking_in(service), answering(service.redis_url):
        yield path


def test_the_same_file_in_another_run_says_what_to_do_and_does_it_when_asked(service: Service, file: Path) -> None:
    first, _ = enqueued(file, "--run", "one")
    assert (first["accepted"], first["delivered"], first["redone"]) == (2, 0, 0)
    again, _ = enqueued(file, "--run", "one")
    assert (again["known"], again["rejected"]) == (2, [])
    other, said = enqueued(file, "--run", "two")
    assert [rejection["key"] for rejection in other["rejected"]] == ["k0", "k1"]
    assert "2 items are known with another run" in said
    assert "use --if-known deliver" in said
    followed, _ = enqueued(file, "--run", "two", "--if-known", "deliver")
    assert (followed["known"], followed["delivered"], followed["rejected"]) == (2, 2, [])
    assert sorted(service.ledger.states("item")) == ["following"] * 2 + ["waiting"] * 3


def test_what_failed_is_tried_again_with_corrected_content(service: Service, file: Path) -> None:
    service.accept(*(item(f"k{n}", "Wrong", fault="refused") for n in range(2)))
    service.finish()
    rejected, said = enqueued(file)
    assert len(rejected["rejected"]) == 2
    assert "2 keys failed or canceled with other content: --if-known redo" in said
    redone, _ = enqueued(file, "--if-known", "redo")
    assert (redone["accepted"], redone["redone"]) == (2, 2)
    done = CliRunner().invoke(app, ["enqueue", str(file), "--if-known", "maybe"])
    assert "must be one of conflict, deliver, redo" in str(done.exception)
