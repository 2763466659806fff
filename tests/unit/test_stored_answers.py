"""A file of answers is read again as it was written, night after night."""

from __future__ import annotations

from pathlib import Path

import pytest

from overnight_models.wire.outcome import Outcome
from overnight_workers.catalogs.memory import Hashes
from overnight_workers.catalogs.opened import duck
from overnight_workers.catalogs.sinks.answered import Answered, Columns, Publication, Reply
from overnight_workers.catalogs.sinks.files import FileSink
from overnight_workers.catalogs.sinks.stored import stored_answers

COLUMNS = Columns(("id",), False, {"said": "VARCHAR", "score": "DOUBLE", "n": "BIGINT"}, whole=False)
TEXTS = [
    "2026-01-02T03:04:05Z",
    "2026-01-02",
    "",
    "1.10",
    "007",
    "null",
    "12:30",
    "0e1b4b1a-8c2b-4a53-9c0d-5d8a4c1f2a3b",
]
MOMENTS = ["2026-01-02T03:04:05Z", "2026-01-02T03:04:06+02:00"]


def published(sink: FileSink, number: int, texts: list[str]) -> None:
    """One night: each text is an answer, and its row's key too."""
    rows = [
        Answered((text or "empty",), None, "hash", None, answering(f'{{"said": "{text}", "score": 1.5, "n": 7}}'))
        for text in texts
    ]
    sink.publish(Publication(number, iter(rows), Hashes()))


def answering(text: str) -> Reply:
    """A reply with that text."""
    document: dict[str, object] = dict.fromkeys(("problem", "detail", "usage", "cut", "batch_id", "tenant", "run"))
    document |= {
        "item_id": "1",
        "key": "k",
        "lane": "shop",
        "ok": True,
        "retryable": False,
        "model": "m",
        "attempts": 1,
    }
    document |= {"via": "batch", "delivery_id": None, "trace_id": None, "enqueued_at": None}
    document |= {"finished_at": "2026-01-02T03:04:05Z", "message": {"content": [{"type": "text", "text": text}]}}
    return Reply.of(Outcome.read(document))


@pytest.mark.parametrize("texts", [TEXTS, MOMENTS], ids=["many forms", "moments only"])
@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_an_answer_stays_as_it_is_when_later_nights_write_the_file_anew(
    tmp_path: Path, suffix: str, texts: list[str]
) -> None:
    sink = FileSink(tmp_path / "said=else" / f"answers[1]{suffix}", COLUMNS, "keep")
    published(sink, 1, texts)
    first = sink.path.read_bytes()
    for night in (2, 3):
        published(sink, night, ["another"])
    with duck() as connection:
        rows = connection.execute(
            f"SELECT id, said FROM {stored_answers(connection, sink.path, COLUMNS.types)} WHERE id <> 'another'"
        ).fetchall()
    assert sorted(rows) == sorted((text or "empty", text) for text in texts)
    if suffix != ".parquet":
        assert set(first.splitlines()) <= set(sink.path.read_bytes().splitlines()), (
            "no line was written in another form"
        )
