"""Files of answers that are larger than memory: parted by ranges of keys, and the same as if all rows were sorted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from overnight_models.errors import PermanentError
from overnight_workers.catalogs.sinks import Answered, files, ranges
from tests.catalogs.publishing import KINDS, Place, answer, publish

FILES: Final = [kind for kind in KINDS if "." in kind]
_ROWS: Final = 30_000
_LONG: Final = "red kettle " * 300


@pytest.mark.parametrize("name", FILES)
def test_rows_that_no_memory_could_sort_at_once_are_written_and_written_over(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_MEMORIES", ("112MB",))
    place = Place(tmp_path, name, "")
    keys = [f"the-sku-of-{number * 7_919 % _ROWS:05}" for number in range(_ROWS)]
    first = [answer(key, {"title": f"{_LONG}{key}", "stars": 1}) for key in keys]
    with monkeypatch.context() as in_one_range:
        in_one_range.setattr(ranges, "AT_ONCE", 10**9)
        with pytest.raises(PermanentError, match="Out of Memory"):
            publish(place.sink(), 1, first)
    publish(place.sink(), 1, first)
    publish(place.sink(), 2, [answer(key, {"title": f"{_LONG}new", "stars": 2}) for key in keys[::2]])
    newer = set(keys[::2])
    rows = place.rows()
    assert [row["sku"] for row in rows] == sorted(keys)
    assert all(row["title"] == _LONG + ("new" if row["sku"] in newer else row["sku"]) for row in rows)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("gone", ["keep", "mark", "delete"])
def test_ranges_of_keys_make_the_same_file_as_all_rows_at_once(
    name: str, gone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "_SHORT", 0)  # rows are wide from no byte on
    written = []
    for at_once in (10**9, 2_000):
        monkeypatch.setattr(ranges, "AT_ONCE", at_once)
        directory = tmp_path / str(at_once)
        directory.mkdir()
        place = Place(directory, name, "")
        _nights(place, gone)
        written.append(place.rows())
    assert written[0] == written[1]
    assert len(written[0]) == (105 if gone == "delete" else 110)


def _nights(place: Place, gone: str) -> None:
    """Two variants; older and newer answers, failures that may do better, gone rows, an old file in no order."""
    more = 'variants = {de = {language = "German"}, fr = {language = "French"}}'
    publish(place.sink(more=more, gone=gone), 2, _answers(range(50), "first"))
    file = place.directory / place.kind
    if file.suffix == ".jsonl":
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join(lines[1::2] + lines[::2]))  # rows of a range are far from one another
    late = [answer("商-003", {"title": "late", "stars": 9}, variant="de")]
    publish(place.sink(more=more, gone=gone), 1, late, gone=[("商-040", "de")])
    publish(
        place.sink(more=more, gone=gone),
        3,
        [
            *_answers(range(45, 55), "third"),
            answer("商-001", None, variant="fr", problem="expired", may_do_better=True),
            answer("商-002", None, variant="fr", problem="refused"),
        ],
        gone=[(f"商-{number:03}", "fr") for number in range(10, 14)],
    )


def _answers(numbers: Sequence[int], title: str) -> list[Answered]:
    """Of both variants, the last first; one of them is as wide as a range."""
    return [
        answer(f"商-{number:03}", {"title": title * (900 if number == 7 else number), "stars": number}, variant=variant)
        for number in reversed(numbers)
        for variant in ("fr", "de")
    ]
