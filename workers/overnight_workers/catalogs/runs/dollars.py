"""What rows will cost, by why they are sent: a choice of them is rendered and planned as `overnight plan` does it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

from overnight_models import exact_json
from overnight_models.errors import PermanentError
from overnight_models.wire.outcome import dollars
from overnight_producers import Item
from overnight_producers.item import line_of
from overnight_workers.catalogs.declaration import Catalog
from overnight_workers.catalogs.diff import Diff, Reason
from overnight_workers.catalogs.faults import BadRow, TooLong
from overnight_workers.catalogs.opened import Opened
from overnight_workers.catalogs.rows import item_key
from overnight_workers.catalogs.runs.capping import check_row
from overnight_workers.catalogs.runs.longer import Lengths, Longer
from overnight_workers.catalogs.scratch import scratch
from overnight_workers.keys import api_keys
from overnight_workers.plan.figure import How, weakest
from overnight_workers.settings import settings

if TYPE_CHECKING:
    from overnight_workers.plan.plan import Plan

CHOSEN: Final = 200
"""Rows of each reason that are looked at."""
_COUNTED: Final = 50
"""So many of them are counted by the API: a call each, and what the others have more or less is part of the doubt."""


@dataclass(frozen=True)
class Dollars:
    """A sum, and between what it lies. Whole nano-dollars."""

    value: int
    low: int
    high: int
    how: How
    """How it is known, as in a plan's figures."""

    @classmethod
    def sum(cls, given: Iterable[Dollars]) -> Dollars:
        """All of them together, known as the weakest of them; the doubts are of one kind, so they add up in full."""
        all_ = list(given)
        how = weakest(*(part.how for part in all_))
        return cls(
            sum(part.value for part in all_), sum(part.low for part in all_), sum(part.high for part in all_), how
        )

    def times(self, factor: Fraction) -> Dollars:
        """As many times as much."""
        value, low, high = (round(part * factor) for part in (self.value, self.low, self.high))
        return Dollars(value, low, high, self.how)

    def document(self) -> dict[str, str]:
        """As JSON."""
        return {
            "usd": dollars(self.value),
            "low_usd": dollars(self.low),
            "high_usd": dollars(self.high),
            "how": self.how.value,
        }


@dataclass(frozen=True)
class Estimate:
    """What rows of one reason will cost, by those of them that were looked at."""

    dollars: Dollars
    unsendable: int
    """About so many of them can't become a request as they are; those that are too long aren't among them."""
    at_least: int
    """So many that can't are known: those among the rows that were looked at."""
    is_counted: bool
    """Each row was looked at."""
    why: str | None
    """The first one's fault."""
    longer: Longer | None = None
    """About so many are too long for `max_input_tokens`; None where none is."""

    def document(self) -> dict[str, object]:
        """As JSON."""
        known: dict[str, object] = {**self.dollars.document()}
        if self.unsendable:
            known |= {"unsendable": self.unsendable, "unsendable_at_least": self.at_least, "why_unsendable": self.why}
            known |= {"unsendable_how": "counted" if self.is_counted else "estimated"}
        return known | ({} if self.longer is None else {"longer": self.longer.document()})


def estimated(catalog: Catalog, source: Opened, diff: Diff) -> dict[Reason, Estimate]:
    """What the rows of each reason will cost. The rows are judged in the source's connection."""
    reasons = [reason for reason in diff.reasons if reason < Reason.LEFT]
    return {
        reason: _PAID if reason is Reason.VALID else _of(catalog, source, reason, diff.reasons[reason])
        for reason in reasons
    }


_PAID: Final = Estimate(Dollars(0, 0, 0, How.COUNTED), 0, 0, is_counted=True, why=None)
"""Of rows whose answers are there."""


def _of(catalog: Catalog, source: Opened, reason: Reason, rows: int) -> Estimate:
    # a hash is as good as a draw
    chosen = f"SELECT n, input FROM judged WHERE reason = {reason} ORDER BY n LIMIT {CHOSEN}"
    items: list[Item] = []
    faults: list[str] = []
    seen, too_long = Lengths(catalog), 0
    for row in source.rows.read(source.connection, chosen):
        try:
            request = source.rows.recipe.request(row.cells, row.variant)
            seen.note(row, request.tokens)
            check_row(catalog, request)
        except TooLong as error:
            seen.note(row, error.tokens)
            too_long += 1
            continue
        except BadRow as error:
            faults.append(str(error))
            continue
        key = item_key(catalog.name, row, request)
        # what failed is asked again and paid again: its key is known, and that makes it no cheaper
        key = f"{key}/again" if reason is Reason.FAILED else key
        items.append(Item(params=request.params, key=key, output=request.output, betas=request.betas))
    looked_at = len(items) + len(faults) + too_long
    share = Fraction(rows, max(looked_at, 1))
    longer = seen.longer(source, reason, rows, looked_at)
    cost = of_items(catalog, items).times(share)
    why = faults[0] if faults else None
    return Estimate(cost, round(len(faults) * share), len(faults), looked_at >= rows, why, longer)


def of_items(catalog: Catalog, items: Sequence[Item]) -> Dollars:
    """What items of a catalog will cost: the batch's price, as `overnight plan` has it."""
    if not items:
        return Dollars(0, 0, 0, How.COUNTED)
    with scratch() as directory:
        file = directory / "chosen.jsonl"
        with file.open("wb") as lines:
            for item in items:
                line, _ = line_of(item, redis_url=settings().redis_url)
                document = {"key": item.key, "params": line["params"], "betas": list(item.betas)}
                lines.write(exact_json.dumps(document) + b"\n")
        try:
            total = _plan(catalog, file, len(items)).costs.expected.total
        except PermanentError:
            return Dollars(0, 0, 0, How.UNKNOWN)  # none of them can be enqueued: said of each when it is sent
    return Dollars(total.value, total.low, total.high, total.how)


def _plan(catalog: Catalog, file: Path, items: int) -> Plan:
    from overnight_workers.plan.making import News, make
    from overnight_workers.plan.plan import Wish

    lane = settings().lane(catalog.lane)
    is_offline = not api_keys.has_key(lane.workspace, settings().workspaces[lane.workspace])
    wish = Wish(file=file, lane=catalog.lane, sample=min(items, _COUNTED), offline=is_offline)
    return make(wish, News(), datetime.now(UTC))
