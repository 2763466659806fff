"""What a catalog's rows cost together, and how sure that is."""

from __future__ import annotations

import pytest

from overnight_workers.catalogs.runs.dollars import Dollars
from overnight_workers.plan.figure import How


@pytest.mark.parametrize(
    ("parts", "known"),
    [
        ((), How.COUNTED),
        ((How.LEARNED, How.ASSUMED), How.ASSUMED),
        ((How.COUNTED, How.SAMPLED, How.MEASURED), How.SAMPLED),
        ((How.ASSUMED, How.UNKNOWN), How.UNKNOWN),
    ],
)
def test_a_sum_is_as_sure_as_its_least_sure_part(parts: tuple[How, ...], known: How) -> None:
    together = Dollars.sum(Dollars(2, 1, 3, how) for how in parts)
    assert together == Dollars(2 * len(parts), len(parts), 3 * len(parts), known)
    assert together.document()["how"] == known.value


def test_each_way_to_know_a_number_has_words_of_its_own() -> None:
    assert len({how.words for how in How}) == len(How)
