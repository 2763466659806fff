"""What `make chaos` says at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tests.chaos.load import Load
from tests.chaos.load_books import Books
from tests.chaos.one_by_one import OneByOne


def show(
    seed: int, seconds: float, points: OneByOne, load: Load | None, books: Books | None, wrong: Sequence[str]
) -> int:
    """Print tables. Returns the exit status: 0 when everything held."""
    console = Console(width=120)
    under_load = load.deaths if load else Counter[str]()
    if points.possible or under_load:
        console.print(_points(points, under_load))
    if load:
        console.print(_counted("under load", load.attacks))
        console.print(_counted("what the API did wrong", load.troubles))
    if load and books:
        console.print(_books(load, books))
    killed = points.in_a_row.total() + points.alone.total() + under_load.total()
    distinct = len({*points.in_a_row, *points.alone, *under_load})
    attacked = (load.attacks.total() + load.troubles.total()) if load else 0
    held = f"paid twice {books.doubles.bills}, each shown; lost {books.lost}, stuck 0" if books else "it held"
    console.print(
        f"seed {seed}, {seconds:.0f} s: killed {killed:,} times at {distinct} points; {attacked} faults beside"
    )
    console.print(held if not wrong else "it didn't hold")
    for sentence in wrong:
        console.print(f"[red]wrong:[/red] {sentence}")
    return 1 if wrong else 0


def _points(points: OneByOne, under_load: Counter[str]) -> Table:
    """By point: how often a process was killed there."""
    table = Table(title=f"killed at ({points.possible:,} deaths are possible one by one)")
    for column in ("point", "alone", "in a row", "under load"):
        table.add_column(column, justify="left" if column == "point" else "right")
    columns = (points.alone, points.in_a_row, under_load)
    for point in sorted({*points.alone, *points.in_a_row, *under_load}):
        table.add_row(point, *(str(column[point] or "") for column in columns))
    table.add_section()
    table.add_row("in sum", *(f"{column.total():,}" for column in columns))
    return table


def _counted(title: str, counted: Counter[str]) -> Table:
    table = Table(title=title)
    table.add_column("fault")
    table.add_column("times", justify="right")
    for name, times in sorted(counted.items()):
        table.add_row(name, str(times))
    table.add_section()
    table.add_row("in sum", str(counted.total()))
    return table


def _books(load: Load, books: Books) -> Table:
    table = Table(title="the books of the load", show_header=False)
    rows = {
        "items accepted": f"{books.accepted:,}",
        **{f"enqueued again: {why}": f"{times:,}" for why, times in load.again.items()},
        "batches": f"{books.batches:,}",
        "creates that the API accepted": f"{books.creates:,}",
        "submissions void, nothing created": f"{books.submissions.get('void', 0):,}",
        "… without an answer, found by their token": f"{books.submissions.get('adopted', 0):,}",
        "… believed lost, and sent again": f"{books.submissions.get('lost', 0):,}",
        "strangers' batches that were looked at": f"{books.submissions.get('strangers', 0):,}",
        "requests billed": f"{books.billed:,}",
        "billed, by the API and by `overnight costs`": f"${books.nanodollars / 1e9:.9f}",
        "calls that may have been billed, shown apart": f"{books.doubts:,}",
        "… of which the API billed": f"{books.doubts_billed:,}",
        "answers that nobody can read, kept and billed": f"{books.unreadable:,}",
        "outcomes delivered": f"{books.delivered:,}",
        "deliveries repeated": f"{books.repeats:,}",
        "paid twice, by two batches": f"{books.doubles.by_two_batches:,}",
        "… in a batch and in real time": f"{books.doubles.in_real_time_too:,}",
        "lost": f"{books.lost}",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table
