"""A comparison says what can be said, and what can't."""

from __future__ import annotations

from decimal import Decimal

import pytest

from overnight_producers import Item
from overnight_workers.catalogs.compare.agreement import f1, fields_of, is_right, same
from overnight_workers.catalogs.compare.comparison import Gold, compare
from overnight_workers.catalogs.compare.judging import judged
from overnight_workers.catalogs.compare.sides import Answer


def answer(value: object, *, cost: str | None = "0.001", ok: bool = True) -> Answer:
    return Answer(ok, None if ok else "invalid_output", str(value), value if ok else None, price(cost), 10, 5.0)


def price(cost: str | None) -> Decimal | None:
    return None if cost is None else Decimal(cost)


def entry(number: int) -> bytes:
    return number.to_bytes(16, "little")


def rows(number: int, *, bad: int = 0, cost: str | None = "0.001") -> dict[bytes, Answer]:
    return {entry(at): answer({"tag": "a"}, ok=at >= bad, cost=cost) for at in range(number)}


def test_a_side_that_is_surely_worse_is_said_to_be() -> None:
    comparison = compare({"old": rows(200), "new": rows(200, bad=40, cost="0.0005")}, whole=1_000_000)

    (beside,) = comparison.beside
    assert beside.quality.value == pytest.approx(-0.2)
    assert "it is worse by 20.0 points of valid answers (14." in beside.sentence
    assert "saves about $500.00 for all 1,000,000 rows" in beside.sentence
    assert beside.test.method == "exact McNemar"


def test_a_dearer_side_is_said_to_cost_more_and_by_how_much() -> None:
    comparison = compare({"old": rows(50), "new": rows(50, cost="0.003")}, whole=1_000)

    assert "costs about $2.00 more for all 1,000 rows ($2.00 to $2.00)" in comparison.beside[0].sentence


def test_a_small_difference_on_few_rows_can_not_be_told_and_says_how_many_rows_would() -> None:
    comparison = compare({"old": rows(40), "new": rows(40, bad=2)}, whole=1000)

    (beside,) = comparison.beside
    assert beside.rows_to_tell is not None
    assert (
        f"can't be told yet (-16.5 to +2.9 points of valid answers): about {beside.rows_to_tell:,} rows would"
        in (beside.sentence)
        or "can't be told yet" in beside.sentence
    )
    assert "the same price" in beside.sentence


def test_sides_that_agree_everywhere_are_no_difference() -> None:
    comparison = compare({"old": rows(50), "new": rows(50)}, whole=50)

    assert "no difference was seen" in comparison.beside[0].sentence
    assert comparison.beside[0].adjusted_p == 1.0
    assert comparison.beside[0].agreement == {"tag": 1.0}


def test_only_rows_that_every_side_has_are_compared() -> None:
    comparison = compare({"old": rows(10), "new": rows(7)}, whole=10)

    assert comparison.rows == 7
    assert [side.rows for side in comparison.sides] == [7, 7]


def test_beyond_two_sides_each_p_counts_less() -> None:
    comparison = compare({"a": rows(60), "b": rows(60, bad=6), "c": rows(60, bad=7)}, whole=60)

    assert [side.adjusted_p for side in comparison.beside] == pytest.approx([0.03125, 0.03125])
    assert comparison.beside[1].test.p == pytest.approx(0.015625)


def test_an_unknown_price_is_unknown_and_no_zero() -> None:
    comparison = compare({"a": rows(5), "b": rows(5, cost=None)}, whole=5)

    assert comparison.sides[1].cost_a_row is None
    assert "no telling difference in price: too few answers have one" in comparison.beside[0].sentence
    assert "nan" not in comparison.beside[0].sentence


def test_gold_makes_quality_what_is_right_and_leaves_rows_without_it_out() -> None:
    gold = Gold("tag", {entry(at): None if at == 9 else "A" if at < 5 else "b" for at in range(10)})
    new = {entry(at): answer({"tag": "b"}) for at in range(10)}

    comparison = compare({"old": rows(10), "new": new}, whole=10, gold=gold)

    assert [side.right for side in comparison.sides] == [5, 4]
    assert comparison.beside[0].measure == "right"
    assert comparison.sides[0].f1 == pytest.approx(5 / 9)


def test_no_rows_at_all_say_nothing_and_break_nothing() -> None:
    comparison = compare({"old": {}, "new": {}}, whole=0)

    assert comparison.rows == 0
    assert "no difference was seen" in comparison.beside[0].sentence


@pytest.mark.parametrize(
    ("value", "gold", "right"),
    [
        ("Red", " red ", True),
        (1.1, "1.10", True),
        ("1.10", "1.1", True),
        (True, "yes", True),
        (False, "yes", False),
        (["a", "b"], "a b", True),
        (None, "", True),
        (None, "red", False),
        ("a red one", "red", False),
    ],
)
def test_a_field_is_right_when_it_says_what_the_gold_column_says(value: object, gold: str, right: bool) -> None:
    assert is_right(value, gold) is right


def test_words_that_are_shared_count_by_f1() -> None:
    assert f1("a red chair", "red chair") == pytest.approx(0.8)
    assert f1("", "") == 1.0
    assert f1(None, "red") == 0.0


def test_fields_are_the_same_by_what_they_say() -> None:
    assert same(["b", "a"], ["a", "b"])
    assert same(" red", "red ")
    assert same(1, 1.0)
    assert not same("1", 1)
    assert fields_of("plain") == {"answer": "plain"}
    assert fields_of(None) == {}


def test_a_judge_that_goes_with_the_order_says_nothing() -> None:
    orders = {entry(at): (Item(params={}, key=f"{at}a"), Item(params={}, key=f"{at}b")) for at in range(5)}
    said = {
        "0a": "first", "0b": "second",  # the first side, both ways round
        "1a": "second", "1b": "first",
        "2a": "first", "2b": "first",  # whatever stands first
        "3a": "same", "3b": "same",
        "4a": "first", "4b": None,
    }  # fmt: skip

    verdict = judged("a judge", orders, said)

    assert (verdict.first, verdict.second, verdict.same, verdict.by_order, verdict.without) == (1, 1, 1, 1, 1)
    assert verdict.test.p == 1.0


@pytest.mark.parametrize(
    ("answered", "gold", "shared"),
    [
        ("红色的水壶", "红色水壶。", 8 / 9),
        ("赤いやかん", "赤いやかん", 1.0),
        ("กาต้มน้ำ", "กาต้มน้ำ", 1.0),
        ("हिन्दी में", "हिन्दी है।", 0.5),
        ("A red kettle", "the RED kettle!", 2 / 3),
        ("cafe\u0301 noir", "café noir", 1.0),
    ],
)
def test_words_are_counted_as_each_script_writes_them(answered: str, gold: str, shared: float) -> None:
    assert f1(answered, gold) == pytest.approx(shared)


def test_an_accent_written_as_two_characters_is_the_same_letter() -> None:
    assert same("cafe\u0301", "café")
    assert is_right("cafe\u0301", "café")
    assert same(["cafe\u0301", "tea"], ["tea", "café"])
    assert not same("cafe", "café")
