"""The plots of a report: where bars and lines stand."""

from __future__ import annotations

from overnight_workers.catalogs.report import plots
from overnight_workers.catalogs.report.writing import short_usd


def test_a_bar_is_as_high_as_its_value_and_says_it() -> None:
    plot = plots.bars("Dollars", [0.0, 5.0, 10.0], ["a", "b", "c"], say=lambda value: f"${value:.0f}")

    nothing, half, whole = plot.bars
    assert nothing.height == 0
    assert whole.height == 2 * half.height
    assert (whole.y, whole.y + whole.height) == (10, plot.bottom)
    assert whole.title == "c: $10"
    assert [label.text for label in plot.beside] == ["$0", "$5", "$10"]


def test_nights_without_a_problem_have_a_scale_too() -> None:
    plot = plots.bars("Problems", [0.0, 0.0], ["a", "b"], say=lambda value: "" if value % 1 else f"{value:.0f}")

    assert [bar.height for bar in plot.bars] == [0, 0]
    assert [label.text for label in plot.beside] == ["0", "1"]


def test_a_batch_that_comes_at_once_is_a_step_and_no_slope() -> None:
    plot = plots.lines("Rows", [10.0, 20.0], [[100.0, 100.0]], say_x=str)

    (points,) = plot.lines
    places = [tuple(map(float, pair.split(","))) for pair in points.split()]
    assert [y for _, y in places] == [166, 166, 10, 10, 10]
    assert places[1][0] == places[2][0]


def test_at_most_eight_labels_stand_below_thirty_bars() -> None:
    plot = plots.bars("Dollars", [1.0] * 30, [str(number) for number in range(30)], say=str)

    assert [label.text for label in plot.below] == ["0", "6", "12", "18", "24"]


def test_small_amounts_keep_two_digits_that_count() -> None:
    assert [short_usd(amount) for amount in ("0", "1234.567", "0.00897945", "0.25", "0.000042")] == [
        "$0.00", "$1,234.57", "$0.0090", "$0.25", "$0.000042",
    ]  # fmt: skip


def test_what_is_saved_has_its_sign_before_the_dollar() -> None:
    assert [short_usd(amount) for amount in (-0.000044, "-1234.5", "-0.25")] == ["-$0.000044", "-$1,234.50", "-$0.25"]
