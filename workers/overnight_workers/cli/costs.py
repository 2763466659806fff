"""`overnight costs`: what was billed and saved, and what budgets have left."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from overnight_models.errors import PermanentError
from overnight_models.quantities import several
from overnight_workers.cli import budget, console
from overnight_workers.cli.moment import moment

if TYPE_CHECKING:
    from overnight_models.ledger.money.costs import Costs, MaybeBilled


def costs(
    by: Annotated[
        Literal["lane", "tenant", "model", "run", "day"], typer.Option(help="Whose costs; days are UTC's.")
    ] = "lane",
    since: Annotated[
        str | None, typer.Option(help="Only what was recorded since then: '2h' ago, or 2026-11-23T18:00.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Draw what was billed and saved into this PNG (`overnight[plot]`).")
    ] = None,
) -> None:
    """What was billed, from each answer's own usage, and what the same would have cost in real time.

    Exact to the nano-dollar; nothing is estimated. Thinking is billed as output, and shown apart with what it cost.
    What may have been billed without an answer, on the direct road, is said apart. Below it, what budgets have reserved
    and left.
    """
    from overnight_models.ledger.money import costs as ledger
    from overnight_workers.process import database

    with database().transaction() as connection:
        groups = ledger.costs(connection, by, moment(since))
        doubtful = ledger.maybe_billed(connection, moment(since))
    if plot is not None:
        _plot(by, groups, plot)
    if as_json:
        _print_json(by, since, groups, doubtful)
    elif as_csv:
        _print_csv(by, groups)
    else:
        _print_table(by, groups, doubtful)


def document(group: Costs) -> dict[str, object]:
    """Costs as JSON and CSV have them; money in dollars, as exact decimal strings."""
    from overnight_models.wire.outcome import dollars

    return {
        "name": group.name,
        "answers": group.answers,
        "cost_usd": dollars(group.cost_nano),
        "realtime_cost_usd": dollars(group.realtime_nano),
        "saved_usd": dollars(group.saved_nano),
        "unpriced": group.unpriced,
        "paid_twice": group.paid_twice,
        "paid_twice_usd": dollars(group.paid_twice_nano),
        "input_tokens": group.input_tokens,
        "cache_write_5m_tokens": group.cache_write_5m_tokens,
        "cache_write_1h_tokens": group.cache_write_1h_tokens,
        "cache_read_tokens": group.cache_read_tokens,
        "cache_hits": round(group.cache_hits, 4),
        "output_tokens": group.output_tokens,
        "thinking_tokens": group.thinking_tokens,
        "thinking_usd": dollars(group.thinking_nano),
    }


def _print_json(by: str, since: str | None, groups: list[Costs], doubtful: MaybeBilled) -> None:
    from overnight_models.ledger.money import costs as ledger
    from overnight_models.wire.outcome import dollars
    from overnight_workers.process import prices

    console.as_json(
        {
            "by": by,
            "since": moment(since),
            "prices_as_of": prices().as_of,
            "total": document(ledger.total(groups)),
            "maybe_billed": {
                "calls": doubtful.calls,
                "input_tokens": doubtful.input_tokens,
                "output_tokens": doubtful.output_tokens,
                "at_most_usd": dollars(doubtful.at_most_nano),
                "unbounded": doubtful.unbounded,
            },
            "costs": [document(group) for group in groups],
            "budgets": budget.documents(),
        }
    )


def _print_csv(by: str, groups: list[Costs]) -> None:
    from overnight_models.ledger.money.costs import Costs

    names = [by if name == "name" else name for name in document(Costs(""))]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(document(group).values() for group in groups)


def _print_table(by: str, groups: list[Costs], doubtful: MaybeBilled) -> None:
    from overnight_models.ledger.money import costs as ledger
    from overnight_workers.process import prices

    if not groups:
        console.OUT.print("Nothing was billed.")
    else:
        table = Table(box=None, header_style="bold", pad_edge=False)
        table.add_column(by)
        for title in (
            "answers",
            "billed",
            "in real time",
            "saved",
            "tokens in",
            "cache hits",
            "tokens out",
            "thinking",
        ):
            table.add_column(title, justify="right")
        for group in groups:
            table.add_row(Text(group.name or "-"), *_figures(group))
        everything = ledger.total(groups)
        if len(groups) > 1:
            table.add_row("all", *_figures(everything), style="bold")
        console.OUT.print(table)
        if everything.unpriced:
            left_out = several(everything.unpriced, "answer is", "answers are")
            console.OUT.print(Text(f"{left_out} in no sum: the price of the model is unknown", style="yellow"))
        if everything.paid_twice:
            twice = (
                f"paid twice: {several(everything.paid_twice, 'answer')}, {console.money(everything.paid_twice_nano)}"
            )
            console.OUT.print(Text(f"{twice} of what was billed", style="yellow"))
    if doubtful.calls:
        console.OUT.print(Text(_doubt(doubtful), style="yellow"))
    if budget.documents():
        console.OUT.print()
        budget.show({})
    console.OUT.print(Text(f"prices of {prices().as_of}", style="dim"))


def _doubt(doubtful: MaybeBilled) -> str:
    """What may have been billed, in a sentence."""
    bound = f"at most {console.money(doubtful.at_most_nano)}"
    if doubtful.unbounded:
        bound += f", and {doubtful.unbounded:,} without a bound"
    calls = "1 direct call" if doubtful.calls == 1 else f"{doubtful.calls:,} direct calls"
    return f"may have been billed: {calls} without an answer, {bound}; in no sum"


def _figures(group: Costs) -> tuple[str, ...]:
    tokens_in = group.input_tokens + group.cache_write_5m_tokens + group.cache_write_1h_tokens + group.cache_read_tokens
    saved = (
        f"{console.money(group.saved_nano)} ({group.saved_nano / group.realtime_nano:.0%})"
        if group.realtime_nano
        else "-"
    )
    return (
        f"{group.answers:,}",
        console.billed(group.cost_nano, group.unpriced),
        console.billed(group.realtime_nano, group.unpriced),
        saved,
        f"{tokens_in:,}",
        f"{group.cache_hits:.0%}",
        f"{group.output_tokens:,}",
        f"{group.thinking_tokens:,} ({console.money(group.thinking_nano)})" if group.thinking_tokens else "0",
    )


def _plot(by: str, groups: list[Costs], path: Path) -> None:
    """What was billed, of it for thinking, and what was saved on top, a bar for each."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PermanentError("--plot needs matplotlib: pip install 'overnight[plot]'") from error
    figure = Figure(figsize=(max(6.4, 0.4 * len(groups) + 2), 4.8), layout="constrained")
    axes = figure.subplots()
    names = [group.name or "-" for group in groups]
    billed = [group.cost_nano / 1e9 for group in groups]
    thinking = [group.thinking_nano / 1e9 for group in groups]
    saved = [group.saved_nano / 1e9 for group in groups]
    axes.bar(names, billed, label="billed", color="#2f6f9f")
    if any(thinking):
        axes.bar(names, thinking, label="of it for thinking", color="#17405f")
    axes.bar(names, saved, bottom=billed, label="saved against real time", color="#c8dcea")
    axes.set_ylabel("US dollars")
    axes.set_title(f"Costs by {by}")
    axes.tick_params(axis="x", rotation=45 if len(groups) > 6 else 0)
    axes.legend()
    figure.savefig(path, dpi=150, format="png")
    console.say(f"drawn into {path}")
