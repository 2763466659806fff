"""When an alarm about a run of a catalog is on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from overnight_models.ledger.operators.troubles import Troubles
from overnight_models.quantities import spoken
from overnight_workers.operators.alarm_kinds import Alarm

_WAITS_LONG_S: Final = 900.0
_ASKS_LONG_S: Final = 3600.0
_MOST_CHARACTERS: Final = 400


def run_alarms(troubles: Troubles) -> Iterator[Alarm]:
    """Of schedules whose last run wants a person, of runs that wait, and of those that will be late."""
    for last in troubles.neglected:
        at = f"Catalog {last.catalog}, {last.nominal_at}"
        if last.is_unusable:
            text = f"{at}: run {last.catalog}-{last.number} stopped, since its file can't be used"
        elif last.state == "asking":
            text = f"{at}: run {last.catalog}-{last.number} asks, and sends nothing before somebody answers"
        else:
            text = f"{at}: run {last.catalog}-{last.number} stopped by itself"
        yield Alarm("catalog neglected", f"{text}.")
    for run in troubles.waiting_runs:
        if run.waits_s > (_ASKS_LONG_S if run.is_asking else _WAITS_LONG_S):
            does = "asks and has no answer" if run.is_asking else "can't go on"
            text = f"Run {run.name} {does} for {spoken(run.waits_s)}: {run.why.removeprefix('waits: ')}"
            yield Alarm("run waiting", text[:_MOST_CHARACTERS])
    for late in troubles.late_runs:
        advice = f"`overnight runs approve {late.name}`, or `overnight runs stop {late.name}`" if late.is_asking else ""
        yield Alarm("run late", f"Run {late.name} {late.why}."[:_MOST_CHARACTERS], advice=advice)
