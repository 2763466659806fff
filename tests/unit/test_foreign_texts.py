"""What everybody may see of a text that others wrote."""

from __future__ import annotations

import pytest

from overnight_workers.operators.foreign_texts import everybody


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "invalid_request_error: messages.0.content.1: text content blocks must be non-empty",
            "invalid_request_error: messages.0.content.1: text content blocks must be non-empty",
        ),
        ("prompt is too long: 210000 tokens > 200000 maximum", "prompt is too long: 210000 tokens > 200000 maximum"),
        ("model: claude-haiku-5-5 isn't there", "model: claude-haiku-5-5 isn't there"),
        ('role: "my mother is ill" is unknown', "role: … is unknown"),
        ("unable to load https://shop.example/img?sig=1 (403)", "unable to load … (403)"),
        ("ask jane.doe@example.com or 555-12345678", "ask … or …"),
        ("41111111,111 or 1,234,567,890,123,456 of 1,234,567", "… or … of 1,234,567"),
        ("the answer 顧客の住所 was odd", "the answer … was odd"),
        ("no answer to the create of msgbatch_01ab", "no answer to the create of msgbatch_01ab"),
        ("'unfinished quotation of a prompt", "…"),
        ("at patients/Ada Lovelace: the value is no number", "at …: the value is no number"),
        (
            "at the top: Additional properties are not allowed ('diagnosis' was unexpected)",
            "at …: Additional properties are not allowed (…)",
        ),
        (None, ""),
        ("word " * 100, "word " * 40 + "…"),
    ],
)
def test_plain_words_stay_and_what_may_be_of_a_request_does_not(text: str | None, shown: str) -> None:
    assert everybody(text) == shown


def test_of_a_refusal_only_the_category_is_shown() -> None:
    assert everybody("cyber: the user asks how to enter a bank", "refused") == "cyber"
    assert everybody("general_harms", "refused") == "general_harms"
    assert everybody("the model refused to answer", "refused") == "the model refused to answer"


@pytest.mark.parametrize("words", ["You asked how to enter a bank", "Entering a bank: that is a crime", "No"])
def test_of_a_refusal_without_a_category_nothing_is_shown(words: str) -> None:
    assert everybody(words, "refused") == ""
