"""The pilot: its rows have come back, and their problems say whether the others are sent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from overnight_models.ledger.catalogs import answers
from overnight_workers import process
from overnight_workers.catalogs.interval import wilson
from overnight_workers.catalogs.runs.taken import AT_ONCE


@dataclass
class Verdicts:
    """What came of a run's rows so far."""

    items: int = 0
    ok: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    asked_again: int = 0
    """Rows that needed more than one try."""
    cost_nano: int = 0
    unpriced: int = 0

    @property
    def bad(self) -> int:
        """Rows without a useful answer."""
        return self.problems.total()

    def document(self) -> dict[str, object]:
        """As a run's counts have it."""
        return {
            "items": self.items,
            "ok": self.ok,
            "problems": dict(self.problems),
            "asked_again": self.asked_again,
            "cost_nano": self.cost_nano,
            "unpriced": self.unpriced,
        }


def verdicts_of(run_name: str, run_id: int) -> Verdicts:
    """What came of a run's rows, those that couldn't be sent among them."""
    found = Verdicts()
    after = 0
    while True:
        with process.database().transaction() as connection:
            page = answers.verdicts(connection, run_name, after=after, limit=AT_ONCE)
        if not page:
            break
        after = page[-1].id
        for one in page:
            found.items += 1
            found.asked_again += one.redos > 0
            found.unpriced += one.ok is not None and one.cost_nano is None
            found.cost_nano += one.cost_nano or 0
            if one.ok:
                found.ok += 1
            elif one.ok is not None:
                found.problems[one.problem or one.state] += 1
    with process.database().transaction() as connection:
        found.problems.update(row.cause for row in answers.unsent(connection, run_id))
    return found


def why_stop(found: Verdicts, most: float) -> str | None:
    """Why the pilot stops its run; None when it doesn't.

    most: the share of problems that is fine. Only what is surely above stops: the whole interval.
    """
    unsent = found.problems["can't be sent"] + found.problems["turned down"]
    all_ = found.items + unsent
    low, high = wilson(found.bad, all_)
    if low <= most:
        return None
    causes = ", ".join(f"{n:,} {cause}" for cause, n in found.problems.most_common())
    return (
        f"the pilot has {found.bad:,} problems in {all_:,} rows ({low:.0%} to {high:.0%} of all, pilot.max_problems is"
        f" {most:.0%}): {causes}"
    )
