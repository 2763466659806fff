"""A run of a catalog as people see it: its plan, its progress, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Group
from rich.table import Table
from rich.text import Text

from overnight_models.quantities import money, spoken
from overnight_models.wire.outcome import dollars
from overnight_workers.cli import console
from overnight_workers.operators import words
from overnight_workers.plan.figure import How

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from overnight_models.ledger.catalogs.runs import Run
    from overnight_workers.catalogs.runs.forecast import Forecast
    from overnight_workers.catalogs.runs.taken import Step


def plan_table(plan: dict[str, Any], *, is_over: bool = False) -> Group:
    """What is sent and why, with its dollars; then what isn't. It fits into 80 columns."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("why", "rows", "about", "between", "known by"):
        right = title in ("rows", "about", "between")
        table.add_column(title, justify="right" if right else "left", no_wrap=title != "why")
    reasons = list(plan["reasons"].values())
    for reason in reasons:
        table.add_row(reason["words"], f"{reason['rows']:,}", *_priced(reason))
    if len(reasons) > 1:
        table.add_row(Text("together", style="bold"), f"{plan['send']:,}", *_priced(plan))
    known_by = sorted({How(priced["how"]) for priced in (*reasons, plan)}) if reasons else []
    notes = [Text(f"{how.value}: {how.words.removeprefix(f'{how.value}: ')}", "dim") for how in known_by]
    notes += [Text(note, "yellow") for reason in reasons for note in _notes(reason)]
    notes += [Text(plan[name], "yellow") for name in ("sink_lost", "sink_behind") if name in plan]
    left = ", ".join(f"{group['rows']:,} {group['words']}" for group in plan["left"].values())
    answered = plan.get("answered", 0)  # plans of earlier versions don't say
    sent = f"{plan['send'] - answered:,} of {plan['rows']:,} rows {'were' if is_over else 'are'} to be sent"
    sent += f"; {answered:,} were answered before, and cost nothing" if answered else ""
    left += f"{'; ' if left else ''}others are left out by {plan['only']}" if "only" in plan else ""
    return Group(Text(sent + (f"; {left}" if left else ""), style="bold"), *([table] if reasons else []), *notes)


def _priced(priced: Mapping[str, str]) -> tuple[str, str, str]:
    """About how many dollars, between what, and how that is known. To the nano-dollar they are in the JSON."""
    value, low, high = (words.dollars(int(Decimal(priced[name]).scaleb(9))) for name in ("usd", "low_usd", "high_usd"))
    return value, f"{low} and {high}", How(priced["how"]).value


def _notes(reason: dict[str, Any]) -> Iterator[str]:
    """What one reason's numbers don't say: what isn't known, and rows that aren't sent as they are."""
    if not reason.get("length_known", True):
        yield f"{reason['words']}: how long answers get is {reason['answers']}"
    if before := reason.get("asked_before"):
        yield f"{reason['words']}: an estimated {before:,} of them were asked before, and cost nothing"
    if number := reason.get("unsendable"):
        # runs of earlier versions don't say how they know
        how, least = reason.get("unsendable_how", "counted"), reason.get("unsendable_at_least", number)
        yield f"{reason['words']}: {_known(number, least, how)} can't be sent: {reason['why_unsendable']}"
    if (longer := reason.get("longer")) is not None:
        known = _known(longer["rows"], longer["at_least"], longer["how"])
        yield f"{reason['words']}: {known} longer than max_input_tokens: {longer['what']}"


def _known(rows: int, at_least: int, how: str) -> str:
    """A number of rows, and how it is known."""
    return f"{rows:,}" if how == "counted" else f"an estimated {rows:,} (at least {at_least:,})"


def forecast_of(run: Run) -> Forecast | None:
    """When a run will be done; None when it is over, or nothing of it is under way."""
    from overnight_workers.catalogs.runs.forecast import forecast
    from overnight_workers.process import database

    if run.is_over:
        return None
    with database().transaction() as connection:
        return forecast(connection, run)


def document(run: Run) -> dict[str, object]:
    """A run as JSON; money in dollars, as decimal strings."""
    counts, expected = orjson.loads(run.counts), forecast_of(run)
    cost = counts.pop("cost_nano", None)
    return {
        "run": run.name,
        "catalog": run.catalog,
        "state": run.state,
        "reason": run.reason,
        "began_at": run.began_at.isoformat(),
        "ended_at": None if run.ended_at is None else run.ended_at.isoformat(),
        "nominal_at": run.nominal_at,
        "approved_by": run.approved_by,
        "taken_by": run.owner_name if run.is_owned else None,
        "plan": None if run.plan is None else orjson.loads(run.plan),
        "counts": counts,
        "cost_usd": None if cost is None else dollars(cost),
        "forecast": None if expected is None else expected.document(),
    }


def page(run: Run) -> Group:
    """A run with its plan and what came of it."""
    counts = orjson.loads(run.counts)
    said = [Text(f"{run.name}: {run.state}", style=_STYLES.get(run.state, "bold"))]
    said += [Text(run.reason)] if run.reason else []
    expected = forecast_of(run)
    if expected is not None:
        said += [Text(expected.words), *([Text(expected.missed, "bold red")] if expected.missed else [])]
    parts: list[Text | Group] = [
        *said,
        *([plan_table(orjson.loads(run.plan), is_over=run.is_over)] if run.plan else []),
    ]
    if "items" in counts:
        problems = ", ".join(f"{n:,} {cause}" for cause, n in counts["problems"].items())
        again = f"; {counts['asked_again']:,} asked again" if counts.get("asked_again") else ""
        had = f"; {counts['had_already']:,} were asked before, for nothing now" if counts.get("had_already") else ""
        bill = f"{counts['ok']:,} answered, {problems or 'no problems'}{again}{had}: {money(counts['cost_nano'])}"
        parts.append(Text(bill))
    return Group(*parts)


_STYLES = {"complete": "bold green", "partial": "bold yellow", "stopped": "bold red", "asking": "bold yellow"}


def runs_table(runs: list[Run]) -> Table:
    """Runs, a line each."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("run", "state", "began", "sent", "ok", "problems", "cost", "why"):
        table.add_column(title, justify="right" if title in ("sent", "ok", "problems", "cost") else "left")
    for run in runs:
        expected = forecast_of(run)
        why = [(run.reason or "").partition("\n")[0], "" if expected is None else expected.missed or expected.words]
        counts, plan = orjson.loads(run.counts), orjson.loads(run.plan or "{}")
        table.add_row(
            run.name,
            Text(run.state, style=_STYLES.get(run.state, "")),
            f"{run.began_at:%Y-%m-%d %H:%M}",
            f"{plan['send']:,}" if plan and run.state not in ("planned", "asking") else "-",
            f"{counts['ok']:,}" if "ok" in counts else "-",
            f"{sum(counts['problems'].values()):,}" if "problems" in counts else "-",
            money(counts["cost_nano"]) if "cost_nano" in counts else "-",
            Text("; ".join(part for part in why if part)),
        )
    return table


class Shown:
    """What a run does, live."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task
        self._said = ""

    def rows(self, done: int) -> None:
        """So many rows of this step are done."""
        self._progress.update(self._task, completed=done)

    def step(self, run: Run, step: Step) -> None:
        """A step was taken."""
        plan = orjson.loads(run.plan or "{}")
        if step.wait_s and plan:
            self._look(run, plan["send"], step.said)
        elif step.said != self._said:
            self._said = step.said
            console.say(f"{run.name}: {step.said}")

    def waits(self, run: Run, why: str) -> None:
        """The run waits for what isn't there now: a disk's room, a table, a database."""
        if why != self._said:
            self._said = why
            console.say(f"{run.name}: {why}")

    def watch(self, run: Run) -> None:
        """Another process takes the steps."""
        if run.reason is not None and run.reason.startswith("waits: "):
            self.waits(run, run.reason)
        plan = orjson.loads(run.plan or "{}")
        self._look(run, plan.get("send"), f"{run.state}, by {run.owner_name or 'the workers'}")

    def _look(self, run: Run, total: int | None, said: str) -> None:
        from overnight_models.ledger import answer
        from overnight_models.states import ITEM
        from overnight_workers.process import database

        with database().transaction() as connection:
            counts = answer.run_counts(connection, run.name) or {}
        final = sum(n for state, n in counts.items() if state in ITEM.final)
        expected = forecast_of(run)
        if expected is not None and expected.oldest_s is not None:
            half = "any minute" if expected.half is None else f"about {expected.half:%H:%M} UTC"
            said = f"{said}, in batches for {spoken(expected.oldest_s)}, done {half}"
        self._progress.update(self._task, description=said, completed=final, total=total)


@contextmanager
def progress_of(run: Run) -> Iterator[Shown]:
    """The live line of a run."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console.ERR, transient=True) as progress:
        yield Shown(progress, progress.add_task(run.name, total=None))
