"""`overnight batches` and `overnight items`: where each is, since when, and what went wrong."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from overnight_models.quantities import several, spoken
from overnight_models.states import BATCH
from overnight_workers.cli import console, item_options

if TYPE_CHECKING:
    from overnight_models.ledger.operators.item_filter import ItemFilter
    from overnight_models.ledger.operators.item_views import ItemView
    from overnight_models.ledger.operators.troubles import UnclearView
    from overnight_workers.operators.life_lines import LifeLine

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def batches(
    lane: Annotated[str | None, typer.Option(help="Only this lane's.")] = None,
    state: Annotated[
        list[str] | None, typer.Option(help=f"Only in this state, or these: {', '.join(BATCH.states)}.")
    ] = None,
    unclear: Annotated[
        bool,
        typer.Option("--unclear", help="Those that may or may not have been created: why, and what happens next."),
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 30,
    as_json: Json = False,
) -> None:
    """Batches, the unfinished first: state, items, age, the API's id, cost so far."""
    from overnight_models.ledger.operators import overview
    from overnight_workers.operators import documents, filters
    from overnight_workers.process import database

    filters.check(lane=lane, batch_states=state or ())
    if unclear:
        _unclear(as_json)
        return
    with database().transaction() as connection:
        shown = overview.batches(connection, lane=lane, states=state or None, limit=limit)
    if as_json:
        console.as_json([documents.batch(batch) for batch in shown])
        return
    if not shown:
        console.OUT.print("No batches. Items wait until their lane's threshold is reached (`overnight status`).")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("batch", "lane", "state", "items", "MB", "age", "cost", "API id", "why"):
        right = title in ("batch", "items", "MB", "age", "cost")
        table.add_column(title, justify="right" if right else "left", no_wrap=title != "why")
    for batch in shown:
        table.add_row(
            str(batch.id),
            batch.lane,
            Text(batch.state, style=_STYLES.get(batch.state, "")),
            f"{batch.items:,}",
            f"{batch.size / 1e6:,.1f}",
            spoken(batch.age_s),
            console.billed(batch.cost_nano, batch.unpriced),
            batch.api_id or "",
            Text(batch.reason or ""),
        )
    console.OUT.print(table)


def _unclear(as_json: bool) -> None:
    from overnight_models.ledger.operators import troubles
    from overnight_workers.process import database

    with database().transaction() as connection:
        unclear = troubles.unclear(connection)
    if as_json:
        console.as_json([asdict(batch) for batch in unclear])
        return
    if not unclear:
        console.OUT.print("Nothing is unclear: of every batch it is known whether it was created.")
    for batch in unclear:
        console.OUT.print(
            Text(f"batch {batch.batch_id}: {several(batch.items, 'item')}, workspace {batch.workspace}", style="bold")
        )
        console.OUT.print(
            f"  its create: {batch.why}, {batch.let_go_at or batch.claimed_at:%Y-%m-%d %H:%M:%S}", markup=False
        )
        console.OUT.print(f"  so far:     {batch.so_far}", markup=False)
        console.OUT.print(f"  next:       {_next(batch)}", markup=False)
        console.OUT.print(
            f"  or decide:  overnight decide {batch.batch_id} --adopt ID, or --never-created", style="dim", markup=False
        )


def _next(batch: UnclearView) -> str:
    if batch.candidates:
        return f"{', '.join(batch.candidates)} may be it: the token is read when it has ended, within 24 hours"
    if batch.quiet_s > 0:
        return f"it may be listed for {spoken(batch.quiet_s)} more; if no list shows it by then, it is sent again"
    return "sent again at the next look, if a whole list from its workspace doesn't show it"


_STYLES = {"unclear": "bold yellow", "rejected": "red", "failed": "red", "gone": "red", "incomplete": "yellow"}


_ITEM_COLUMNS: Final = (
    *("key", "lane", "tenant", "model", "state", "batch", "tries", "enqueued", "problem", "delivery", "cost", "road"),
)


def items(
    named: item_options.Named = None,
    lane: item_options.Lane = None,
    tenant: item_options.Tenant = None,
    run: item_options.Run = None,
    batch: item_options.Batch = None,
    state: item_options.State = None,
    problem: item_options.ProblemName = None,
    model: item_options.Model = None,
    delivery: item_options.Delivery = None,
    queue: item_options.Queue = None,
    late: item_options.Late = False,
    newer: item_options.Newer = None,
    older: item_options.Older = None,
    key: item_options.Key = None,
    prefix: item_options.Prefix = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 30,
    before: Annotated[
        int | None, typer.Option(metavar="PAGE", help="The next page, as the last line of this one says it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON Lines, an item each.")] = False,
) -> None:
    """Items, the newest first: where each is and why, how often it was tried, what went wrong with it.

    The last column says why it takes its road: a batch or real time, and what that saves or costs; and why its lane has
    chosen its model, where the item names none. The models stand in a column where there are several. A catalog's row
    is named by the row's own key. With KEY, its whole life too: what happened to it when.
    """
    from overnight_workers.operators import documents

    wanted = item_options.chosen(
        named,
        key=key,
        newer=newer,
        older=older,
        lane=lane,
        tenant=tenant,
        run=run,
        batch=batch,
        state=state,
        problem=problem,
        model=model,
        delivery=delivery,
        queue=queue,
        late=late,
        prefix=prefix,
    )
    rows, next_page = _page(wanted, before, limit)
    is_named = named is not None or key is not None
    lives = {row.id: _life(row) for row in rows[:_LIVES]} if is_named else {}
    if as_json:
        console.as_json([documents.item(row, lives.get(row.id)) for row in rows])
    elif rows:
        console.OUT.print(_table(rows))
        for row in rows[: len(lives)]:
            console.OUT.print(_life_shown(row, lives[row.id]))
    else:
        console.OUT.print("No such items.")
    if next_page is not None:
        console.say(f"there are older ones: --before {next_page}")


_LIVES: Final = 5
"""Of a key that is in many lanes, the newest."""


def _life(row: ItemView) -> list[LifeLine]:
    from overnight_models.ledger.operators import item_life
    from overnight_workers.operators import life_lines
    from overnight_workers.process import database

    with database().transaction() as connection:
        life = item_life.life(connection, row.id)
    return [] if life is None else life_lines.lines(life)


def _life_shown(row: ItemView, life: list[LifeLine]) -> Table:
    from overnight_workers.operators import words

    table = Table(box=None, show_header=False, pad_edge=False, title_justify="left")
    name = words.item_name(row)
    known = "" if name == row.key else f", its key is {row.key}"
    table.title = Text(f"\n{name} in lane {row.lane}{known}", style="bold")
    for line in life:
        at = "" if line.at is None else f"{line.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        table.add_row(at, Text(line.text, style="" if line.tone == "calm" else "bold"))
    return table


def _page(wanted: ItemFilter, before: int | None, limit: int) -> tuple[list[ItemView], int | None]:
    """A page of items, however far they lie apart; and where the next one begins, if there may be one."""
    from overnight_models.ledger.operators import item_list
    from overnight_workers.process import database

    rows: list[ItemView] = []
    while True:
        with database().transaction() as connection:
            page = item_list.page(connection, wanted, before=before, limit=limit - len(rows))
        rows += page.items
        before = page.before
        if before is None or len(rows) >= limit:
            return rows, before


def _table(rows: list[ItemView]) -> Table:
    from overnight_workers.operators import item_roads, words

    table = Table(box=None, header_style="bold", pad_edge=False)
    models = [row.model or row.asked_model for row in rows]
    several = len(set(models)) > 1
    for title in _ITEM_COLUMNS:
        if several or title != "model":
            table.add_column(title, justify="right" if title in ("batch", "tries", "cost") else "left")
    for row, model, road in zip(rows, models, item_roads.reasons(rows), strict=True):
        table.add_row(
            Text(words.item_name(row)),
            row.lane,
            Text(row.tenant or ""),
            *([Text(model)] if several else []),
            Text(row.state, style="red" if row.state == "failed" else ""),
            str(row.batch_id or ""),
            str(row.attempts),
            f"{row.enqueued_at:%Y-%m-%d %H:%M:%S}",
            Text(words.trouble(row)),
            Text(words.delivery(row), style="red" if row.delivery == "dead" else ""),
            "unknown" if row.ok is not None and row.cost_nano is None else console.money(row.cost_nano or 0),
            Text("; ".join(filter(None, (road, row.model_why and f"model: {row.model_why}")))),
        )
    return table
