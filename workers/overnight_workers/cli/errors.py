"""`overnight errors` and `overnight tail`: problems by what they say; outcomes as they come."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from overnight_models.wire.outcome import Problem, dollars
from overnight_workers.cli import console, item_options
from overnight_workers.cli.moment import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from overnight_models.ledger.operators.problems import Finished
    from overnight_workers.operators.fingerprints import ErrorGroup

_EVERY_S: Final = 1.0
_COMMITTED_WITHIN: Final = timedelta(seconds=60)
"""An outcome bears the time at which its transaction began: others may be seen before it."""
_AT_ONCE: Final = 5000
_LOOKED_S: Final = 10.0
"""However many are asked for."""

ProblemName = Annotated[str | None, typer.Option("--problem", help=f"Only with this problem: {', '.join(Problem)}.")]
Since = Annotated[str | None, typer.Option(help="Only what finished since then: '2h' ago, or 2026-11-23T18:00.")]


def errors(
    lane: item_options.Lane = None,
    run: item_options.Run = None,
    problem: ProblemName = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many groups.")] = 30,
    look_at: Annotated[int, typer.Option(min=1, help="Look at so many of the newest outcomes that aren't ok.")] = 2_000,
    before: Annotated[
        int | None, typer.Option(min=1, help="Look at older ones: from where the look before ended.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON Lines, a group each.")] = False,
) -> None:
    """Problems by what they say, the most frequent first.

    Of the newest 2,000 outcomes that aren't ok, for ten seconds at the most: it says of how many, and how older ones
    are looked at.

    Numbers, ids and quotations are left out, so that a thousand of a kind are one line, and nothing of a request or an
    answer is shown. `overnight items --problem` has the items, `overnight redo` tries them again.
    """
    from overnight_models.ledger.operators import problems
    from overnight_workers.operators import filters, fingerprints
    from overnight_workers.process import database

    filters.check(lane=lane, run=run, problem=problem)
    with database().transaction() as connection:
        which = problems.Which(lane, run, problem, moment(since))
        said = problems.said(connection, which, before=before, look_at=look_at, for_s=_LOOKED_S)
        totals = problems.totals(connection)
    groups = fingerprints.grouped(said.problems)
    if as_json:
        extent = {"looked_at": said.looked_at, "so_far": sum(total.n for total in totals)}
        console.as_json([asdict(group) | extent for group in groups[:limit]])
    elif not groups:
        console.OUT.print("No outcome has a problem." if said.is_all and before is None else "None of them fits.")
    else:
        _show(groups, limit)
    if not said.is_all:
        looked_at = fingerprints.looked_at(said, totals, run, is_first=before is None)
        console.say(f"Of {looked_at}. Older ones: --before {said.before}; more at once: --look-at {problems.MOST}")


def _show(groups: Sequence[ErrorGroup], limit: int) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("items", "problem", "lane", "last", "fingerprint", "what they say"):
        table.add_column(title, justify="right" if title == "items" else "left", no_wrap=title != "what they say")
    for group in groups[:limit]:
        last = f"{group.last_at:%Y-%m-%d %H:%M}"
        table.add_row(f"{group.n:,}", group.problem, Text(group.lane), last, group.fingerprint, Text(group.text))
    console.OUT.print(table)
    if len(groups) > limit:
        console.say(f"and {len(groups) - limit:,} more groups: --limit {len(groups)}")


def tail(
    lane: item_options.Lane = None,
    run: item_options.Run = None,
    problem: item_options.ProblemName = None,
    since: Since = None,
    number: Annotated[int | None, typer.Option("--number", "-n", min=1, help="End after so many.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON Lines, an outcome each.")] = False,
) -> None:
    """Outcomes as they come, without requests and answers, until Ctrl-C. `overnight outcomes` prints the answers."""
    from overnight_models.ledger.operators import problems
    from overnight_workers.operators import filters
    from overnight_workers.process import database

    filters.check(lane=lane, run=run, problem=problem, any_problem=True)
    began = moment(since) or datetime.now(UTC)
    seen: OrderedDict[int, datetime] = OrderedDict()
    shown = 0
    with console.interruptible():
        while True:
            newest = max(seen.values(), default=began)
            after = began if not seen else max(began, newest - _COMMITTED_WITHIN)
            with database().transaction() as connection:
                rows = problems.finished(connection, problems.Which(lane, run, problem, after), _AT_ONCE + len(seen))
            for row in rows:
                if row.id in seen:
                    continue
                seen[row.id] = row.finished_at
                console.as_json([_document(row)]) if as_json else console.OUT.print(_line(row), soft_wrap=True)
                shown += 1
                if shown == number:
                    return
            _forget(seen, max(seen.values(), default=began) - _COMMITTED_WITHIN)
            if len(rows) < _AT_ONCE:
                time.sleep(_EVERY_S)  # as often as somebody looks


def _forget(seen: OrderedDict[int, datetime], before: datetime) -> None:
    for number in [number for number, finished_at in seen.items() if finished_at < before]:
        del seen[number]


def _document(row: Finished) -> dict[str, object]:
    from overnight_workers import redaction

    document = {name: value for name, value in row._asdict().items() if name not in ("id", "cost_nano")}
    document["detail"] = row.detail and redaction.text(row.detail)
    return document | {"cost_usd": None if row.cost_nano is None else dollars(row.cost_nano)}


def _line(row: Finished) -> Text:
    from overnight_workers import redaction
    from overnight_workers.operators import words

    cost = "price unknown" if row.cost_nano is None else console.money(row.cost_nano)
    text = Text(f"{row.finished_at:%H:%M:%S} {row.lane} {words.item_name(row)} ")
    text.append(row.state, style="red" if row.problem else "green")
    text.append(f" {row.via} {cost}")
    if row.problem:
        text.append(f" {words.problem(row.problem, row.detail and redaction.text(row.detail))}")
    return text
