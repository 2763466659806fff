"""Problems: what outcomes that aren't ok say, grouped; as `overnight errors` has them."""

from __future__ import annotations

from typing import Final

from overnight_models.ledger.operators import problems
from overnight_models.ledger.operators.problems import Which
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
        """The page that the URL's query names. It is looked for as long as the command looks."""
        del parts
        asked, before = self.words(*_WORDS), self.number("before")
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
        said = await self.ask(lambda connection: problems.said(connection, which, before=before))
        groups = fingerprints.grouped(said.problems)
        self.show(
            "problems.html",
            asked=asked,
            groups=groups[:_MOST_GROUPS],
            left=len(groups[_MOST_GROUPS:]),
            said=said,
            items=sum(group.n for group in groups),
            problems=tuple(Problem),
            is_first=before is None,
            older=None if said.before is None else self.link("problems", **asked, before=said.before),
            newest=self._newest,
        )

    def _newest(self, group: ErrorGroup) -> str:
        """The address of a group's items: all of them, or the newest."""
        return self.link("items", ids=",".join(map(str, group.newest_items)))
