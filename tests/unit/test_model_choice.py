"""Which of a lane's models takes a request: by its size, and by what each is known to take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from overnight_models.money.prices import load
from overnight_workers.configuration.lane_models import ModelBySize, read_models
from overnight_workers.sizes.choice import ASSUMED, Asked, Choice, Count, Rate, choose

HAIKU, SONNET, OPUS = "claude-haiku-5-5", "claude-sonnet-5", "claude-opus-5-5"
MODELS = (ModelBySize(HAIKU, 5_000), ModelBySize(SONNET, 50_000), ModelBySize(OPUS))
SHARP = Rate(0.24, 0.25, 0.26)


def choice(
    size: int,
    *,
    rate: Callable[[str], Rate] = lambda model: SHARP,
    count: Count | None = None,
    says_no_tokens: bool = False,
    models: tuple[ModelBySize, ...] = MODELS,
    **params: Any,
) -> Choice:
    return choose(models, Asked({"max_tokens": 1000} | params, (), size, says_no_tokens), load(), rate, count)


@pytest.mark.parametrize(
    ("size", "model"),
    [(100, HAIKU), (19_000, HAIKU), (21_000, SONNET), (190_000, SONNET), (210_000, OPUS), (9_000_000, OPUS)],
)
def test_far_from_a_limit_the_learned_rate_decides(size: int, model: str) -> None:
    chosen = choice(size)
    assert (chosen.model, chosen.is_near) == (model, False)
    assert "about" in chosen.why
    assert model in chosen.why


def test_near_a_limit_the_next_model_up_is_taken_until_somebody_counts() -> None:
    chosen = choice(20_000)
    assert (chosen.model, chosen.is_near) == (SONNET, True)
    assert "nobody has counted it yet" in chosen.why


@pytest.mark.parametrize(("tokens", "model"), [(5_000, HAIKU), (5_001, SONNET)])
def test_near_a_limit_the_count_decides(tokens: int, model: str) -> None:
    chosen = choice(20_000, count=lambda model: tokens)
    assert (chosen.model, chosen.is_near) == (model, False)
    assert f"{tokens:,} tokens, as the API counts them" in chosen.why


def test_what_the_api_does_not_count_goes_to_the_next_model_up() -> None:
    chosen = choice(20_000, count=lambda model: None)
    assert (chosen.model, chosen.is_near) == (SONNET, False)
    assert "the API doesn't count it" in chosen.why


def test_bytes_of_an_image_say_nothing_so_each_limit_is_counted() -> None:
    asked: list[str] = []

    def count(model: str) -> int:
        asked.append(model)
        return 1_600

    assert choice(1_000_000, says_no_tokens=True, count=count).model == HAIKU
    assert choice(1_000_000, says_no_tokens=True).is_near
    assert asked == [HAIKU]


def test_a_wide_rate_counts_more() -> None:
    assert choice(16_000, rate=lambda model: ASSUMED).is_near
    assert not choice(16_000).is_near


@pytest.mark.parametrize(
    ("params", "model"),
    [
        ({"max_tokens": 100_000}, OPUS),  # more than the other two answer
        ({"thinking": {"type": "enabled", "budget_tokens": 512}}, "claude-haiku-4-5"),
        ({"thinking": {"type": "disabled"}}, "claude-haiku-4-5"),
    ],
)
def test_a_model_that_turns_the_request_down_is_passed_over(params: dict[str, Any], model: str) -> None:
    models = (
        ModelBySize("claude-haiku-4-5", 5_000),
        ModelBySize("claude-sonnet-4-5", 50_000),
        ModelBySize(OPUS),
    )
    assert choice(100, models=models, **params).model == model
    assert choice(30_000, models=models).model == "claude-sonnet-4-5"


def test_what_only_the_smaller_model_takes_goes_to_it_whatever_its_length() -> None:
    models = (ModelBySize(HAIKU, 5_000), ModelBySize("claude-fable-5-2"))
    chosen = choice(1_000_000, models=models, tool_choice={"type": "any"})
    assert chosen.model == HAIKU
    assert 'tool_choice "any" is an error on claude-fable-5-2' in chosen.why


def test_what_no_model_takes_goes_to_the_last_which_says_why() -> None:
    models = (ModelBySize("claude-mythos-5-2", 5_000), ModelBySize("claude-fable-5-2"))
    assert choice(100, models=models, tool_choice={"type": "any"}).model == "claude-fable-5-2"


def test_an_answer_has_to_find_room_beside_the_prompt() -> None:
    context = load().models[HAIKU].context_tokens
    models = (ModelBySize(HAIKU, context), ModelBySize(OPUS))
    assert (
        choice(int((context - 500) * 4), models=models, max_tokens=1_000, count=lambda model: context - 500).model
        == OPUS
    )


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("haiku", "a list of tables"),
        ([{"model": HAIKU, "up_to_token": 5}, {"model": OPUS}], "did you mean up_to_tokens"),
        ([{"up_to_tokens": 5}], "names its `model`"),
        ([{"model": HAIKU}, {"model": OPUS}], "needs its up_to_tokens"),
        ([{"model": HAIKU, "up_to_tokens": 5}], "leave its up_to_tokens out"),
        (
            [{"model": HAIKU, "up_to_tokens": 5}, {"model": OPUS, "up_to_tokens": 5}, {"model": SONNET}],
            "more than the 5",
        ),
        ([{"model": HAIKU, "up_to_tokens": 5}, {"model": HAIKU}], "once"),
        ([{"model": HAIKU, "up_to_tokens": 0}, {"model": OPUS}], "too little"),
    ],
)
def test_a_fault_of_the_list_says_what_to_write(given: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_models(given)


def test_one_model_without_a_limit_is_the_lanes_own() -> None:
    assert read_models([{"model": OPUS}]) == (ModelBySize(OPUS),)
