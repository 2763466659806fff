"""Problems: what outcomes that aren't ok say, grouped; as `overnight errors` has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from overnight_models.ledger.operators import problems
from overnight_models.ledger.operators.problems import ProblemTotal, Which
from overnight_models.wire.outcome import Problem
from overnight_workers.flower_tab.faults import Fault
from overnight_workers.flower_tab.page import Page
from overnight_workers.operators import filters, fingerprints, moments
from overnight_workers.operators.fingerprints import ErrorGroup

_WORDS: Final = ("lane", "run", "problem", "since")
_MOST_GROUPS: Final = 50


class ProblemsPage(Page):
    """`/problems`: the newest problems of a filter by what they say, page by page."""

    tab = "problems"

    async def answer(self, *parts: str) -> None:
        """The page that the URL's query names: of one window, or of so many outcomes as `look_at` says."""
        del parts
        asked, before = self.words(*_WORDS), self.number("before")
        look_at = min(self.number("look_at") or problems.WINDOW, problems.MOST)
        lane, run, problem = asked.get("lane"), asked.get("run"), asked.get("problem")
        try:
            since = moments.moment(asked["since"], "since") if "since" in asked else None
        except ValueError as error:
            raise Fault(400, "That isn't there", str(error)) from error
        if since is not None:
            asked["since"] = moments.written(since)
        database = self.application.reader.database
        await self.application.reader.do(lambda: filters.check(lane=lane, run=run, problem=problem, ledger=database))
        which = Which(lane, run, problem, since)
        said, totals = await self.ask(
            lambda connection: (
                problems.said(connection, which, before=before, look_at=look_at),
                problems.totals(connection),
            )
        )
        groups = fingerprints.grouped(said.problems)
        self.show(
            "problems.html",
            asked=asked,
            groups=groups[:_MOST_GROUPS],
            left=len(groups[_MOST_GROUPS:]),
            said=said,
            looked_at=fingerprints.looked_at(said, totals, run, is_first=before is None),
            totals=[] if run else _by_problem(totals, lane),
            items=sum(group.n for group in groups),
            problems=tuple(Problem),
            is_first=before is None,
            older=None if said.before is None else self._looked(asked, said.before, look_at),
            more=None
            if said.before is None or look_at == problems.MOST
            else self._looked(asked, before, problems.MOST),
            most=problems.MOST,
            newest=self._newest,
        )

    def _looked(self, asked: Mapping[str, str], before: int | None, look_at: int) -> str:
        """The address of the same, from there back, of so many outcomes."""
        said = None if look_at == problems.WINDOW else look_at
        return self.link("problems", **asked, before=before, look_at=said)

    def _newest(self, group: ErrorGroup) -> str:
        """The address of a group's items: all of them, or the newest."""
        return self.link("items", ids=",".join(map(str, group.newest_items)))


def _by_problem(totals: Iterable[ProblemTotal], lane: str | None) -> list[tuple[str, int]]:
    """How many had each problem so far, in a lane or in all of them; the most frequent first."""
    counted: Counter[str] = Counter()
    for total in totals:
        if lane in (None, total.lane):
            counted[total.problem] += total.n
    return counted.most_common()
