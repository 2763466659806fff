"""Which outcomes go to a webhook in one request. No I/O."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from overnight_models.ledger.deliver.webhook_groups import GroupRules, Waiting, grouped

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
RULES = GroupRules(items=500, within_s=30.0, max_bytes=1_000_000, by_reference=256_000)


def waiting(number: int, *, size: int = 2_600, tries: int = 0, at: datetime = NOON, waited_s: float = 1.0) -> Waiting:
    """A delivery that is due. size: by default of an answer of about 800 bytes."""
    return Waiting(number, at, size, tries, waited_s)


def test_ten_thousand_outcomes_take_at_most_25_requests() -> None:
    groups = grouped([waiting(number) for number in range(10_000)], RULES, is_cut=False)
    assert [len(group) for group in groups] == [500] * 20


def test_a_body_is_bounded_and_what_goes_by_reference_takes_no_more_than_that() -> None:
    groups = grouped([waiting(number, size=100_600, waited_s=31.0) for number in range(20)], RULES, is_cut=False)
    assert [len(group) for group in groups] == [10, 10]
    (first, *_) = grouped([waiting(number, size=50_000_000) for number in range(9)], RULES, is_cut=False)
    assert len(first) == 3


def test_what_failed_together_comes_again_together_and_with_nothing_else() -> None:
    earlier = NOON - timedelta(minutes=1)
    again = [waiting(number, tries=1, at=earlier) for number in range(3)]
    fresh = [waiting(number, waited_s=31.0) for number in range(3, 8)]
    assert grouped([*again, *fresh], RULES, is_cut=False) == [again, fresh]


def test_a_group_whose_end_may_be_missing_waits_for_the_next_look() -> None:
    first = [waiting(number, tries=1, at=NOON - timedelta(minutes=1)) for number in range(3)]
    cut = [waiting(number, tries=1) for number in range(3, 5)]
    assert grouped([*first, *cut], RULES, is_cut=True) == [first]
    assert grouped(cut, RULES, is_cut=True) == [cut]
