"""Durations and sizes carry their units, and a bare number is never guessed at."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overnight_models.quantities import about, bytes_in, coarse, money, seconds, spoken


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", 90), ("5m", 300), ("1h30m", 5400), ("250ms", 0.25), ("1d", 86400), ("0s", 0), (" 2 h ", 7200),
        ("1.5h", 5400), ("5M", 300), ("1h 30m", 5400),
    ],
)  # fmt: skip
def test_a_duration_is_read_with_its_units(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("bad", ["90", 90, 1.5, "", "s", "5 minutes", "m5", "-5s", "5m!", "5m3", None, True, "1e3s"])
def test_anything_else_is_a_fault_that_says_how_to_write_it(bad: object) -> None:
    with pytest.raises(ValueError, match=r"is not a duration: write a number and its unit, such as '90s'"):
        seconds(bad)


@pytest.mark.parametrize(("text", "expected"), [("200MB", 200_000_000), ("1kb", 1000), ("1MiB", 1 << 20), ("5b", 5)])
def test_a_size_is_read_with_its_unit(text: str, expected: int) -> None:
    assert bytes_in(text) == expected


@pytest.mark.parametrize("bad", ["200", 200, "", None, "MB", "5 boxes"])
def test_a_size_without_a_unit_is_a_fault(bad: object) -> None:
    with pytest.raises(ValueError, match="is not a size: write a number and its unit, such as '200MB'"):
        bytes_in(bad)


@pytest.mark.parametrize(
    ("duration_s", "expected"),
    [
        (0, "0.0 s"), (0.44, "0.4 s"), (12, "12 s"), (60, "1 min"), (200, "3 min 20 s"), (3600, "1 h"),
        (18720, "5 h 12 min"), (183_600, "2 d 3 h"), (86399.6, "1 d"), (59.7, "1 min"), (9.96, "10 s"),
    ],
)  # fmt: skip
def test_a_duration_is_said_as_a_person_would(duration_s: float, expected: str) -> None:
    assert spoken(duration_s) == expected


@pytest.mark.parametrize(
    ("duration_s", "expected"),
    [
        (1309, "≈ 20 min"), (10_080, "≈ 3 h"), (45_960, "≈ 13 h"), (82, "≈ 1 min 20 s"), (6_100, "≈ 1 h 40 min"),
        (115_200, "≈ 1 d 6 h"), (400_000, "≈ 5 d"), (22, "≈ 20 s"),
    ],
)  # fmt: skip
def test_what_is_not_known_exactly_is_said_roundly(duration_s: float, expected: str) -> None:
    assert about(duration_s) == expected


@given(st.floats(60, 10**6))
def test_rounded_it_is_off_by_an_eighth_at_most(duration_s: float) -> None:
    step_s = coarse(duration_s)
    assert abs(round(duration_s / step_s) * step_s - duration_s) <= duration_s / 8 + 1e-6


@given(st.integers(0, 10**6), st.sampled_from(["ms", "s", "m", "h", "d"]))
def test_every_number_and_unit_is_a_duration(number: int, unit: str) -> None:
    assert seconds(f"{number}{unit}") >= 0


def test_what_is_missing_of_a_sum_has_its_sign_before_the_dollars() -> None:
    assert money(-407_775_000) == "-$0.4078"
    assert money(-150_000) == "-$0.000150"
