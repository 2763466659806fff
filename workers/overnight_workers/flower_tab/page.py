"""One page of ours in Flower: who may see it, how it asks the ledger, and what it says when it can't be shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar, Final, TypeVar
from urllib.parse import urlencode

from flower.views import BaseHandler
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from tornado import web

from overnight_models.errors import OvernightError
from overnight_models.ledger.operators.actions import By
from overnight_workers.flower_tab import shown
from overnight_workers.flower_tab.cards import labelled
from overnight_workers.flower_tab.faults import OURS, Fault, fault_of
from overnight_workers.flower_tab.people import OPERATOR, READER_OF_BODIES, VIEWER, Person, person_of
from overnight_workers.operators import words

T = TypeVar("T")

TABS: Final[Mapping[str, str]] = {
    "now": "Now",
    "batches": "Batches",
    "items": "Items",
    "problems": "Problems",
    "deliveries": "Deliveries",
    "money": "Money",
    "runs": "Runs",
    "lanes": "Lanes",
    "actions": "Actions",
}
"""Our pages in the navigation: the route's name, and the title."""


class Page(BaseHandler):  # type: ignore[misc]
    """A page. Who derives says `tab` and `answer`."""

    tab: ClassVar[str] = ""

    @property
    def person(self) -> Person:
        """Whoever looks."""
        return person_of(self)

    @web.authenticated
    async def get(self, *parts: str) -> None:
        """Show it, or what keeps it from being shown."""
        await self._answered(VIEWER, self.answer, parts, "That isn't there")

    async def answer(self, *parts: str) -> None:
        """What GET shows. parts: what the route's expression has matched."""
        raise NotImplementedError

    async def _answered(
        self, role: str, answer: Callable[..., Awaitable[None]], parts: Sequence[str], wrong: str
    ) -> None:
        """wrong: the title of a page that says what is wrong with what was asked for."""
        try:
            self.require(role)
            await answer(*parts)
        except (OvernightError, SQLAlchemyError, Fault) as error:
            self._show_fault(fault_of(error, wrong))

    def require(self, role: str) -> None:
        """Raise a Fault when this person may not."""
        if not self.person.may(role):
            raise Fault(403, "You may not do that", self.person.why_not(role))

    async def ask(self, question: Callable[[Connection], T]) -> T:
        """Ask the ledger, in a thread and in a transaction that only reads. Raises as the ledger does."""
        answer: T = await self.application.reader.ask(question)
        return answer

    def words(self, *names: str) -> dict[str, str]:
        """What the URL's query says of these names; those that are empty are left out."""
        said = {name: self.get_argument(name, "", escape=False) for name in names}
        return {name: value for name, value in said.items() if value}

    def number(self, name: str) -> int | None:
        """A whole number of the query; None when it isn't there. Raises Fault."""
        said = self.words(name).get(name)
        if said is None:
            return None
        if not said.isascii() or not said.isdigit() or len(said) > 18:
            raise Fault(400, "That isn't there", f"{name} is a number, and not {said!r}")
        return int(said)

    def link(self, route: str, /, *parts: object, **query: object) -> str:
        """The address of a route of ours, with a query; what is None or empty isn't in it."""
        said = {key: value for key, value in query.items() if value not in (None, "")}
        path: str = self.reverse_url(route, *(str(part) for part in parts))
        return f"{path}?{urlencode(said, doseq=True)}" if said else path

    def show(self, template: str, **values: object) -> None:
        """Render a template of ours. It is never kept by a browser or a proxy."""
        self.set_header("Cache-Control", "no-store")
        self.render(
            template,
            tab=self.tab,
            tabs=TABS,
            person=self.person,
            may_act=self.person.may(OPERATOR),
            may_read=self.person.may(READER_OF_BODIES),
            link=self.link,
            words=words,
            shown=shown,
            **values,
        )

    def render_string(self, template_name: str, **kwargs: Any) -> bytes:
        """A rendered template, whose tables can be shown as cards."""
        return labelled(super().render_string(template_name, **kwargs).decode()).encode()

    def write_error(self, status_code: int, **kwargs: object) -> None:
        """In place of Flower's "Error 500": that the fault is ours, and what to do. With `--debug` its traceback."""
        if status_code != HTTPStatus.INTERNAL_SERVER_ERROR or self.application.options.debug:
            super().write_error(status_code, **kwargs)
            return
        self._show_fault(OURS)

    def _show_fault(self, fault: Fault) -> None:
        self.clear()
        self.set_status(fault.status)
        self.show("fault.html", fault=fault)


class Form(Page):
    """A page whose POST changes something: only from our own page, by somebody with a name and the role."""

    role: ClassVar[str] = OPERATOR

    @web.authenticated
    async def post(self, *parts: str) -> None:
        """Do it, or say why not."""
        await self._answered(self.role, self.act, parts, "That can't be done")

    async def act(self, *parts: str) -> None:
        """What POST does."""
        raise NotImplementedError

    def by(self, reason: str | None) -> By:
        """Who does it, and why, as it is recorded."""
        name = self.person.name
        assert name is not None, "without a name nobody has the role"
        return By(name, via="flower", reason=reason or None)

    def check_xsrf_cookie(self) -> None:
        """Flower asks for the token only where its login is a cookie; here it is asked for always."""
        super().check_xsrf_cookie()
        web.RequestHandler.check_xsrf_cookie(self)
