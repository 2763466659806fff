"""Each act of the pages, clicked on one lane of an installation; ledger, *Actions* and meter are read afterwards."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import httpx2

from overnight_models.embedded_urls import read_urls
from overnight_models.quantities import NANO_PER_DOLLAR
from overnight_producers import Overnight
from tests.faults.installed import Installed
from tests.faults.orders import Meter, items_of
from tests.tour.hands import Hands
from tests.waiting import wait_until

WHO: Final = "ann"
_DOLLARS: Final = r"\$([\d.]+)"
_VIEWS: Final = ((1400, "light"), (1400, "dark"), (420, "light"), (420, "dark"))
_WAIT_S: Final = 900.0
_FOR_AN_ABORT: Final = 20_000
"""Of fewer an act is over before somebody has pressed the button."""
_UNCLEAR: Final = 3


class Stops:
    """One lane, with so many rows, and the person who acts on it.

    pictures: where each page is kept in two widths and both themes; None: nowhere.
    """

    def __init__(self, overnight: Installed, hands: Hands, lane: str, rows: int, pictures: Path | None) -> None:
        self.overnight, self.hands, self.lane, self.rows = overnight, hands, lane, rows
        self._pictures = pictures

    # --- what is read beside the pages ------------------------------------------------------------------------------

    def states(self, lane: str = "") -> dict[str, int]:
        """The lane's items by state, counted one by one; those of another try aren't in it."""
        rows = self.overnight.rows(
            "SELECT state, count(*) AS n FROM item JOIN lane ON lane.id = lane_id"
            " WHERE name = %s AND state <> 'redone' GROUP BY state",
            lane or self.lane,
        )
        return {row["state"]: row["n"] for row in rows}

    def action(self, name: str, **expected: object) -> None:
        """The newest of *Actions* is this one, and says the same as was said before it was done."""
        (row,) = self.overnight.rows("SELECT * FROM action ORDER BY id DESC LIMIT 1")
        wanted = {"name": name, "actor": WHO, "via": "flower"} | expected
        assert {word: row[word] for word in wanted} == wanted

    def meter(self, lane: str = "") -> Meter:
        """What the API accepted and billed of the lane's workspace."""
        return self.overnight.meter(f"wrkspc_sandbox_{lane or self.lane}")

    def billed(self, lane: str = "") -> int:
        """Nano-dollars that the ledger says were billed."""
        return self.overnight.number(
            "SELECT coalesce(sum(bill.cost_nano), 0)::bigint AS nano FROM bill JOIN item ON item.id = bill.item_id"
            " JOIN lane ON lane.id = item.lane_id WHERE lane.name = %s",
            lane or self.lane,
        )

    def enqueue(self, lane: str, items: int, run: str) -> None:
        """A product hands them over, and sees them confirmed."""
        overnight = Overnight(read_urls(self.overnight.data_dir)["redis_url"])
        try:
            sent = overnight.enqueue_confirmed(items_of(run, items, f"shop-{run}"), lane=lane, run=run, timeout=_WAIT_S)
        finally:
            overnight.close()
        assert sent.accepted == items

    async def picture(self, name: str) -> None:
        """Keep the page as it is now."""
        if self._pictures is None:
            return
        self._pictures.mkdir(parents=True, exist_ok=True)
        for width, theme in _VIEWS:
            await self.hands.browser.resize(width, theme)
            await self.hands.browser.picture(self._pictures / f"{self.lane}-{name}-{width}-{theme}.png")
        await self.hands.browser.resize(self.hands.width, self.hands.theme)

    # --- what a person does -----------------------------------------------------------------------------------------

    async def confirm(self, picture: str, button: str, words: Mapping[str, str] | None = None) -> str:
        """Look at what an act would do, say why, and let it be done. Returns what was said before."""
        page_text = await self.hands.text()
        await self.picture(picture)
        for label, text in {**(words or {}), "Why, for whoever looks later": f"tour: {picture}"}.items():
            await self.hands.write(label, text)
        await self.hands.press(button)
        return page_text

    async def _refused(self, act: str, page_text: str) -> None:
        """The list offers nothing, and the act's own page, by a colleague's link, says why not and has no button."""
        assert not await self.hands.has("Cancel…")
        text = await self.hands.open(f"/act?name={act}&lane={self.lane}")
        await self.picture(f"{act}-nothing")
        assert page_text in text, text
        assert "Nothing is done." in text, text

    async def pause(self) -> None:
        """A lane is paused before its rows come: they are accepted, and wait. A cap of nothing would hold them."""
        self.overnight.command("budget", "--lane", self.lane, "--day", "0")
        await self.hands.open("/now")
        await self.hands.press("Lanes")
        await self.hands.press("Pause…", self.lane)
        page_text = await self.confirm("pause", "Pause it")
        assert "0 items wait in it" in page_text
        self.action("pause", reason="tour: pause")
        self.enqueue(self.lane, self.rows, f"tour-{self.rows}")
        wait_until(lambda: self.states() == ({"waiting": self.rows} if self.rows else {}), _WAIT_S, what=self.states)
        assert self.meter().creates == 0

    async def cancel_all(self) -> None:
        """All that fit a filter are taken back; of many the half of it is aborted on the way."""
        await self._list_of_the_lane()
        if not self.rows:
            await self._refused("cancel", "Nothing that fits is unfinished")
            return
        await self.hands.press("Cancel…", "All that fit the filter")
        page_text = await self.confirm("cancel", "Take them back")
        most_nano = nano(f"that saves {_DOLLARS} at the most", page_text)
        assert f"{self.rows:,} item{'s' if self.rows > 1 else ''} not sent yet" in page_text
        is_aborted = self.rows >= _FOR_AN_ABORT
        if is_aborted:
            assert "Under way" in await self.hands.until_it_says(",000 items done")
            await self.picture("under-way")
            await self.hands.press("Abort it")
            page_text = await self.hands.until_it_says(f"Aborted by {WHO}")
        else:
            page_text = await self.hands.until_it_says("Done")
        await self.picture("aborted" if is_aborted else "done")
        done = int(matched(r"([\d,]+) items? done", page_text).replace(",", ""))
        left = self.rows - done
        assert (left > 0) == is_aborted
        assert self.states() == {"canceled": done} | ({"waiting": left} if left else {})
        by = WHO if is_aborted else None
        self.action("cancel", items=self.rows, done=done, most_nano=most_nano, aborted_by=by)

    async def try_again(self) -> None:
        """What was taken back is tried again, all of it."""
        await self._list_of_the_lane()
        if not self.rows:
            await self._refused("redo", "Nothing failed or was canceled that fits")
            return
        await self.hands.press("Try again…", "All that fit the filter")
        canceled = self.states()["canceled"]
        page_text = await self.confirm("redo", "Try them again")
        assert f"{canceled:,} item{'s' if canceled > 1 else ''}: their last tries were billed $0;" in page_text
        most_nano = nano(f"another costs {_DOLLARS} at the most", page_text)
        await self.hands.until_it_says("Done", _WAIT_S)
        assert self.states() == {"waiting": self.rows}
        self.action("redo", items=canceled, done=canceled, most_nano=most_nano)

    async def cancel_selected(self) -> int:
        """Rows that are ticked are taken back, and no other. Returns how many."""
        names = [f"tour-{self.rows}-{number}" for number in range(min(self.rows, 2))]
        if not names:
            return 0
        await self._list_of_the_lane()
        listed = await self.hands.text()
        shown = [name for name in re.findall(rf"\btour-{self.rows}-\d+\b", listed) if "waiting" in listed]
        names = list(dict.fromkeys(shown))[: len(names)]
        for name in names:
            await self.hands.tick(f"Select {name}")
        await self.hands.press("Cancel…", "Selected:")
        page_text = await self.confirm("cancel-selected", "Take them back")
        assert f"Cancel: {len(names)} selected" in page_text
        await self.hands.until_it_says("Done")
        rows = self.overnight.rows(
            "SELECT key FROM item JOIN request ON request.item_id = item.id JOIN lane ON lane.id = lane_id"
            " WHERE name = %s AND state = 'canceled'",
            self.lane,
        )
        assert sorted(row["key"] for row in rows) == sorted(names)
        self.action("cancel", items=len(names), done=len(names))
        return len(names)

    async def resume(self) -> None:
        """The alarm about the paused lane leads to the button that ends it."""
        await self.hands.open("/now")
        await self.picture("now")
        await self.hands.until_it_says(f"Lane {self.lane} is paused by {WHO}")
        await self.hands.press("Resume…", f"Lane {self.lane} is paused by {WHO}")
        left = self.states().get("waiting", 0)
        page_text = await self.confirm("resume", "Resume it")
        assert (
            "no item of it waits" if not left else f"{left:,} item{'s' if left > 1 else ''} that"
        ) in page_text.lower()
        self.action("resume", items=left)

    async def drain_without_room(self) -> None:
        """What is in it goes at once; nothing of it may, since its budget has no room: it is held, and that is said."""
        unsent = await self._drain()
        wait_until(lambda: self.states().get("held", 0) == unsent, _WAIT_S, what=self.states)
        assert self.meter().creates == 0
        await self.hands.until(self._is_paused_again, "the lane whose items are held isn't paused", _WAIT_S)

    async def drain(self) -> None:
        """What is in it goes at once, for the dollars that were said."""
        await self._drain()

    async def _drain(self) -> int:
        """Have it emptied. Returns how many items weren't sent."""
        await self.hands.open("/now")
        await self.hands.press("Lanes")
        unsent = self.states().get("waiting", 0)
        await self.hands.press("Drain…", self.lane)
        page_text = await self.confirm("drain", "Drain it")
        if unsent:
            most_nano = nano(f"{unsent:,} items? waits? in it, for {_DOLLARS} at the most", page_text)
            self.action("drain", items=unsent, most_nano=most_nano)
        else:
            assert "0 items wait in it" in page_text
            self.action("drain", items=0)
        return unsent

    async def raise_the_cap(self) -> None:
        """The alarm about the budget leads to it; the cap that the page names lets all of them go, and no more."""
        await self.hands.open("/now")
        held = self.states().get("held", 0)
        if held:
            await self.hands.until_it_says(f"budget of lane {self.lane}, a day")
            await self.picture("over-budget")
            await self.hands.press("Look at the budgets", f"budget of lane {self.lane}, a day")
        else:
            await self.hands.press("Money")
        await self.hands.press(f"Change the cap of lane {self.lane}, a day")
        page_text = await self.hands.text()
        cap = matched(rf"A cap of {_DOLLARS} has room for all of them", page_text) if held else "1"
        assert held or "It holds nothing" in page_text
        await self.confirm("cap", "Change it", {"New cap in dollars": cap})
        self.action("budget", most_nano=int(Decimal(cap) * NANO_PER_DOLLAR))
        wait_until(lambda: self.states().get("waiting", 0) == held, _WAIT_S, what=self.states)

    async def finish(self, canceled: int) -> None:
        """All that was let go is paid once: what the meter says is what the ledger says, and *Money* too."""
        items = self.rows - canceled
        wanted = {"succeeded": items, "canceled": canceled}
        wanted = {state: number for state, number in wanted.items() if number}
        wait_until(lambda: self.states() == wanted, _WAIT_S, what=self.states, every_s=0.5)
        meter = self.meter()
        assert (meter.requests, meter.billed, meter.nanodollars) == (items, items, self.billed())
        await self.hands.open("/lanes")
        await self.hands.until(self._is_paused_again, "the lane that drained isn't paused", _WAIT_S)
        await self.picture("lanes")
        await self.hands.press("Actions")
        await self.picture("actions")

    async def _is_paused_again(self) -> bool:
        await self.hands.open("/lanes")
        return await self.hands.has("Resume…", self.lane)

    async def _list_of_the_lane(self) -> None:
        await self.hands.open("/now")
        await self.hands.press("Lanes")
        await self.hands.press(self.lane)

    # --- batches that nobody knows of -------------------------------------------------------------------------------

    @property
    def _doubtful(self) -> str:
        """A lane whose creates have no answer."""
        return f"{self.lane}_unclear"

    async def adopt(self) -> None:
        """A create whose answer was lost: a person says which batch at Anthropic it is."""
        batch = self._unclear("lose_answer", "adopted")
        url = read_urls(self.overnight.data_dir)["sandbox_url"]
        listed = httpx2.get(f"{url}/sandbox/batches", timeout=60).json()
        (api_id,) = api_ids(listed, f"wrkspc_sandbox_{self._doubtful}")
        await self._look_at(batch)
        await self.picture("unclear")
        await self.hands.press("Adopt an id…")
        page_text = await self.confirm("adopt", "Adopt it", {"Its id at Anthropic (msgbatch_…)": api_id})
        assert f"It has {_UNCLEAR} unfinished items: $" in page_text
        answer = await self.hands.text()
        # its token can be read once it has ended, which it may have by now
        assert "bears the token" in answer or f"Batch {batch} waits for {api_id}" in answer, answer
        self.action("decide", items=_UNCLEAR)
        self._comes_back(1)

    async def never_created(self) -> None:
        """A create that never came to the API: a person says so, and it is sent again."""
        batch = self._unclear("close_after_body", "never-created")
        await self._look_at(batch)
        await self.hands.press("It was never created…")
        page_text = await self.confirm("never-created", "It never was: send it again")
        assert f"It has {_UNCLEAR} unfinished items: ${''}" in page_text
        self.action("decide", items=_UNCLEAR, most_nano=nano(f"unfinished items: {_DOLLARS} at the most", page_text))
        self._comes_back(2)

    def _unclear(self, fault: str, run: str) -> int:
        """A batch of the lane becomes unclear, and no list settles it. Returns its number."""
        lane = self._doubtful
        self.overnight.faults(lane, {"at": "create", "do": fault, "count": 1}, {"at": "list", "do": "empty"})
        self.enqueue(lane, _UNCLEAR, f"{lane}-{run}")
        unclear = "SELECT max(batch.id) FROM batch JOIN lane ON lane.id = lane_id WHERE name = %s AND state = 'unclear'"
        wait_until(lambda: self.overnight.number(unclear, lane), _WAIT_S)
        return self.overnight.number(unclear, lane)

    async def _look_at(self, batch: int) -> None:
        await self.hands.open("/now")
        await self.hands.until_it_says("1 batch is unclear")
        await self.hands.press("1 batch is unclear")
        await self.hands.press(str(batch))

    def _comes_back(self, batches: int) -> None:
        self.overnight.faults_are_over()
        items, lane = _UNCLEAR * batches, self._doubtful
        wait_until(lambda: self.states(lane) == {"succeeded": items}, _WAIT_S, what=lambda: self.states(lane))
        meter = self.meter(lane)
        assert (meter.creates, meter.billed, meter.nanodollars) == (batches, items, self.billed(lane))


def matched(pattern: str, text: str) -> str:
    """What stands in the pattern's group."""
    match = re.search(pattern, text)
    assert match, f"{pattern} isn't in: {text}"
    return match[1]


def nano(pattern: str, text: str) -> int:
    """Dollars of a page as nano-dollars."""
    return int(Decimal(matched(pattern, text)) * NANO_PER_DOLLAR)


def api_ids(listed: Any, workspace: str) -> list[str]:
    """Ids of a workspace's batches at the sandbox."""
    rows = listed["data"] if isinstance(listed, dict) else listed
    return [row["id"] for row in rows if workspace in str(row.get("workspace") or row.get("workspace_id"))]
