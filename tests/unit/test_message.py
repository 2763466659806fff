"""Items travel in messages of bounded size, in their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overnight_models.wire.message import MAX_BYTES, MAX_ITEMS, Filling, Line, read_lines, write_items, write_line
from tests.driving import item

LINES = {size: bytes(size) for size in (1, 60, MAX_BYTES // 3, MAX_BYTES - 1, MAX_BYTES, MAX_BYTES + 1)}
SIZES = st.lists(st.sampled_from(list(LINES)))


def fill(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """The groups that lines fill, one after another."""
    filling = Filling()
    for line in lines:
        if (group := filling.add(line)) is not None:
            yield group
    if group := filling.rest():
        yield group


@given(SIZES, st.sampled_from([1, 1, 400]))
def test_messages_keep_the_order_and_their_limits(sizes: list[int], times: int) -> None:
    lines = [Line(number, LINES[size], None) for number, size in enumerate(sizes * times)]
    groups = list(fill(iter(lines)))
    assert [line.position for group in groups for line in group] == list(range(len(lines)))
    for group in groups:
        assert 0 < len(group) <= MAX_ITEMS
        assert len(group) == 1 or sum(len(line.text) for line in group) <= MAX_BYTES
    for group, following in pairwise(groups):
        size = sum(len(line.text) for line in group)
        assert len(group) == MAX_ITEMS or size + len(following[0].text) > MAX_BYTES, "it could have taken one more"


def test_filling_is_flat() -> None:
    asked = 0

    def endless() -> chain[Line]:
        nonlocal asked
        asked += 1
        return chain([Line(asked, b"x", None)], chain.from_iterable(endless() for _ in iter(int, 1)))

    next(fill(endless()))
    assert asked <= MAX_ITEMS + 1


@given(st.lists(st.text(), min_size=1))
def test_whatever_is_in_a_text_a_line_stays_one_line(texts: list[str]) -> None:
    items = [item(f"k{n}", text) for n, text in enumerate(texts)]
    written = write_items([Line(n, write_line(item), None) for n, item in enumerate(items)])  # type: ignore[arg-type]
    assert [orjson.loads(line) for line in read_lines(**written)] == items


def test_blank_lines_are_passed_over() -> None:
    assert read_lines("\n{}\n\n  \n{}\n") == ["{}", "{}"]


def packed(text: bytes) -> str:
    return write_items([Line(0, text, None)])["items"]


def test_many_items_are_compressed() -> None:
    lines = [Line(n, b"x" * 1000, None) for n in range(100)]
    written = write_items(lines)
    assert len(written["items"]) < 2000
    assert read_lines(**written) == ["x" * 1000] * 100


@pytest.mark.parametrize(
    ("items", "encoding", "why"),
    [
        ("{}", "gzip", "the encoding 'gzip' isn't known here: update the workers"),
        ("ä", "zstd", "its items are no text in zstd and base64"),
        ("e30=", "zstd", "its items are no text in zstd and base64"),
        (packed(b"\xff" * 3000), "zstd", "its items are no text in zstd and base64"),
        (packed(b"x" * 3000)[:-8], "zstd", "its items are no text in zstd and base64"),
    ],
)
def test_what_cannot_be_read_is_said(items: str, encoding: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_lines(items, encoding)
