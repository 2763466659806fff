"""Money: what was billed, by lane, tenant, model, run or day, with plots; plans beside bills; budgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, cast, get_args

from sqlalchemy import Connection

from overnight_models.ledger.money import costs
from overnight_models.ledger.money.budgets import BudgetView, budgets
from overnight_models.ledger.money.costs import By, Costs, MaybeBilled
from overnight_models.ledger.operators import run_list
from overnight_models.ledger.operators.run_list import PlanView
from overnight_models.quantities import cents
from overnight_workers.flower_tab.faults import Fault
from overnight_workers.flower_tab.page import Page
from overnight_workers.flower_tab.plots import Bar, plot

_DAYS: Final = (1, 7, 30, 90)
_MOST_ROWS: Final = 200


@dataclass(frozen=True)
class Money:
    """What the page shows."""

    parts: Sequence[Costs]
    days: Sequence[Costs]
    maybe: MaybeBilled
    plans: Sequence[PlanView]
    budgets: Sequence[BudgetView]


class MoneyPage(Page):
    """`/money`: `by` says how the bill is divided, `days` how far back."""

    tab = "money"

    async def answer(self, *parts: str) -> None:
        """The bill, from sums that are kept."""
        del parts
        by, days = self._asked()
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        since = midnight - timedelta(days=days - 1)
        money = await self.ask(lambda connection: _read(connection, by, since))
        self.show(
            "money.html",
            by=by,
            days=days,
            kinds=get_args(By),
            spans=_DAYS,
            money=money,
            rows=money.parts[:_MOST_ROWS],
            total=costs.total(list(money.parts)),
            plot=plot(_bars(money.days, since.date(), days)),
        )

    def _asked(self) -> tuple[By, int]:
        said = self.words("by", "days")
        by, days = said.get("by", "lane"), said.get("days", "7")
        if by not in get_args(By):
            raise Fault(400, "That isn't there", f"money is shown by {', '.join(get_args(By))}, and not by {by!r}")
        if days not in map(str, _DAYS):
            raise Fault(400, "That isn't there", f"days are {', '.join(map(str, _DAYS))}, and not {days!r}")
        return cast("By", by), int(days)


def _read(connection: Connection, by: By, since: datetime) -> Money:
    days = costs.costs(connection, "day", since)
    return Money(
        days if by == "day" else costs.costs(connection, by, since),
        days,
        costs.maybe_billed(connection, since),
        run_list.planned(connection),
        budgets(connection),
    )


def _bars(days: Sequence[Costs], first: date, number: int) -> list[Bar]:
    """One for each day, those without a bill among them."""
    known = {day.name: day for day in days}
    bars = []
    for place in range(number):
        name = (first + timedelta(days=place)).isoformat()
        day = known.get(name, Costs(name))
        title = f"{name}: {cents(day.cost_nano)} billed, {cents(day.realtime_nano)} in real time"
        bars.append(
            Bar(name[5:], day.cost_nano, day.realtime_nano, cents(day.cost_nano) if day.cost_nano else "", title)
        )
    return bars
