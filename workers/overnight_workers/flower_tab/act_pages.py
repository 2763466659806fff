"""Acts: previewed, confirmed and done; what people did, and how far that is which goes on in the background."""

from __future__ import annotations

from typing import Final

from overnight_models.ledger.operators import actions, item_life
from overnight_workers import redaction
from overnight_workers.flower_tab.acts import known_act
from overnight_workers.flower_tab.faults import Fault
from overnight_workers.flower_tab.item_pages import ItemPage
from overnight_workers.flower_tab.page import Form, Page
from overnight_workers.flower_tab.people import OPERATOR, READER_OF_BODIES
from overnight_workers.flower_tab.proposals import Fields
from overnight_workers.operators import action_filter, item_filter, words
from overnight_workers.process import database

_ON_A_PAGE: Final = 50
_OWN_WORDS: Final = (
    "name",
    "of",
    "of_name",
    "period",
    "cap",
    "api_id",
    "catalog",
    "webhook",
    "relay",
    "everything",
    "reason",
)
_WORDS: Final = (*item_filter.WORDS, *_OWN_WORDS)


class ActPage(Form):
    """`/act`: GET says what an act would do and cost, POST does it."""

    tab = "actions"

    async def answer(self, *parts: str) -> None:
        """The preview, with a button that does it."""
        del parts
        self.require(OPERATOR)
        fields = self._fields()
        act = known_act(fields.get("name", ""))
        proposal = await self.application.reader.do(lambda: act.propose(fields))
        kept = {name: value for name, value in fields.items() if name not in ("reason", "everything")}
        self.show("act.html", proposal=proposal, fields=kept)

    async def act(self, *parts: str) -> None:
        """Do it; what takes longer goes on in the background, and has a page."""
        del parts
        fields = self._fields()
        act = known_act(fields.get("name", ""))
        by = self.by(fields.get("reason"))
        done = await self.application.reader.do(lambda: act.perform(fields, by))
        if done.action_id is not None:
            self.application.reader.go_on(done.action_id)
            self.redirect(self.link("action", done.action_id), status=303)
            return
        self.show("done.html", done=done)

    def _fields(self) -> Fields:
        fields = {name: value.strip() for name, value in self.words(*_WORDS).items()}
        selected = [number for number in self.get_arguments("ids") if number.strip()]
        return {**fields, "ids": ",".join(selected)} if selected else fields


class ActionsPage(Page):
    """`/actions`: who did what, when, to which, to how many, and why."""

    tab = "actions"

    async def answer(self, *parts: str) -> None:
        """The newest of a filter first, page by page."""
        del parts
        wanted, before = action_filter.read(self.words(*action_filter.WORDS)), self.number("before")
        acts = await self.ask(
            lambda connection: actions.actions(connection, wanted, before=before, limit=_ON_A_PAGE + 1)
        )
        older = acts[_ON_A_PAGE - 1].id if len(acts) > _ON_A_PAGE else None
        self.show(
            "actions.html",
            actions=[(action, words.wish(action)) for action in acts[:_ON_A_PAGE]],
            filter=action_filter.written(wanted),
            names=actions.NAMES,
            is_first=before is None,
            older=None if older is None else self.link("actions", **action_filter.written(wanted), before=older),
        )


class ActionPage(Form):
    """`/actions/NUMBER`: one action, and how far it is; POST aborts it."""

    tab = "actions"

    async def answer(self, *parts: str) -> None:
        """It; of one that goes on the page asks again every few seconds, with `?part=now` for what changes."""
        number = int(parts[0])
        action = await self.ask(lambda connection: actions.action(connection, number))
        if action is None:
            raise Fault(404, f"There is no action {number}", "None of that number was ever begun.")
        template = "action_part.html" if self.words("part").get("part") == "now" else "action.html"
        self.show(template, action=action, wish=words.wish(action))

    async def act(self, *parts: str) -> None:
        """Do no further group of it. What is done stays done."""
        number, by = int(parts[0]), self.by(None)

        def end() -> bool:
            with database().transaction() as connection:
                return actions.abort(connection, number, by.actor)

        if not await self.application.reader.do(end):
            raise Fault(409, f"Action {number} is over", "Nothing of it is left to be ended, or it was never there.")
        self.redirect(self.link("action", number), status=303)


class BodyPage(Form, ItemPage):
    """`/items/NUMBER/body`: POST shows what an item asks and was answered, once it is recorded who looks."""

    tab = "items"
    role = READER_OF_BODIES

    async def answer(self, *parts: str) -> None:
        """GET leads to the item: a body is shown on a button only, so that no link and no reload shows it."""
        self.redirect(self.link("item", int(parts[0])))

    async def act(self, *parts: str) -> None:
        """Record it and show it; nothing is shown that isn't recorded."""
        number, by = int(parts[0]), self.by(self.words("reason").get("reason"))
        await self.life(number)

        def look() -> item_life.Body | None:
            with database().transaction() as connection:
                actions.note(connection, "show body", {"item": number}, by, items=1)
                return shown_body(item_life.body(connection, number))

        await self.show_item(number, await self.application.reader.do(look))


def shown_body(body: item_life.Body | None) -> item_life.Body | None:
    """A body without the fields that nobody is shown."""
    if body is None:
        return None
    request = [part for part in (body.params, body.prefix) if part is not None]
    hidden = set().union(*(redaction.values(part, "params") for part in request))
    hidden |= redaction.values(body.message, "message")
    return body._replace(
        params=redaction.json_text(body.params, "params"),
        prefix=body.prefix and redaction.json_text(body.prefix, "params"),
        message=body.message and redaction.json_text(body.message, "message"),
        detail=body.detail and redaction.text(body.detail, hidden),
    )
