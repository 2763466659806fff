"""The pilot: its rows have come back, and their problems say whether the others are sent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from overnight_models.ledger.catalogs import answers
from overnight_workers import process
from overnight_workers.catalogs.interval import wilson


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
    had_already: int = 0
    """Rows whose answer another run, or a try, had paid for."""

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
            "had_already": self.had_already,
        }


def verdicts_of(run_name: str, run_id: int) -> Verdicts:
    """What came of a run's rows, those that couldn't be sent among them."""
    verdicts = Verdicts()
    with process.database().transaction() as connection:
        groups = answers.groups(connection, run_name)
    for group in groups:
        verdicts.items += group.rows
        verdicts.asked_again += group.asked_again
        verdicts.unpriced += group.unpriced
        verdicts.had_already += group.had_already
        verdicts.cost_nano += group.cost_nano
        if group.ok:
            verdicts.ok += group.rows
        elif group.ok is not None:
            verdicts.problems[group.problem or group.state] += group.rows
    with process.database().transaction() as connection:
        verdicts.problems.update(row.cause for row in answers.unsent(connection, run_id))
    return verdicts


def why_stop(verdicts: Verdicts, max_share: float) -> str | None:
    """Why the pilot stops its run; None when it doesn't.

    max_share: the share of problems that is fine. Only what is surely above stops: the whole interval.
    """
    unsent = verdicts.problems["can't be sent"] + verdicts.problems["turned down"]
    all_ = verdicts.items + unsent
    low, high = wilson(verdicts.bad, all_)
    if low <= max_share:
        return None
    causes = ", ".join(f"{n:,} {cause}" for cause, n in verdicts.problems.most_common())
    return (
        f"the pilot has {verdicts.bad:,} problems in {all_:,} rows ({low:.0%} to {high:.0%} of all,"
        f" pilot.max_problems is {max_share:.0%}): {causes}"
    )
