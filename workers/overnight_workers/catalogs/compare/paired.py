"""Statistics of pairs: the same rows answered twice, so that each row is compared with itself.

Every figure carries the name of its method. Nothing here is nan: what can't be told is said to be so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean
from typing import Final

from overnight_workers.catalogs.interval import Z, wilson

_POWER: Final = 0.8
_RESAMPLES: Final = 2_000
_SEED: Final = 1


@dataclass(frozen=True, slots=True)
class Table:
    """How many rows are right (valid, or as the gold column says) with both, with one, with none."""

    both: int
    first_only: int
    second_only: int
    neither: int

    @property
    def rows(self) -> int:
        """All of them."""
        return self.both + self.first_only + self.second_only + self.neither

    @property
    def difference(self) -> float:
        """Share of the second minus share of the first, -1 to 1."""
        return (self.second_only - self.first_only) / self.rows if self.rows else 0.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A difference with its interval of 95%."""

    value: float
    low: float
    high: float
    method: str

    @property
    def decided(self) -> bool:
        """Whether the interval leaves out no difference at all."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Significance:
    """The chance to see at least such a difference where there is none."""

    p: float
    method: str


def tabulate(first: Sequence[bool], second: Sequence[bool]) -> Table:
    """Count pairs, row by row. Raises ValueError unless both have one value a row."""
    pairs = list(zip(first, second, strict=True))
    return Table(
        both=pairs.count((True, True)),
        first_only=pairs.count((True, False)),
        second_only=pairs.count((False, True)),
        neither=pairs.count((False, False)),
    )


def mcnemar(table: Table) -> Significance:
    """The exact test of two shares of the same rows. Rows on which both agree say nothing; without others p is 1."""
    from scipy.stats import binomtest

    discordant = table.first_only + table.second_only
    if discordant == 0:
        return Significance(1.0, "exact McNemar: no row differs")
    return Significance(float(binomtest(table.first_only, discordant).pvalue), "exact McNemar")


def share_difference(table: Table) -> Estimate:
    """The difference of two shares of the same rows, by Newcombe (1998, method 10).

    Wilson's interval of each share, put together with their correlation. No package has it.
    """
    n = table.rows
    method = "Newcombe's paired interval"
    if n == 0:
        return Estimate(0.0, -1.0, 1.0, method)
    first, second = table.both + table.first_only, table.both + table.second_only
    (low_1, high_1), (low_2, high_2) = wilson(first, n), wilson(second, n)
    share_1, share_2, phi = first / n, second / n, _correlation(table)
    down_1, up_1, down_2, up_2 = share_1 - low_1, high_1 - share_1, share_2 - low_2, high_2 - share_2
    down = math.sqrt(max(down_2**2 - 2 * phi * down_2 * up_1 + up_1**2, 0.0))
    up = math.sqrt(max(up_2**2 - 2 * phi * up_2 * down_1 + down_1**2, 0.0))
    difference = table.difference
    return Estimate(difference, difference - down, difference + up, method)


def _correlation(table: Table) -> float:
    """Newcombe's phi, 0 where a margin is empty; a positive one is corrected for continuity."""
    a, b, c, d = table.both, table.first_only, table.second_only, table.neither
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    if margins == 0:
        return 0.0
    product = float(a * d - b * c)
    if product > 0:
        product = max(product - table.rows / 2, 0.0)
    return product / math.sqrt(margins)


def mean_difference(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """The mean of what the second has more than the first, row by row: scores, seconds or dollars.

    By the percentile bootstrap, with a seed: the same rows give the same interval. Constant differences are certain as
    far as these rows go, and their interval is the value.
    """
    from scipy.stats import bootstrap

    method = f"percentile bootstrap, {_RESAMPLES:,} resamples"
    differences = [b - a for a, b in zip(first, second, strict=True)]
    if not differences:
        return Estimate(0.0, -math.inf, math.inf, "no rows")
    mean = fmean(differences)
    if len(differences) == 1:
        return Estimate(mean, -math.inf, math.inf, "one row says nothing of others")
    if min(differences) == max(differences):
        return Estimate(mean, mean, mean, "the same difference in every row")
    interval = bootstrap(
        (differences,), fmean, vectorized=False, n_resamples=_RESAMPLES, method="percentile", rng=_SEED
    ).confidence_interval
    return Estimate(mean, float(interval.low), float(interval.high), method)


def holm(ps: Sequence[float]) -> list[float]:
    """Each p as it counts among several comparisons, by Holm; in the order given. One alone stays as it is."""
    in_order = sorted(range(len(ps)), key=ps.__getitem__)
    adjusted, so_far = [0.0] * len(ps), 0.0
    for rank, place in enumerate(in_order):
        so_far = max(so_far, min(ps[place] * (len(ps) - rank), 1.0))
        adjusted[place] = so_far
    return adjusted


def rows_to_tell(table: Table) -> int | None:
    """About how many rows would tell a difference as large as the one seen, four times out of five.

    None where none was seen: then no number of rows can be named. The sample size of McNemar's test by Connor (1987).
    """
    if table.rows == 0 or table.difference == 0:
        return None
    discordant = (table.first_only + table.second_only) / table.rows
    difference = abs(table.difference)
    power = NormalDist().inv_cdf(_POWER)
    root = Z * math.sqrt(discordant) + power * math.sqrt(max(discordant - difference**2, 0.0))
    return max(math.ceil((root / difference) ** 2), table.rows)
