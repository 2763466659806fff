"""A file of requests is read in three forms, bad lines are told by their numbers, and memory stays flat."""

from __future__ import annotations

import io
import json
import re
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import orjson
import pytest

from overnight_models.errors import PermanentError
from overnight_models.wire.policy import LanePolicy, Policy
from overnight_workers.item_file import Bad, BadLine, Checker, Line, line_at, lines, open_file, read_line
from tests.driving import params

POLICY = Policy({"default": LanePolicy()}, (), ("claude-haiku-5-5",))


def file_of(*written: Any) -> io.BytesIO:
    return io.BytesIO(b"\n".join(line if isinstance(line, bytes) else orjson.dumps(line) for line in written))


def checked(source: io.BytesIO) -> dict[int, tuple[str, ...]]:
    """The faults of every line, by its number."""
    with Checker("default", POLICY, "") as checker:
        return {
            line.number: (line.why,) if isinstance(line, Bad) else checker.check(line).faults for line in lines(source)
        }


def test_three_forms_are_read() -> None:
    asked = params("hi")
    source = file_of({"key": "a", "params": asked, "tenant": "t"}, {"custom_id": "b", "params": asked}, asked)
    ours, theirs, plain = (line.item for line in lines(source) if isinstance(line, Line))
    assert (ours.key, ours.tenant, theirs.key) == ("a", "t", "b")
    assert ours.params == theirs.params == plain.params == asked
    assert checked(source) == {1: (), 2: (), 3: ()}


def test_a_plain_line_is_the_same_item_wherever_it_stands() -> None:
    first, other = params("one"), params("other")
    reordered = dict(reversed(first.items()))
    keys = [line.item.key for line in lines(file_of(first, other, reordered)) if isinstance(line, Line)]
    assert keys[0] == keys[2] != keys[1]
    assert checked(file_of(first, other, reordered))[3] == (f"key {keys[0]!r} stands in line 1 too",)


def test_bad_lines_are_told_by_their_numbers() -> None:
    good = params()
    source = file_of(
        b"{",
        b"",
        [1],
        {"params": good},
        {"key": "k", "messages": []},
        {"key": "x", "params": good, "colour": 1},
        {"requests": []},
        {"key": "s", "params": good | {"stream": True}},
        {"key": "twice", "params": good},
        {"key": "twice", "params": params("other")},
    )
    report = checked(source)
    assert list(report) == [1, 3, 4, 5, 6, 7, 8, 9, 10]  # the second is blank
    for number, fault in {
        1: "not JSON",
        3: "not a JSON object",
        4: "`key` (or `custom_id`) is missing",
        5: "`params` is missing",
        6: "`colour` isn't known here",
        7: "body of a whole batch",
        8: "a batch can't stream",
        10: "key 'twice' stands in line 9 too",
    }.items():
        assert fault in "; ".join(report[number])
    assert report[9] == ()


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (
            rb'{"key": "k", "params": {"messages": [{"content": "\ud83d"}]}}',
            "`line.params.messages[0].content` holds half a character",
        ),
        (b'{"key": "k", "params": {"temperature": NaN}}', "at column 40"),
        (b'{"key": "k", "params": {', "at column 25"),
        (b"[" * 5_000, "not JSON"),
    ],
)
def test_a_line_that_can_not_be_read_says_where(text: bytes, where: str) -> None:
    with pytest.raises(BadLine, match=re.escape(where)) as raised:
        read_line(text)
    assert "line 1" not in str(raised.value), "its own number is told beside it"


def test_lines_are_found_again_by_their_offset() -> None:
    source = file_of({"key": "é", "params": params()}, b"   ", {"key": "b", "params": params()})
    read_lines = [line for line in lines(source) if isinstance(line, Line)]
    assert [line_at(source, line.offset).key for line in reversed(read_lines)] == ["b", "é"]
    assert [line.number for line in lines(source, passed_over={1})] == [3]


def test_standard_input_can_be_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    class Piped:
        buffer = io.BytesIO(json.dumps({"key": "a", "params": params()}).encode())

    monkeypatch.setattr(sys, "stdin", Piped())
    with open_file(Path("-")) as source:
        assert len(list(lines(source))) == len(list(lines(source))) == 1


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="can't be read: No such file"):
        open_file(tmp_path / "nothing.jsonl")


def test_memory_does_not_grow_with_the_lines(tmp_path: Path) -> None:
    file = tmp_path / "many.jsonl"

    def grown(items: int) -> int:
        with file.open("wb") as out:
            for number in range(items):
                out.write(b'{"key":"key-%d","params":{"model":"claude-haiku-5-5","max_tokens":1,"messages":' % number)
                out.write(b'[{"role":"user","content":"hi"}]}}\n')
        tracemalloc.start()
        with open_file(file) as source, Checker("default", POLICY, "") as checker:
            assert not any(isinstance(line, Bad) or checker.check(line).faults for line in lines(source))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    assert grown(20_000) < grown(2_000) + 100_000


def test_a_file_may_begin_with_the_mark_that_some_editors_write(tmp_path: Path) -> None:
    file = tmp_path / "work.jsonl"
    written_line = orjson.dumps({"key": "a", "params": {"messages": []}, "betas": "b-1"})
    file.write_bytes(b"\xef\xbb\xbf" + written_line + b"\n" + written_line + b"\n")
    with open_file(file) as source:
        first, second = lines(source)
        assert isinstance(first, Line)
        assert isinstance(second, Line)
        assert first.item == second.item == line_at(source, first.offset)


def test_a_file_in_utf_16_is_told_as_such(tmp_path: Path) -> None:
    file = tmp_path / "work.jsonl"
    file.write_bytes('{"key": "a"}'.encode("utf-16"))
    with open_file(file) as source:
        (first,) = lines(source)
    assert isinstance(first, Bad)
    assert "UTF-8" in first.why


@pytest.mark.parametrize("name", ["goods.csv", "goods.XLSX", "goods.parquet"])
def test_a_table_is_told_from_a_file_of_requests_by_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"sku,name\n")
    with pytest.raises(PermanentError, match=rf"is a table.*overnight catalog new .*{name}"):
        open_file(tmp_path / name)
