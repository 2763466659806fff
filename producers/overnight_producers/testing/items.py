"""Items that a product enqueued while it was tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, overload

from overnight_models import exact_json
from overnight_models.wire.message import CallbackLine
from overnight_models.wire.outcome import Outcome

_LISTED: Final = 20
_SHOWN: Final = 60


@dataclass(eq=False)
class Enqueued:
    """One item, as the workers took it in."""

    item_id: str
    key: str
    lane: str
    params: Mapping[str, object]
    """The whole request, as the API would get it."""
    run: str | None = None
    tenant: str | None = None
    trace_id: str | None = None
    betas: Sequence[str] = ()
    output: Mapping[str, object] | None = None
    """The JSON schema that its answer has to fit."""
    callback: CallbackLine | None = None
    deadline: str | None = None
    give_up_at: str | None = None
    state: str = "waiting"
    """"waiting", "succeeded", "failed", "canceled" or "redone"."""
    document: Mapping[str, object] | None = field(default=None, repr=False)
    """The JSON of its outcome, once it has one."""
    is_taken_back: bool = field(default=False, repr=False)
    """The product has canceled it, so its outcome is there to be read, and isn't delivered."""
    redos: int = 0
    enqueued_at: str = ""
    born: timedelta = field(default=timedelta(0), repr=False)
    """How far the test's clock had been moved when it was enqueued."""
    follows: Enqueued | None = field(default=None, repr=False)
    """The item whose outcome is this one's too (`if_known="deliver"`)."""

    @property
    def outcome(self) -> Outcome | None:
        """Its outcome; None while it waits."""
        return None if self.document is None else Outcome.read(self.document)

    @property
    def prompt(self) -> str:
        """The text of its last message."""
        messages = self.params.get("messages")
        content = messages[-1].get("content") if isinstance(messages, list) and messages else ""
        if isinstance(content, str):
            return content
        blocks = content if isinstance(content, list) else []
        return "".join(str(block.get("text", "")) for block in blocks if isinstance(block, dict))

    @property
    def content(self) -> bytes:
        """What is asked, and nothing else of it."""
        return exact_json.dumps([self.params, list(self.betas), self.output])

    def __str__(self) -> str:
        to = "no callback" if self.callback is None else _place(self.callback)
        names = {"run": self.run, "tenant": self.tenant, "trace_id": self.trace_id}
        more = "".join(f", {name} {value!r}" for name, value in names.items() if value is not None)
        prompt = self.prompt if len(self.prompt) <= _SHOWN else f"{self.prompt[:_SHOWN]}…"
        return f"lane {self.lane!r}, key {self.key!r}{more}, {self.state}, {to}: {prompt!r}"


class Items(Sequence[Enqueued]):
    """Items in their order, from a place on.

    all: those of the whole test.
    begin, end: which of them; end None: also those that are still to come.
    """

    def __init__(self, items: list[Enqueued], begin: int = 0, end: int | None = None) -> None:
        self._all = items
        self.begin, self.end = begin, end

    @overload
    def __getitem__(self, index: int) -> Enqueued: ...

    @overload
    def __getitem__(self, index: slice) -> list[Enqueued]: ...

    def __getitem__(self, index: int | slice) -> Enqueued | list[Enqueued]:
        return self._all[self.begin : self.end][index]

    def __len__(self) -> int:
        return len(self._all[self.begin : self.end])

    def matching(self, **wanted: object) -> list[Enqueued]:
        """Those that are as they are wanted to be; see `enqueued`."""
        return [item for item in self if all(_is(item, name, value) for name, value in wanted.items())]

    def enqueued(
        self,
        *,
        lane: str | None = None,
        key: str | None = None,
        run: str | None = None,
        tenant: str | None = None,
        trace_id: str | None = None,
        callback: str | None = None,
        text: str | None = None,
    ) -> Enqueued:
        """The item that was enqueued so; the others are listed when there is none, or several.

        callback: the name of the Celery task, or of the webhook.
        text: stands somewhere in its last message.

        Raises AssertionError.
        """
        wanted = _given(lane, key, run, tenant, trace_id, callback, text)
        items = self.matching(**wanted)
        if len(items) == 1:
            return items[0]
        if items:
            raise AssertionError(f"{len(items)} items{_said(wanted)} were enqueued; say which:\n{listed(items)}")
        raise AssertionError(f"no item{_said(wanted)} was enqueued. {_all_of(self)}")

    def not_enqueued(
        self,
        *,
        lane: str | None = None,
        key: str | None = None,
        run: str | None = None,
        tenant: str | None = None,
        trace_id: str | None = None,
        callback: str | None = None,
        text: str | None = None,
    ) -> None:
        """Nothing was enqueued so; without arguments, nothing at all. Raises AssertionError."""
        wanted = _given(lane, key, run, tenant, trace_id, callback, text)
        items = self.matching(**wanted)
        if items:
            raise AssertionError(f"{_counted(items)}{_said(wanted)} {_were(items)} enqueued:\n{listed(items)}")


def listed(items: Sequence[Enqueued]) -> str:
    """Items for people, one a line."""
    lines = [f"  - {item}" for item in items[:_LISTED]]
    return "\n".join([*lines, f"  … and {len(items) - _LISTED} more"] if len(items) > _LISTED else lines)


def _given(*values: str | None) -> dict[str, object]:
    names = ("lane", "key", "run", "tenant", "trace_id", "callback", "text")
    return {name: value for name, value in zip(names, values, strict=True) if value is not None}


def _is(item: Enqueued, name: str, value: object) -> bool:
    if name == "callback":
        return item.callback is not None and value == (item.callback.get("task") or item.callback.get("webhook"))
    if name == "text":
        return str(value) in item.prompt
    return bool(getattr(item, name) == value)


def _place(callback: CallbackLine) -> str:
    name = callback.get("webhook")
    return f"webhook {name!r}" if name is not None else f"{callback['task']} on queue {callback['queue']}"


def _said(wanted: Mapping[str, object]) -> str:
    return " with " + ", ".join(f"{name}={value!r}" for name, value in wanted.items()) if wanted else ""


def _all_of(items: Sequence[Enqueued]) -> str:
    return f"{_counted(items)} {_were(items)}:\n{listed(items)}" if items else "Nothing was."


def _counted(items: Sequence[Enqueued]) -> str:
    return "1 item" if len(items) == 1 else f"{len(items)} items"


def _were(items: Sequence[Enqueued]) -> str:
    return "was" if len(items) == 1 else "were"
