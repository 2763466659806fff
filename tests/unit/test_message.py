"""Items travel in messages of bounded size, in their order."""

from __future__ import annotations

from itertools import chain, pairwise

import orjson
from hypothesis import given
from hypothesis import strategies as st

from overnight_models.message import MAX_BYTES, MAX_ITEMS, Line, fill, read_lines, write_line
from tests.driving import item

LINES = {size: bytes(size) for size in (1, 60, MAX_BYTES // 3, MAX_BYTES - 1, MAX_BYTES, MAX_BYTES + 1)}
SIZES = st.lists(st.sampled_from(list(LINES)))


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
    message = b"\n".join(write_line(one) for one in items).decode()  # type: ignore[arg-type]
    assert [orjson.loads(line) for line in read_lines(message)] == items


def test_blank_lines_are_passed_over() -> None:
    assert list(read_lines("\n{}\n\n  \n{}\n")) == ["{}", "{}"]
