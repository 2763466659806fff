"""What an operator does to runs of catalogs and to schedules: said first, then done, as `overnight runs` does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import orjson

from overnight_models.ledger.operators.actions import By
from overnight_workers.catalogs import steering
from overnight_workers.catalogs.runs.finding import find
from overnight_workers.flower_tab.proposals import Act, Done, Fields, Proposal


def _approve(fields: Fields) -> Proposal:
    run = find(fields.get("run", ""))
    plan = orjson.loads(run.plan or "{}")
    sends = f"{plan['send']:,} of {plan['rows']:,} rows for about ${plan['usd']}" if plan else "what it has planned"
    asks = run.state == "asking"
    text = f"It sends {sends}." if asks else f"It doesn't ask: it is {run.state}."
    return Proposal(f"Approve run {run.name}", text, "Approve it", is_possible=asks)


def _stop(fields: Fields) -> Proposal:
    run = find(fields.get("run", ""))
    text = f"It is over: {run.state}."
    if not run.is_over:
        text = "What isn't sent is taken back; what is answered is paid, and the next run has it for nothing."
    return Proposal(f"Stop run {run.name}", text, "Stop it", is_possible=not run.is_over, is_dangerous=True)


def _of_schedule(title: str, text: str, verb: str, perform: Callable[[str, By], str]) -> Act:
    def propose(fields: Fields) -> Proposal:
        schedule = steering.known_schedule(fields.get("catalog", ""))
        words = text.format(next=steering.times(schedule.cron, schedule.zone).words())
        return Proposal(title.format(schedule.catalog), words, verb)

    return Act(propose, lambda fields, by: Done(perform(fields.get("catalog", ""), by)))


ACTS: Final[Mapping[str, Act]] = {
    "approve_run": Act(_approve, lambda fields, by: Done(steering.approve(fields.get("run", ""), by))),
    "stop_run": Act(_stop, lambda fields, by: Done(steering.stop(fields.get("run", ""), by))),
    "pause_schedule": _of_schedule(
        "Pause the schedule of {}",
        "It begins no run by itself until it is resumed; a run that is under way goes on. It is: {next}.",
        "Pause it",
        steering.pause,
    ),
    "resume_schedule": _of_schedule("Resume the schedule of {}", "It is: {next}.", "Resume it", steering.resume),
    "unskip_schedule": _of_schedule(
        "Run {} after all",
        "The time that was left out runs. It is: {next}.",
        "Run it after all",
        lambda name, by: steering.skip(name, by, undo=True),
    ),
    "skip_schedule": _of_schedule(
        "Skip the next run of {}",
        "Its next time is left out, and no other. It is: {next}.",
        "Skip it",
        steering.skip,
    ),
}
"""By name, as a link says it."""
