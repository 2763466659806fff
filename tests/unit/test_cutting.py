"""Cutting: as much of a text is kept as fits, by few counts, whatever its tokens are spread like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from overnight_models.request.cuttable import is_place, text_at, with_text
from overnight_workers.stages.measure.cutting import Cut, TooLong, cut

PLACE = "messages.0.content"


def asking(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


def even(text: str) -> int:
    return len(text) // 4


def dense_at_the_end(text: str) -> int:
    return len(text) // 40 + max(len(text) - 9_000, 0) * 5


def dense_at_the_beginning(text: str) -> int:
    return min(len(text), 3_000) + max(len(text) - 3_000, 0) // 100


def in_steps(text: str) -> int:
    return len(text) // 2_000 * 700


@pytest.mark.parametrize("weigh", [even, dense_at_the_end, dense_at_the_beginning, in_steps])
@pytest.mark.parametrize("max_tokens", [700, 1_500, 2_400])
def test_it_fits_and_is_not_much_shorter_than_it_must_be(weigh: Callable[[str], int], max_tokens: int) -> None:
    text = "".join(f"word{n} " for n in range(1_500))
    calls = []

    def count(params: Mapping[str, Any]) -> int:
        calls.append(params)
        return 50 + weigh(params["messages"][0]["content"])

    tokens = count(asking(text))
    assert tokens > max_tokens
    shortened = cut(asking(text), PLACE, tokens=tokens, max_tokens=max_tokens, count=count)
    assert isinstance(shortened, Cut)
    kept = shortened.params["messages"][0]["content"]
    assert text.startswith(kept)
    assert shortened.tokens == 50 + weigh(kept) <= max_tokens
    longer = text[: len(kept) + len(text) // 50]
    assert shortened.tokens >= 0.98 * max_tokens or 50 + weigh(longer) > max_tokens
    assert len(calls) <= 15


def test_where_tokens_are_spread_evenly_three_counts_are_enough() -> None:
    calls = []

    def count(params: Mapping[str, Any]) -> int:
        calls.append(params)
        return 50 + even(params["messages"][0]["content"])

    cut(asking("kettle " * 4_000), PLACE, tokens=7_050, max_tokens=3_000, count=count)
    assert len(calls) == 2


def test_it_ends_with_no_blanks_since_the_api_takes_none_there() -> None:
    text = "word " * 1_000 + " " * 5_000 + "b" * 5_000

    def count(params: Mapping[str, Any]) -> int:
        return even(params["messages"][0]["content"])

    shortened = cut(asking(text), PLACE, tokens=3_750, max_tokens=1_300, count=count)
    assert isinstance(shortened, Cut)
    assert shortened.params["messages"][0]["content"] == ("word " * 1_000).rstrip()


@pytest.mark.parametrize("text", ["", "   ", "x"])
def test_where_there_is_nothing_to_cut_it_is_too_long(text: str) -> None:
    shortened = cut(asking(text), PLACE, tokens=5_000, max_tokens=3_000, count=lambda _: 4_900)
    assert shortened == TooLong(4_900)


def test_what_is_too_long_without_its_text_costs_one_count() -> None:
    calls = []

    def count(params: Mapping[str, Any]) -> int:
        calls.append(params)
        return 4_000

    cut(asking("text " * 99), PLACE, tokens=5_000, max_tokens=3_000, count=count)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("system", "Be brief."),
        ("messages.0.content", None),
        ("messages.0.content.0.text", "one"),
        ("messages.0.content.1.source.data", "of a document"),
        ("messages.0.content.2.source.data", None),
        ("messages.0.content.3.content", "of a tool"),
        ("messages.0.content.9.text", None),
        ("messages.1.content", "two"),
        ("messages.2.content", None),
    ],
)
def test_where_a_text_stands(place: str, text: str | None) -> None:
    blocks = [
        {"type": "text", "text": "one"},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "of a document"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
        {"type": "tool_result", "tool_use_id": "t", "content": "of a tool"},
    ]
    params = {
        "system": "Be brief.",
        "messages": [{"role": "user", "content": blocks}, {"role": "user", "content": "two"}],
    }
    assert is_place(place)
    assert text_at(params, place) == text
    if text is not None:
        changed = with_text(params, place, "cut")
        assert text_at(changed, place) == "cut"
        assert text_at(params, place) == text, "what was given is left as it is"


@pytest.mark.parametrize("place", ["", "model", "messages", "messages.0", "messages.-1.content", "content", 3, None])
def test_what_is_no_place(place: object) -> None:
    assert not is_place(place)
