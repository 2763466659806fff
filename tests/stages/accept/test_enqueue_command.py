"""`overnight enqueue`: what a person is told of a file before any of it is handed over."""

from __future__ import annotations

from pathlib import Path

import orjson
from typer.testing import CliRunner

from overnight_models.errors import PermanentError
from overnight_workers.cli import app
from tests.driving import MODEL, Service, params


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

    told = CliRunner().invoke(app, ["enqueue", str(file), "--json"])

    assert isinstance(told.exception, PermanentError)
    document = orjson.loads(told.stdout)
    assert [(trap["trap"], trap["items"]) for trap in document["traps"]] == [("thinks_unasked", 3), ("max_tokens", 2)]
    assert f"! 3 items: {MODEL} thinks unless told not to" in " ".join(told.stderr.split())
    assert service.ledger.fetch_one("SELECT count(*) AS n FROM item")["n"] == 0
