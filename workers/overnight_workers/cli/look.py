"""`overnight status`, `overnight batches` and `overnight items`: what is where, and since when."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from overnight_models.quantities import spoken
from overnight_models.states import BATCH, DELIVERY, ITEM
from overnight_workers.cli import console

if TYPE_CHECKING:
    from overnight_models.ledger.operators.troubles import UnclearView

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def status(
    as_json: Json = False,
    watch: Annotated[bool, typer.Option("--watch", help="Stay, and look again every second.")] = False,
) -> None:
    """Items, batches and deliveries by state, per lane, and how long the oldest item has waited."""
    import time

    if as_json:
        console.as_json(_status())
        return
    if not watch:
        console.OUT.print(_page(_status()))
        return
    with Live(_page(_status()), console=console.OUT, refresh_per_second=4) as live:
        while True:
            time.sleep(1)  # a page that is looked at, once a second
            live.update(_page(_status()))


def _status() -> dict[str, object]:
    from overnight_workers.operators.snapshot import take_snapshot
    from overnight_workers.process import database, redis_client
    from overnight_workers.settings import settings

    seen = take_snapshot(database(), redis_client())
    lanes = seen.lanes
    return {
        "alarms": [
            {"alarm": alarm.kind, "urgent": alarm.urgent, "text": alarm.text, "do": alarm.do}
            for alarm in seen.alarms(settings())
        ],
        "lanes": {
            lane.lane: {
                "items": lane.items,
                "batches": lane.batches,
                "deliveries": lane.deliveries,
                "oldest_waiting_s": lane.oldest_waiting_s,
                "paused": lane.paused_reason,
                "cost_nano_usd": lane.cost_nano,
                "realtime_nano_usd": lane.realtime_nano,
                "unpriced": lane.unpriced,
                "unmeasured": lane.unmeasured,
            }
            for lane in lanes
        },
        "items": _added(lane.items for lane in lanes),
        "batches": _added(lane.batches for lane in lanes),
        "deliveries": _added(lane.deliveries for lane in lanes),
        "oldest_waiting_s": max((lane.oldest_waiting_s or 0 for lane in lanes), default=None) or None,
        "held_workspaces": {one.name: one.held_reason for one in seen.workspaces if one.held_for_s is not None},
    }


def _added(parts: Any) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in parts:
        for state, n in part.items():
            total[state] = total.get(state, 0) + n
    return total


def _page(status: dict[str, Any]) -> RenderableType:
    parts: list[RenderableType] = []
    for alarm in status["alarms"]:
        parts.append(Text(alarm["text"], style="bold red" if alarm["urgent"] else "yellow"))
        parts.append(Text(f"  → {alarm['do']}", style="dim"))
    if not status["lanes"]:
        parts.append(Text("Nothing was ever enqueued: `overnight enqueue FILE` or the product's own code does that."))
        return Group(*parts)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("lane", "waiting", "oldest", "batched", "done", "failed", "to deliver", "billed", "saved"):
        table.add_column(title, justify="left" if title == "lane" else "right", no_wrap=title != "lane")
    for name, lane in status["lanes"].items():
        items, deliveries = lane["items"], lane["deliveries"]
        due = sum(n for state, n in deliveries.items() if state not in DELIVERY.final)
        dead, failed = deliveries.get("dead", 0), items.get("failed", 0)
        table.add_row(
            Text(name) if lane["paused"] is None else Text(f"{name} (paused: {lane['paused']})", style="yellow"),
            f"{items.get('waiting', 0) + items.get('held', 0):,}",
            "-" if lane["oldest_waiting_s"] is None else spoken(lane["oldest_waiting_s"]),
            f"{items.get('batched', 0):,}",
            f"{items.get('succeeded', 0):,}",
            Text(f"{failed:,}", style="red" if failed else ""),
            Text(f"{due:,}" + (f" + {dead:,} dead" if dead else ""), style="red" if dead else ""),
            console.billed(lane["cost_nano_usd"], lane["unpriced"]),
            console.money(lane["realtime_nano_usd"] - lane["cost_nano_usd"]),
        )
    parts.append(table)
    at_work = {state: n for state, n in status["batches"].items() if state not in BATCH.final}
    words = ", ".join(f"{n:,} {state}" for state, n in at_work.items()) or "none at work"
    parts.append(Text(f"batches: {words}"))
    return Group(*parts)


def batches(
    lane: Annotated[str | None, typer.Option(help="Only this lane's.")] = None,
    state: Annotated[list[str] | None, typer.Option(help="Only in this state; may be given again.")] = None,
    unclear: Annotated[
        bool,
        typer.Option("--unclear", help="Those that may or may not have been created: why, and what happens next."),
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 30,
    as_json: Json = False,
) -> None:
    """Batches, the unfinished first: state, items, age, the API's id, cost so far."""
    from overnight_models.ledger.operators import overview
    from overnight_workers.process import database

    if unclear:
        _unclear(as_json)
        return
    with database().transaction() as connection:
        found = overview.batches(connection, lane=lane, states=state or None, limit=limit)
    if as_json:
        console.as_json([asdict(batch) for batch in found])
        return
    if not found:
        console.OUT.print("No batches. Items wait until their lane's threshold is reached (`overnight status`).")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("batch", "lane", "state", "items", "MB", "age", "cost", "API id", "why"):
        right = title in ("batch", "items", "MB", "age", "cost")
        table.add_column(title, justify="right" if right else "left", no_wrap=title != "why")
    for batch in found:
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
        found = troubles.unclear(connection)
    if as_json:
        console.as_json([asdict(one) for one in found])
        return
    if not found:
        console.OUT.print("Nothing is unclear: of every batch it is known whether it was created.")
    for one in found:
        console.OUT.print(Text(f"batch {one.batch_id}: {one.items:,} items, workspace {one.workspace}", style="bold"))
        console.OUT.print(f"  its create: {one.why}, {one.let_go_at or one.claimed_at:%Y-%m-%d %H:%M:%S}", markup=False)
        console.OUT.print(f"  so far:     {one.so_far}", markup=False)
        console.OUT.print(f"  next:       {_next(one)}", markup=False)
        console.OUT.print(
            f"  or decide:  overnight decide {one.batch_id} --adopt ID, or --never-created", style="dim", markup=False
        )


def _next(one: UnclearView) -> str:
    if one.candidates:
        return f"{', '.join(one.candidates)} may be it: the token is read when it has ended, within 24 hours"
    if one.quiet_s > 0:
        return f"it may be listed for {spoken(one.quiet_s)} more; if no list shows it by then, it is sent again"
    return "sent again at the next look, if a whole list from its workspace doesn't show it"


_STYLES = {"unclear": "bold yellow", "rejected": "red", "failed": "red", "gone": "red", "incomplete": "yellow"}


def items(
    lane: Annotated[str | None, typer.Option(help="Only this lane's.")] = None,
    key: Annotated[str | None, typer.Option(help="Only the item of this key.")] = None,
    run: Annotated[str | None, typer.Option(help="Only this run's.")] = None,
    batch: Annotated[int | None, typer.Option(help="Only this batch's (its number in `overnight batches`).")] = None,
    state: Annotated[str | None, typer.Option(help=f"Only in this state: {', '.join(ITEM.states)}.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 30,
    as_json: Json = False,
) -> None:
    """Items: where each is, how often it was tried, what went wrong with it."""
    from overnight_models.ledger.operators import overview
    from overnight_workers.process import database

    with database().transaction() as connection:
        found = list(
            overview.items(connection, overview.Wanted(lane=lane, key=key, run=run, batch_id=batch, state=state), limit)
        )
    if as_json:
        console.as_json([{name: value for name, value in row.items() if name != "message"} for row in found])
        return
    if not found:
        console.OUT.print("No such items.")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("key", "lane", "state", "tries", "enqueued", "problem", "cost"):
        table.add_column(title, justify="right" if title in ("tries", "cost") else "left")
    for row in found:
        table.add_row(
            Text(row["key"]),
            row["lane"],
            Text(row["state"], style="red" if row["state"] == "failed" else ""),
            str(row["attempts"]),
            f"{row['enqueued_at']:%Y-%m-%d %H:%M:%S}",
            Text(f"{row['problem']}: {row['detail']}"[:80] if row["problem"] else row["held"] or ""),
            "unknown" if row["ok"] is not None and row["cost_nano"] is None else console.money(row["cost_nano"] or 0),
        )
    console.OUT.print(table)
