"""What an endpoint answers: all, some or none of a webhook's outcomes are taken; what isn't clear comes again."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overnight_models.wire.webhook import read_reply

SENT = ["a", "b", "c"]


@pytest.mark.parametrize(
    "body", [b"", b" \n", b"ok", b'"ok"', b"true", b"null", b"[]", b"<html>", b'{"status": "ok"}', b"{}"]
)
def test_a_success_that_says_nothing_about_deliveries_takes_all(body: bytes) -> None:
    taken = read_reply(SENT, body)
    assert (taken.delivered, taken.failed) == ({"a", "b", "c"}, {})


@pytest.mark.parametrize(
    ("reply", "delivered", "failed"),
    [
        ({"delivered": ["a", "c"]}, {"a", "c"}, {"b"}),
        ({"delivered": []}, set(), {"a", "b", "c"}),
        ({"failed": {"b": "no such product"}}, {"a", "c"}, {"b"}),
        ({"failed": {}}, {"a", "b", "c"}, set()),
        ({"delivered": ["a", "b"], "failed": {"b": "x"}}, {"a"}, {"b", "c"}),
        ({"delivered": ["a", "b", "c", "another", 7]}, {"a", "b", "c"}, set()),
        ({"failed": {"another": "x"}}, {"a", "b", "c"}, set()),
        ({"delivered": None, "failed": None}, {"a", "b", "c"}, set()),
    ],
)
def test_what_is_named_is_taken_and_what_failed_comes_again(
    reply: dict[str, object], delivered: set[str], failed: set[str]
) -> None:
    taken = read_reply(SENT, json.dumps(reply).encode())
    assert (taken.delivered, set(taken.failed)) == (delivered, failed)


@pytest.mark.parametrize("body", [b'{"delivered": ["a"', b' {"failed"', b'{"delivered": "a"}', b'{"failed": ["a"]}'])
def test_a_reply_that_is_cut_off_or_of_another_form_takes_nothing(body: bytes) -> None:
    taken = read_reply(SENT, body)
    assert not taken.delivered
    assert set(taken.failed) == set(SENT)


def test_a_reason_is_kept_in_the_endpoints_words_up_to_500_characters() -> None:
    reasons = {"a": "no such product", "b": "x" * 10_000, "c": {"code": 7}}
    taken = read_reply(SENT, json.dumps({"failed": reasons}).encode())
    assert taken.failed == {"a": "no such product", "b": "x" * 500, "c": "{'code': 7}"}


@given(st.binary())
def test_whatever_it_answers_each_is_taken_or_comes_again(body: bytes) -> None:
    taken = read_reply(SENT, body)
    assert taken.delivered | set(taken.failed) == set(SENT)
    assert not taken.delivered & set(taken.failed)
