"""`overnight catalog try`: some rows first, to be looked at."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from overnight_models.errors import PermanentError
from overnight_workers.cli import console

if TYPE_CHECKING:
    from overnight_producers import Item
    from overnight_workers.catalogs.declaration import Catalog
    from overnight_workers.catalogs.runs.dollars import Priced
    from overnight_workers.catalogs.trying import Chosen, Tried

_LOOK_EVERY_S: Final = 0.5
_SHOWN_CHARACTERS: Final = 160
REALTIME: Final = Fraction(2)
"""What real time costs, in prices of batches."""


def try_rows(
    file: Annotated[Path, typer.Argument(help="The catalog's file, such as catalogs/airports.toml.")],
    rows: Annotated[int, typer.Option(min=1, max=1000, help="So many, from the shortest to the longest.")] = 20,
    page: Annotated[
        Path | None, typer.Option("--html", help="Where the page goes. Default: NAME.tried.html beside the file.")
    ] = None,
    batch: Annotated[
        bool, typer.Option("--batch", help="In a batch, at half the price, where the lane has both roads.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Ask some rows of a catalog before all of them: as a table here, and as one HTML page.

    The rows are spread over their lengths, and are the same ones each time. They go in real time where the catalog's
    lane may (road = "direct" or "by_deadline"), else in a small batch. What was tried is paid once: a run has these
    answers for nothing unless the row, the prompt, the model or the schema changes.
    """
    from overnight_workers.catalogs import learning, trying
    from overnight_workers.catalogs.opened import opened
    from overnight_workers.catalogs.reading import read_catalog
    from overnight_workers.catalogs.recipe import hashes, recipe_of
    from overnight_workers.catalogs.runs import dollars

    catalog = read_catalog(file)
    recipe = recipe_of(catalog)
    with opened(catalog, recipe) as source:
        chosen = trying.choose(catalog, source, rows)
    if not chosen.items:
        raise PermanentError(_none_to_send(chosen))
    past = learning.alike(catalog, hashes(recipe), [(item.key or "", True) for item in chosen.items])
    price = dollars.of_items(catalog, chosen.items, past)
    now = trying.in_real_time(catalog, batch=batch)
    _ask(catalog, chosen, price, now, yes or as_json)
    items = trying.urgent(chosen.items) if now else chosen.items
    rejected = trying.send(catalog, items, trying.run_name(catalog)).rejected
    if rejected:
        raise PermanentError(f"{len(rejected)} rows were turned down, the first of them: {rejected[0].why}")
    wait(catalog, chosen.items, f"overnight catalog try {file}")
    tried = trying.tried(catalog, chosen)
    target = page or file.with_name(f"{catalog.name}.tried.html")
    _write(target, catalog, chosen, tried)
    if as_json:
        console.as_json(_document(catalog, chosen, tried, target))
    else:
        _print(tried, chosen, target)


def _none_to_send(chosen: Chosen) -> str:
    if not chosen.bad:
        return "the source has no rows"
    name, why = chosen.bad[0]
    return f"none of the rows can be sent; {name}: {why}"


def _ask(catalog: Catalog, chosen: Chosen, price: Priced, now: bool, yes: bool) -> None:
    from overnight_workers.catalogs import trying

    whole = replace(price, dollars=price.dollars.times(REALTIME)) if now else price
    new = len(chosen.items) - price.known
    road = "in real time" if now else trying.batch_words(catalog, new)
    console.say(
        f"{len(chosen.items)} of {chosen.rows:,} rows, in lane {catalog.lane}: {whole.words(len(chosen.items))}"
        + (f", {road}" if new > 0 else "")
    )
    for name, why in chosen.bad:
        console.say(f"! {name} can't be sent: {why}")
    if new > 0 and not yes and not console.ask("Send them?", default=True):
        raise typer.Exit(1)


def wait(catalog: Catalog, items: Sequence[Item], command: str) -> None:
    """Watch until all of them have an outcome. command: what shows them later."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from overnight_workers.catalogs import trying

    columns = (TextColumn("answered"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=console.ERR, transient=True) as progress:
            bar = progress.add_task("", total=len(items))
            while left := trying.unfinished(catalog, items):
                progress.update(bar, completed=len(items) - left)
                time.sleep(_LOOK_EVERY_S)  # a batch takes minutes to hours
    except KeyboardInterrupt:
        console.say(f"detached: they are under way; `{command}` shows them, and pays nothing again")
        raise typer.Exit(130) from None


def _print(tried: list[Tried], chosen: Chosen, target: Path) -> None:
    from rich.table import Table
    from rich.text import Text

    from overnight_workers.operators import words

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("row", "answer", "tokens in", "out", "cost"):
        table.add_column(title, justify="right" if title in ("tokens in", "out", "cost") else "left")
    for row in tried:
        answer = Text(_short(row.answer))
        if row.problem is not None:
            answer = Text(words.problem(row.problem, row.detail), style="red")
        table.add_row(Text(row.name), answer, f"{row.tokens_in:,}", f"{row.tokens_out:,}", _cost(row.cost_usd))
    console.OUT.print(table)
    problems = sum(row.problem is not None for row in tried)
    console.OUT.print(
        f"{len(tried) - problems} of use, {problems} with a problem: {_cost(_sum(tried))}. Page: {target}", markup=False
    )


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_CHARACTERS else line[: _SHOWN_CHARACTERS - 1] + "…"


def _sum(tried: list[Tried]) -> Decimal | None:
    costs = [row.cost_usd for row in tried]
    return None if None in costs else sum((cost for cost in costs if cost is not None), Decimal(0))


def _cost(cost: Decimal | None) -> str:
    return "unknown" if cost is None else console.money(int(cost.scaleb(9)))


def _write(target: Path, catalog: Catalog, chosen: Chosen, tried: list[Tried]) -> None:
    from overnight_workers.catalogs.pages import page
    from overnight_workers.catalogs.trying import run_name

    cost = _sum(tried)
    whole = None if cost is None or not tried else console.money(int(cost.scaleb(9)) * chosen.rows // len(tried))
    page.write(
        target,
        "tried",
        catalog=catalog.name,
        model=catalog.model,
        run=run_name(catalog),
        made_at=f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        system=catalog.prompt.system,
        tried=[
            {
                "name": row.name,
                "prompt": row.prompt,
                "answer": row.answer,
                "problem": row.problem,
                "detail": row.detail,
                "tokens_in": row.tokens_in,
                "tokens_out": row.tokens_out,
                "cost": _cost(row.cost_usd),
                "via": row.via,
            }
            for row in tried
        ],
        problems=sum(row.problem is not None for row in tried),
        cost=_cost(cost),
        whole=whole,
        rows=chosen.rows,
        tokens_in=sum(row.tokens_in for row in tried),
        tokens_out=sum(row.tokens_out for row in tried),
    )


def _document(catalog: Catalog, chosen: Chosen, tried: list[Tried], target: Path) -> dict[str, object]:
    from overnight_workers.catalogs.trying import run_name

    cost = _sum(tried)
    return {
        "catalog": catalog.name,
        "run": run_name(catalog),
        "rows": [
            {
                "row": row.name,
                "prompt": row.prompt,
                "answer": row.answer,
                "problem": row.problem,
                "detail": row.detail,
                "tokens_in": row.tokens_in,
                "tokens_out": row.tokens_out,
                "cost_usd": None if row.cost_usd is None else f"{row.cost_usd:f}",
                "via": row.via,
            }
            for row in tried
        ],
        "unsendable": [{"row": name, "why": why} for name, why in chosen.bad],
        "cost_usd": None if cost is None else f"{cost:f}",
        "page": str(target),
    }
