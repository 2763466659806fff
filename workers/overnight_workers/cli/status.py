"""`overnight status`: what is where, and since when, lane by lane; and which command shows more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from overnight_models.quantities import spoken
from overnight_models.states import BATCH
from overnight_workers.cli import console

if TYPE_CHECKING:
    from overnight_models.ledger.operators.overview import LaneView
    from overnight_workers.operators.snapshot import Snapshot


_COLUMNS: Final = (
    "lane", "waiting", "oldest", "held", "batched", "direct", "done", "failed", "to deliver", "billed", "saved",
)  # fmt: skip


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Stay, and look again every second.")] = False,
) -> None:
    """Items, batches and deliveries by state, per lane, and how long the oldest item has waited."""
    import time

    if as_json:
        console.as_json(_document(_seen()))
        return
    if not watch:
        console.OUT.print(_page(_seen()))
        return
    with Live(_page(_seen()), console=console.OUT, refresh_per_second=4) as live:
        while True:
            time.sleep(1)  # a page that is looked at, once a second
            live.update(_page(_seen()))


def _seen() -> Snapshot:
    from overnight_workers.operators.snapshot import take_snapshot
    from overnight_workers.process import database, redis_client

    return take_snapshot(database(), redis_client())


def _document(seen: Snapshot) -> dict[str, object]:
    from overnight_workers.operators import documents, limits_used
    from overnight_workers.settings import settings

    lanes = seen.lanes
    return {
        "alarms": [documents.alarm(alarm) for alarm in seen.alarms(settings())],
        "lanes": {lane.lane: documents.lane(lane) for lane in lanes},
        "items": _added(lane.items for lane in lanes),
        "batches": _added(lane.batches for lane in lanes),
        "deliveries": _added(lane.deliveries for lane in lanes),
        "oldest_waiting_s": max((lane.oldest_waiting_s or 0 for lane in lanes), default=None) or None,
        "limited": [f"{limit.model} of {limit.workspace}, {limit.why}" for limit in seen.troubles.limited],
        "limits": limits_used.documents(seen),
        "held_workspaces": {
            workspace.name: workspace.held_reason for workspace in seen.workspaces if workspace.held_for_s is not None
        },
        **documents.money(sum(lane.cost_nano for lane in lanes), sum(lane.realtime_nano for lane in lanes)),
    }


def _added(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in parts:
        for state, n in part.items():
            total[state] = total.get(state, 0) + n
    return total


def _page(seen: Snapshot) -> RenderableType:
    from overnight_workers.operators import limits_used, words
    from overnight_workers.settings import settings

    parts: list[RenderableType] = []
    for alarm in seen.alarms(settings()):
        parts.append(Text(alarm.text, style="bold red" if alarm.urgent else "yellow"))
        parts.append(Text(f"  → {alarm.do}", style="dim"))
    if not seen.lanes:
        parts.append(Text("Nothing was ever enqueued: `overnight enqueue FILE` or the product's own code does that."))
        return Group(*parts)
    parts.append(_table(seen.lanes))
    parts.extend(Text(f"{lane.lane}: {words.deadlines(lane)}") for lane in seen.lanes if any(lane.deadlines))
    parts.extend(
        Text(f"waits for its rate limit: {limit.model} of {limit.workspace}, {limit.why}")
        for limit in seen.troubles.limited
    )
    parts.extend(Text(view.text) for view in limits_used.limits(seen) if view.is_at_work)
    at_work = {state: n for state, n in _added(lane.batches for lane in seen.lanes).items() if state not in BATCH.final}
    parts.append(Text("batches: " + (", ".join(f"{n:,} {state}" for state, n in at_work.items()) or "none at work")))
    leads = (lead for lane in seen.lanes for lead in words.leads(lane))
    parts.extend(Text(f"{lead.text} → {lead.command}", style="dim") for lead in leads)
    return Group(*parts)


def _table(lanes: Iterable[LaneView]) -> Table:
    from overnight_workers.operators import words

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in _COLUMNS:
        table.add_column(title, justify="left" if title == "lane" else "right", no_wrap=title != "lane")
    for lane in lanes:
        items = lane.items
        due, dead = words.due(lane), lane.deliveries.get("dead", 0)
        failed, held = items.get("failed", 0), items.get("held", 0)

        table.add_row(
            Text(lane.lane)
            if lane.paused_reason is None
            else Text(f"{lane.lane} (paused: {lane.paused_reason})", style="yellow"),
            f"{items.get('waiting', 0):,}",
            "-" if lane.oldest_waiting_s is None else spoken(lane.oldest_waiting_s),
            Text(f"{held:,}", style="yellow" if held else ""),
            f"{items.get('batched', 0) + items.get('racing', 0):,}",
            f"{items.get('direct', 0):,}",
            f"{items.get('succeeded', 0):,}",
            Text(f"{failed:,}", style="red" if failed else ""),
            Text(f"{due:,}" + (f" + {dead:,} dead" if dead else ""), style="red" if dead else ""),
            console.billed(lane.cost_nano, lane.unpriced),
            console.money(lane.realtime_nano - lane.cost_nano),
        )
    return table
