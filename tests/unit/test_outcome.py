"""The outcome: one shape everywhere, read leniently, exact in money."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from overnight_models.errors import BadOutput
from overnight_models.wire.outcome import Outcome, dollars

NANO = st.integers(-(10**18), 10**18)
WHOLE = Outcome(
    item_id="11111111-1111-4111-8111-111111111111",
    key="k",
    lane="default",
    ok=True,
    message={"content": [{"type": "text", "text": '{"a":'}, {"type": "thinking"}, {"type": "text", "text": " 1}"}]},
    model="m",
    usage={"input_tokens": 1},
    cost_usd=Decimal("0.000000001"),
    realtime_cost_usd=Decimal("12.5"),
    finished_at=datetime(2026, 1, 2, 3, 4, 5, 600, UTC),
    enqueued_at=datetime(2026, 1, 1, tzinfo=UTC),
    trace_id="t",
    extra={"new": [1]},
)


class Answer(BaseModel):
    a: int


def test_an_outcome_survives_its_document() -> None:
    assert Outcome.read(WHOLE.document()) == WHOLE


@given(NANO, st.sampled_from([None, "refused", "a problem of tomorrow"]), st.none() | st.text(), st.booleans())
def test_any_outcome_survives_its_document(nano: int, problem: str | None, detail: str | None, more: bool) -> None:
    outcome = Outcome(
        "i", "k", "l", ok=problem is None, problem=cast("Any", problem), detail=detail, retryable=more,
        cost_usd=Decimal(nano).scaleb(-9),
    )  # fmt: skip
    assert Outcome.read(outcome.document()) == outcome


def test_fields_of_tomorrow_are_kept() -> None:
    read = Outcome.read({"item_id": "i", "key": "k", "lane": "l", "ok": True, "v": 2, "mood": "good", "extra": 1})
    assert read.extra == {"mood": "good", "extra": 1}
    assert read.v == 2
    assert read.document()["mood"] == "good"


def test_money_may_come_as_text_number_or_nothing() -> None:
    plain = {"item_id": "i", "key": "k", "lane": "l", "ok": True}
    assert Outcome.read(plain | {"cost_usd": "0.1"}).cost_usd == Decimal("0.1")
    assert Outcome.read(plain | {"cost_usd": 0.1}).cost_usd == Decimal("0.1")
    assert Outcome.read(plain | {"cost_usd": None}).cost_usd is None
    assert Outcome.read(plain).cost_usd == 0


@given(NANO)
def test_dollars_are_exact(nano: int) -> None:
    text = dollars(nano)
    assert Decimal(text).scaleb(9) == nano
    assert "E" not in text
    assert not ("." in text and text.endswith(("0", ".")))


def test_dollars_as_a_person_reads_them() -> None:
    amounts = (0, 1500, 1_000_000_000, -1, 10_500_000_000)
    assert [dollars(n) for n in amounts] == ["0", "0.0000015", "1", "-0.000000001", "10.5"]


def test_text_joins_the_text_blocks_only() -> None:
    assert WHOLE.text == '{"a": 1}'
    assert Outcome("i", "k", "l", ok=False).text == ""


def test_parse_gives_the_model() -> None:
    assert WHOLE.parse(Answer) == Answer(a=1)


class Priced(BaseModel):
    amount: Decimal
    weight: float = 0.5
    more: dict[str, Any] = {}


@pytest.mark.parametrize(
    "written",
    ["1.10", "0.1234567890123456789", "12345678901234567890.12", "123456789012345678901234", "-5e-3", '"7.0"'],
)
def test_parse_keeps_every_digit_of_a_decimal(written: str) -> None:
    answer = f'{{"amount": {written}, "weight": 0.10, "more": {{"a": 1.5}}}}'
    outcome = Outcome("i", "k", "l", ok=True, message={"content": [{"type": "text", "text": answer}]})

    priced = outcome.parse(Priced)

    assert str(priced.amount) == str(Decimal(written.strip('"')))
    assert (priced.weight, priced.more) == (0.1, {"a": 1.5})


def test_parse_says_what_does_not_fit() -> None:
    wrong = Outcome("i", "k", "l", ok=True, message={"content": [{"type": "text", "text": '{"a": "x"}'}]})
    with pytest.raises(BadOutput, match=r"item 'k': its text is no Answer"):
        wrong.parse(Answer)


def test_an_answer_that_is_too_large_for_its_webhook_is_not_taken_for_an_empty_one() -> None:
    claimed = Outcome.read(WHOLE.document() | {"message": None, "claim": {"bytes": 300_000}})
    for read in (lambda: claimed.text, lambda: claimed.tool_calls, lambda: claimed.parse(Answer)):
        with pytest.raises(BadOutput, match=r"read it by overnight\.outcome\(key='k', lane='default'\)"):
            read()


def test_an_answer_that_was_removed_is_not_taken_for_an_empty_one() -> None:
    removed = Outcome("i", "purged:1", "l", ok=True)
    for read in (lambda: removed.text, lambda: removed.tool_calls, lambda: removed.parse(Answer)):
        with pytest.raises(BadOutput, match="had an answer, which is removed by now"):
            read()


def test_without_an_answer_there_is_no_text() -> None:
    assert Outcome("i", "k", "l", ok=False, problem="expired").text == ""


def test_parse_says_why_there_is_nothing_to_parse() -> None:
    with pytest.raises(BadOutput, match=r"item 'k' has no answer to parse: cut_off \(max_tokens\)"):
        Outcome("i", "k", "l", ok=False, problem="cut_off", detail="max_tokens").parse(Answer)
