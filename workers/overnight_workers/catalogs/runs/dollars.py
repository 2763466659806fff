"""What rows will cost, by why they are sent: a choice of them is rendered and planned as `overnight plan` does it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Final

from overnight_models import exact_json
from overnight_models.errors import PermanentError
from overnight_models.wire.outcome import dollars
from overnight_producers import Item
from overnight_producers.item import line_of
from overnight_workers.catalogs.declaration import Catalog
from overnight_workers.catalogs.diff import PAID, Diff, Reason
from overnight_workers.catalogs.faults import BadRow, TooLong
from overnight_workers.catalogs.interval import wilson
from overnight_workers.catalogs.learning import NEVER_AGAIN, Again, Alike
from overnight_workers.catalogs.opened import Opened
from overnight_workers.catalogs.rows import item_key
from overnight_workers.catalogs.runs.capping import check_row
from overnight_workers.catalogs.runs.longer import Lengths, Longer
from overnight_workers.catalogs.scratch import scratch
from overnight_workers.keys import api_keys
from overnight_workers.plan.figure import How, weakest
from overnight_workers.plan.sampling import t_quantile
from overnight_workers.settings import settings

if TYPE_CHECKING:
    from overnight_workers.plan.plan import Plan

CHOSEN: Final = 200
"""Rows of each reason that are looked at."""
_PILOT_DOUBT: Final = Fraction(5, 100)
"""So much above its limit a pilot of 200 rows may have, and pass."""
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

    def words(self, is_length_known: bool) -> str:
        """For a person: the sum, how sure it is, and that it isn't known where no such answer came yet."""
        low, high = dollars(self.low), dollars(self.high)
        if self.how is How.UNKNOWN:
            return f"at least ${low}, and nobody knows how much more"
        if not is_length_known:
            return f"not known yet, between ${low} and ${high}"
        return f"about ${dollars(self.value)} (between ${low} and ${high})"

    def document(self) -> dict[str, str]:
        """As JSON."""
        return {
            "usd": dollars(self.value),
            "low_usd": dollars(self.low),
            "high_usd": dollars(self.high),
            "how": self.how.value,
        }


@dataclass(frozen=True)
class Priced:
    """What some items will cost."""

    dollars: Dollars
    input_nano: int
    """Of that, for what goes in."""
    known: int
    """Items that are there already, and cost nothing again."""
    basis: str
    """How it is known how long answers get, in words; empty where none is to be paid."""
    is_length_known: bool = True
    """Something has answered what is asked."""

    def words(self, items: int) -> str:
        """For a person. items: how many they are."""
        if self.known >= items:
            return "nothing, since all of them were asked before"
        before = f"; {self.known:,} of them were asked before, and cost nothing" if self.known else ""
        is_told = self.basis and (self.dollars.how is How.UNKNOWN or not self.is_length_known)
        return f"{self.dollars.words(self.is_length_known)}{f' ({self.basis})' if is_told else ''}{before}"


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
    basis: str = ""
    """How it is known how long answers get, in words."""
    asked_before: int = 0
    """About so many are there already, and cost nothing."""
    asked_at_least: int = 0
    """At least so many of these are, by the interval of 95%."""
    is_length_known: bool = True
    """Something has answered what is asked."""

    def document(self) -> dict[str, object]:
        """As JSON."""
        known: dict[str, object] = {**self.dollars.document()}
        known |= {"answers": self.basis, "length_known": self.is_length_known} if self.basis else {}
        if self.asked_before:
            known |= {"asked_before": self.asked_before, "asked_before_at_least": self.asked_at_least}
        if self.unsendable:
            known |= {"unsendable": self.unsendable, "unsendable_at_least": self.at_least, "why_unsendable": self.why}
            known |= {"unsendable_how": "counted" if self.is_counted else "estimated"}
        return known | ({} if self.longer is None else {"longer": self.longer.document()})


def estimated(catalog: Catalog, source: Opened, diff: Diff, past: Alike) -> dict[Reason, Estimate]:
    """What the rows of each reason will cost. The rows are judged in the source's connection.

    past: earlier answers to what the catalog asks.
    """
    reasons = [reason for reason in diff.reasons if reason < Reason.LEFT]
    return {
        reason: _PAID if reason in PAID else _of(catalog, source, reason, diff.reasons[reason], past)
        for reason in reasons
    }


_PAID: Final = Estimate(Dollars(0, 0, 0, How.COUNTED), 0, 0, is_counted=True, why=None)
"""Of rows whose answers are there."""


def _of(catalog: Catalog, source: Opened, reason: Reason, rows: int, past: Alike) -> Estimate:
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
    priced = of_items(catalog, items, past)
    cost = _with_doubt(priced.dollars, _share_doubt(items, rows) * priced.input_nano).times(share)
    if not priced.is_length_known:
        cost = replace(cost, high=round(cost.high * _asked_again(catalog, rows)))
    why = faults[0] if faults else None
    return Estimate(
        cost,
        round(len(faults) * share),
        len(faults),
        looked_at >= rows,
        why,
        longer,
        priced.basis,
        round(priced.known * share),
        priced.known if looked_at >= rows else int(rows * wilson(priced.known, looked_at)[0]),
        priced.is_length_known,
    )


def _asked_again(catalog: Catalog, rows: int) -> Fraction:
    """How much more rows may cost that nobody knows anything of, since some are asked again with twice the room.

    More than a pilot lets pass stop the run; without one it may be every row.
    """
    has_pilot = 0 < catalog.pilot.rows < rows
    share = min(Fraction(catalog.pilot.max_problems) + _PILOT_DOUBT, Fraction(1)) if has_pilot else Fraction(1)
    return 1 + 2 * share


def _share_doubt(items: Sequence[Item], rows: int) -> float:
    """How far the mean length of some prompts may be from that of all, as a share of it: half of the 95% interval."""
    sizes = [len(exact_json.dumps(item.params.get("messages"))) for item in items]
    if not 1 < len(sizes) < rows:
        return 0.0
    return t_quantile(len(sizes) - 1) * stdev(sizes) / fmean(sizes) * math.sqrt((1 - len(sizes) / rows) / len(sizes))


def _with_doubt(dollars: Dollars, doubt: float) -> Dollars:
    """The same, with another doubt that has nothing to do with those it has."""
    low, high = (round(math.hypot(dollars.value - bound, doubt)) for bound in (dollars.low, dollars.high))
    return replace(dollars, low=max(dollars.value - low, 0), high=dollars.value + high)


def of_items(catalog: Catalog, items: Sequence[Item], past: Alike) -> Priced:
    """What items of a catalog will cost: the batch's price, as `overnight plan` has it.

    past: earlier answers to what they ask; how often these were asked again is in the price.
    """
    if not items:
        return Priced(Dollars(0, 0, 0, How.COUNTED), 0, 0, "")
    with scratch() as directory:
        file = directory / "chosen.jsonl"
        with file.open("wb") as lines:
            for item in items:
                line, _ = line_of(item, redis_url=settings().redis_url)
                document = {"key": item.key, "params": line["params"], "betas": list(item.betas)}
                lines.write(exact_json.dumps(document) + b"\n")
        try:
            plan = _plan(catalog, file, len(items), past)
        except PermanentError:
            # none of them can be enqueued: said of each when it is sent
            return Priced(Dollars(0, 0, 0, How.UNKNOWN), 0, 0, "")
    column = plan.costs.expected
    once = Dollars(column.total.value, column.total.low, column.total.high, column.total.how)
    basis = "; ".join(sorted(set(plan.tokens_out.basis.values())))
    is_known = plan.tokens_out.total.how is not How.ASSUMED
    if plan.survey.unpriced:
        once = replace(once, how=How.UNKNOWN)
        basis = "; ".join([f"the price list has no {', '.join(plan.survey.unpriced)}", *([basis] if basis else [])])
    return Priced(
        _tried_again(once, past.again), round(column.input.value * past.again.value), plan.survey.known, basis, is_known
    )


def _tried_again(once: Dollars, again: Again) -> Dollars:
    """With the answers that are asked for again."""
    if again == NEVER_AGAIN:
        return once
    value, low, high = round(once.value * again.value), round(once.low * again.least), round(once.high * again.most)
    return Dollars(value, low, high, weakest(once.how, How.LEARNED))


def _plan(catalog: Catalog, file: Path, items: int, past: Alike) -> Plan:
    from overnight_workers.plan.making import News, make
    from overnight_workers.plan.plan import Wish

    lane = settings().lane(catalog.lane)
    is_offline = not api_keys.has_key(lane.workspace, settings().workspaces[lane.workspace])
    sample = min(items, _COUNTED)
    wish = Wish(file=file, lane=catalog.lane, sample=sample, offline=is_offline, alike=past.by_model)
    return make(wish, News(), datetime.now(UTC))
