"""Items: their list by a filter, and one of them, line by line; what it asks and was answered needs a role."""

from __future__ import annotations

from typing import Final

from overnight_models.ledger.operators import item_life, item_list
from overnight_models.ledger.operators.item_life import Body, ItemLife
from overnight_models.ledger.redo import NO_BODY
from overnight_models.states import ITEM
from overnight_workers.flower_tab.faults import Fault
from overnight_workers.flower_tab.page import Page
from overnight_workers.operators import item_filter, item_roads, life_lines, words
from overnight_workers.settings import settings

_ON_A_PAGE: Final = 50


class ItemsPage(Page):
    """`/items`: the newest items of a filter, page by page."""

    tab = "items"

    async def answer(self, *parts: str) -> None:
        """The page that the URL's query names."""
        del parts
        asked = self.words(*item_filter.WORDS)
        wanted, before = item_filter.read(asked), self.number("before")
        await self.application.reader.do(lambda: item_filter.check(wanted, self.application.reader.database))
        page = await self.ask(lambda connection: item_list.page(connection, wanted, before=before, limit=_ON_A_PAGE))
        written = item_filter.written(wanted)
        self.show(
            "items.html",
            asked=asked,
            filter=written,
            page=page,
            names=item_filter.WORDS[:-1],
            choices=item_filter.CHOICES,
            is_first=before is None,
            older=None if page.before is None else self.link("items", **written, before=page.before),
        )


class ItemPage(Page):
    """`/items/NUMBER`: one item."""

    tab = "items"

    async def answer(self, *parts: str) -> None:
        """Its life, without a word of its request and its answer."""
        await self.show_item(int(parts[0]), None)

    async def show_item(self, number: int, body: Body | None) -> None:
        """Render it. body: what it asks and was answered, for whoever may see that; None for everybody."""
        life = await self.life(number)
        roads = await self.application.reader.do(lambda: item_roads.reasons([life.item]))
        look = await self.application.reader.look()
        self.show(
            "item.html",
            life=life,
            item=life.item,
            keeps=words.keeps(life.item, life.rows.workspace, look.snapshot, settings()),
            road=roads[0],
            lines=life_lines.lines(life),
            body=body,
            ITEM=ITEM,
            NO_BODY=NO_BODY,
        )

    async def life(self, number: int) -> ItemLife:
        """Everything about an item. Raises Fault when there is none of this number."""
        life = await self.ask(lambda connection: item_life.life(connection, number))
        if life is None:
            raise Fault(
                404,
                f"There is no item {number}",
                "It was never there, or it is older than what is kept.",
                "Look for its key in the list of items.",
            )
        return life
