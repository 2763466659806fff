"""`overnight status` as it is printed, and the short way to it: without SQLAlchemy, redis-py and the command line.

A script or a probe may ask every minute, so what is printed anywhere but on a terminal imports no more than it needs.
On a terminal rich prints the same page.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import orjson

from overnight_models.errors import OvernightError
from overnight_models.quantities import billed, money, spoken
from overnight_models.states import BATCH
from overnight_workers.operators import documents, limits_used, snapshot, words
from overnight_workers.operators.redis_look import look
from overnight_workers.settings import Settings, settings

if TYPE_CHECKING:
    from rich.console import RenderableType

    from overnight_models.ledger.operators.overview import LaneView
    from overnight_workers.operators.snapshot import Snapshot

COLUMNS: Final = (
    "lane", "waiting", "oldest", "held", "batched", "direct", "done", "failed", "to deliver", "billed", "saved",
)  # fmt: skip
_GAP: Final = "  "

Styled: TypeAlias = tuple[str, str]
"""A text, and rich's name of its style; '' for none."""


class Page(NamedTuple):
    """What stands above the table of lanes, its rows without their heads, and what stands below."""

    above: list[Styled]
    rows: list[list[Styled]]
    below: list[Styled]


def page(seen: Snapshot) -> Page:
    """What is where, and since when; and which command shows more."""
    above = []
    for alarm in seen.alarms(settings()):
        above.append((alarm.text, "bold red" if alarm.urgent else "yellow"))
        above.append((f"  → {alarm.do}", "dim"))
    if not seen.lanes:
        above.append(
            ("Nothing was ever enqueued: `overnight enqueue FILE` or the product's own code does that.", ""),
        )
        return Page(above, [], [])
    below = [(f"{lane.lane}: {words.deadlines(lane)}", "") for lane in seen.lanes if any(lane.deadlines)]
    below += [
        (f"waits for its rate limit: {limit.model} of {limit.workspace}, {limit.why}", "")
        for limit in seen.troubles.limited
    ]
    below += [(view.text, "") for view in limits_used.limits(seen) if view.is_at_work]
    at_work = {state: n for state, n in _added(lane.batches for lane in seen.lanes).items() if state not in BATCH.final}
    below.append(("batches: " + (", ".join(f"{n:,} {state}" for state, n in at_work.items()) or "none at work"), ""))
    below += [(f"{lead.text} → {lead.command}", "dim") for lane in seen.lanes for lead in words.leads(lane)]
    return Page(above, [_row(lane) for lane in seen.lanes], below)


def _row(lane: LaneView) -> list[Styled]:
    items, deliveries_dead = lane.items, lane.deliveries.get("dead", 0)
    failed, held = items.get("failed", 0), items.get("held", 0)
    paused, dead = lane.paused_reason, f" + {deliveries_dead:,} dead" if deliveries_dead else ""
    return [
        (lane.lane, "") if paused is None else (f"{lane.lane} (paused: {paused})", "yellow"),
        (f"{items.get('waiting', 0):,}", ""),
        ("-" if lane.oldest_waiting_s is None else spoken(lane.oldest_waiting_s), ""),
        (f"{held:,}", "yellow" if held else ""),
        (f"{items.get('batched', 0) + items.get('racing', 0):,}", ""),
        (f"{items.get('direct', 0):,}", ""),
        (f"{items.get('succeeded', 0):,}", ""),
        (f"{failed:,}", "red" if failed else ""),
        (f"{words.due(lane):,}{dead}", "red" if dead else ""),
        (billed(lane.cost_nano, lane.unpriced), ""),
        (money(lane.realtime_nano - lane.cost_nano), ""),
    ]


def plain(shown: Page) -> Iterator[str]:
    """The page in lines, without colours."""
    yield from (text for text, _ in shown.above)
    if shown.rows:
        rows = [list(COLUMNS), *([text for text, _ in row] for row in shown.rows)]
        widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
        for lane, *numbers in rows:
            padding = " " * (widths[0] - _width(lane))
            yield _GAP.join([lane + padding, *map(str.rjust, numbers, widths[1:])])
    yield from (text for text, _ in shown.below)


def _width(text: str) -> int:
    """In columns of a terminal, of which a Chinese character takes two."""
    if text.isascii():
        return len(text)
    from unicodedata import east_asian_width

    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def styled(shown: Page) -> RenderableType:
    """The page for a terminal."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in COLUMNS:
        table.add_column(title, justify="left" if title == "lane" else "right", no_wrap=title != "lane")
    for row in shown.rows:
        table.add_row(*(Text(text, style=style) for text, style in row))
    above, below = ([Text(text, style=style) for text, style in part] for part in (shown.above, shown.below))
    return Group(*above, *([table] if shown.rows else []), *below)


def document(seen: Snapshot) -> dict[str, object]:
    """The same for a script."""
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


def main(words_given: Sequence[str]) -> int | None:
    """`overnight status`; the exit code. None: these words, or what is wrong, are for the whole command line."""
    if words_given not in ([], ["--json"]):
        return None
    try:
        current = settings()
        seen = _seen(current) if current.database_url and current.redis_url else None
    except OvernightError:
        return None
    if seen is None:
        return None
    if words_given:
        option = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        sys.stdout.write(orjson.dumps(document(seen), option=option, default=str).decode())
    elif sys.stdout.isatty():
        from rich.console import Console

        Console(highlight=False).print(styled(page(seen)))
    else:
        print("\n".join(plain(page(seen))))
    return 0


def _seen(current: Settings) -> Snapshot:
    """Raises NotReadSimply."""
    from overnight_models.ledger.bodies import encryption
    from overnight_models.ledger.plain_snapshot import plain_snapshot
    from overnight_workers.keys.encryption_keys import ConfiguredKeys

    redis = look(current)
    writes = redis.health.takes_writes
    said = snapshot.InRedis(redis.health, redis.policy, (), redis.signs if writes else None)
    if redis.has_limits and writes:
        from overnight_workers import limiter  # asks by redis-py

        said = said._replace(limits=tuple(limiter.use()))
    with plain_snapshot(current.database_url, encryption.options(ConfiguredKeys())) as connection:
        return snapshot.read_snapshot(connection, said)
