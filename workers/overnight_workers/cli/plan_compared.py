"""A kept plan beside the bill of its run."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from overnight_models.ledger.money.plans import Kept, Range
from overnight_models.quantities import cents, several


def compared(kept: Kept) -> RenderableType:
    """What was estimated, what was billed, and whether the truth lay within the interval."""
    estimates, billed = kept.estimates, kept.billed
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for head in ("", "estimate", "interval", "bill", "off by", ""):
        table.add_column(head, justify="left" if not head else "right")
    shown: dict[str, tuple[Range, int, Callable[[int], str]]] = {
        "tokens in": (estimates.tokens_in, billed.tokens_in, "{:,}".format),
        "tokens out": (estimates.tokens_out, billed.tokens_out, "{:,}".format),
        "cost": (estimates.cost_nano, billed.cost_nano, cents),
    }
    for name, (estimate, bill, as_text) in shown.items():
        inside = estimate.low <= bill <= estimate.high
        table.add_row(
            name,
            as_text(estimate.value),
            f"{as_text(estimate.low)} to {as_text(estimate.high)}",
            as_text(bill),
            f"{(estimate.value - bill) / bill:+.1%}" if bill else "",
            Text("inside", style="green") if inside else Text("outside", style="yellow"),
        )
    title = (
        f"run {kept.run}: {several(estimates.items, 'item')} planned on {kept.made_at.astimezone():%Y-%m-%d %H:%M %Z}"
    )
    news = [f"{several(billed.items, 'answer')} billed"]
    news += [f"{several(kept.unfinished, 'item')} not final yet"] if kept.unfinished else []
    news += [f"{kept.missing:,} planned items aren't in the run"] if kept.missing else []
    return Group(Text(title, style="bold"), table, Text(", ".join(news), style="dim"))
