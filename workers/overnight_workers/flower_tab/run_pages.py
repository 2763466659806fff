"""Runs and schedules: named groups of items, runs of catalogs, and when catalogs run by themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from overnight_models.ledger.catalogs import runs, schedules
from overnight_models.ledger.catalogs.runs import Run as CatalogRun
from overnight_models.ledger.catalogs.schedules import Schedule, Time
from overnight_models.ledger.operators import run_list
from overnight_models.ledger.operators.run_list import RunView
from overnight_models.states import CATALOG_RUN
from overnight_workers.catalogs.runs.forecast import Forecast, forecast
from overnight_workers.flower_tab.now_page import comes
from overnight_workers.flower_tab.page import Page

_ON_A_PAGE: Final = 30
_LAST_TIMES: Final = 3


@dataclass(frozen=True)
class Runs:
    """What the page shows."""

    runs: Sequence[RunView]
    older: int | None
    of_catalogs: Sequence[CatalogRun]
    forecasts: Mapping[int, Forecast]
    """Of runs that aren't over, by their ids."""
    schedules: Sequence[tuple[Schedule, Sequence[Time]]]


class RunsPage(Page):
    """`/runs`: `prefix` narrows the names down."""

    tab = "runs"

    async def answer(self, *parts: str) -> None:
        """Runs from the newest back; those of catalogs and their schedules on the first page."""
        del parts
        prefix, before = self.words("prefix").get("prefix", ""), self.number("before")
        before = None if before is None else min(before, 2**31 - 1)
        rows = await self.ask(lambda connection: _read(connection, prefix, before))
        self.show(
            "runs.html",
            found=rows,
            prefix=prefix,
            is_first=before is None,
            older=None if rows.older is None else self.link("runs", prefix=prefix, before=rows.older),
            comes=comes,
            CATALOG_RUN=CATALOG_RUN,
        )


def _read(connection: Connection, prefix: str, before: int | None) -> Runs:
    views, older = run_list.page(connection, prefix=prefix, before=before, limit=_ON_A_PAGE)
    if before is not None:
        return Runs(views, older, (), {}, ())
    kept = schedules.schedules(connection)
    times = [(schedule, schedules.last_times(connection, schedule.catalog_id, _LAST_TIMES)) for schedule in kept[:50]]
    of_catalogs = runs.runs(connection, limit=_ON_A_PAGE)
    ends = {run.id: forecast(connection, run) for run in of_catalogs if not run.is_over}
    return Runs(views, older, of_catalogs, {run: end for run, end in ends.items() if end is not None}, times)
