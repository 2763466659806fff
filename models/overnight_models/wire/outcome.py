"""The outcome: what came back for one item, in the one shape it has everywhere (Python, callback, JSONL)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from overnight_models.errors import BadOutput
from overnight_models.wire.answer import readings, tool_calls, whole_text

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

VERSION: Final = 1

M = TypeVar("M", bound="BaseModel")


class Problem(StrEnum):
    """What is wrong with an outcome that isn't `ok`."""

    REFUSED = "refused"
    """The model refused to answer (paid or not, as the API decides)."""
    CUT_OFF = "cut_off"
    """The answer isn't whole: it hit `max_tokens` or the context window, was paused or compacted; it is paid."""
    INVALID_OUTPUT = "invalid_output"
    """The answer isn't of the schema that was asked for, is empty, or can't be read at all; it is paid."""
    ERRORED = "errored"
    """The API couldn't process the request; `detail` has its own words."""
    EXPIRED = "expired"
    """No answer within the batch's 24 hours, `max_attempts` times over."""
    CANCELED = "canceled"
    """Taken back, here or at the API."""
    REJECTED = "rejected"
    """The API turned down even a batch with this item alone."""
    TOO_LONG = "too_long"
    """Its prompt has more tokens than its lane takes (`max_input_tokens`); it was not sent."""
    TOO_LATE = "too_late"
    """It wasn't sent before its `give_up_at`, from when on an answer is of no use: it was not bought."""
    OVER_BUDGET = "over_budget"
    """What all items of its trace may cost together (`max_cost_per_trace`) has no room for it; it was not sent."""
    GIVEN_UP = "given_up"
    """Its results could not be had any more."""


ProblemName = Literal[
    "refused",
    "cut_off",
    "invalid_output",
    "errored",
    "expired",
    "canceled",
    "rejected",
    "too_long",
    "too_late",
    "over_budget",
    "given_up",
]
"""The values of `Problem`, as a product's type checker knows them."""


@dataclass(frozen=True)
class Outcome:
    """What came back for an item.

    Reading is lenient: fields that a newer version adds are kept in `extra`, unknown values pass through.
    """

    item_id: str
    """The receipt's id: a UUID."""
    key: str
    lane: str
    ok: bool
    """There is an answer and it is of use."""
    problem: ProblemName | None = None
    """What is wrong with it, or None when `ok`. A later version may say another word: it passes through."""
    detail: str | None = None
    """More about the problem, in the API's own words where there are any."""
    retryable: bool = False
    """The same request may work another time."""
    message: dict[str, Any] | None = None
    """The API's own Message object; None if there was no answer. Of one that can't be read: what is known of it, and
    `line_base64`, the line of the results as it came."""
    model: str | None = None
    """The model that served it."""
    model_why: str | None = None
    """Why its lane has chosen the model (`[[lanes.NAME.models]]`); None where the item named it itself."""
    usage: dict[str, Any] | None = None
    """The API's own usage object (tokens)."""
    cost_usd: Decimal | None = Decimal(0)
    """What was billed for this answer, in dollars, exact to the nano-dollar. None when its model has no price, which
    only a lane with `unknown_price = "accept"` takes."""
    realtime_cost_usd: Decimal | None = Decimal(0)
    """What the same tokens would have cost in real time."""
    earlier_cost_usd: Decimal | None = Decimal(0)
    """What earlier tries were billed beside that: of a `redo`, or of `retry_invalid`. None when that isn't known."""
    cut: dict[str, int] | None = None
    """Its prompt was too long for its lane, so this is no answer about the whole text: `{"from_tokens": …, "to_tokens":
    …}`, as the API counted them before and after the cut. None when all of it was sent."""
    attempts: int = 1
    """Tries that had an outcome, this one included."""
    via: str = "batch"
    """The road it took: "batch" or "direct"."""
    batch_id: str | None = None
    """The API's id of the batch that answered."""
    tenant: str | None = None
    run: str | None = None
    delivery_id: str | None = None
    """The same for every delivery of this outcome: what a callback remembers to act once."""
    enqueued_at: datetime | None = None
    finished_at: datetime | None = None
    deadline: datetime | None = None
    """By when it was wanted, by the item's word or its lane's; None when nobody said so."""
    late_s: float | None = None
    """Seconds from the deadline to `finished_at`: 0.0 when it was in time, None without a deadline."""
    trace_id: str | None = None
    v: int = VERSION
    extra: dict[str, object] = field(default_factory=dict)

    @classmethod
    def read(cls, document: Mapping[str, object]) -> Outcome:
        """An outcome from its JSON document; what it doesn't know goes to `extra`."""
        known: dict[str, Any] = {}
        extra: dict[str, object] = {}
        for name, value in document.items():
            (known if name in _FIELDS else extra)[name] = value
        for name in ("cost_usd", "realtime_cost_usd", "earlier_cost_usd"):
            value = known.get(name, 0)
            known[name] = None if value is None else Decimal(str(value))
        for name in ("enqueued_at", "finished_at", "deadline"):
            if isinstance(known.get(name), str):
                known[name] = datetime.fromisoformat(known[name])
        return cls(**known, extra=extra)

    def document(self) -> dict[str, object]:
        """The JSON document of this outcome: money as decimal strings, times in ISO 8601."""
        document: dict[str, object] = {"v": self.v}
        for name in _FIELDS:
            value = getattr(self, name)
            if isinstance(value, Decimal):
                value = dollars(int(value.scaleb(9)))
            elif isinstance(value, datetime):
                value = value.isoformat()
            document[name] = value
        return document | self.extra

    @property
    def text(self) -> str:
        """The answer's text blocks, joined; empty if there is none.

        Raises BadOutput when the answer isn't here: too large to be sent along, or removed by now. An empty text
        would be taken for it.
        """
        return whole_text(self._content())

    @property
    def tool_calls(self) -> list[dict[str, object]]:
        """The answer's `tool_use` blocks, each with its `id`, `name` and `input`; empty if it calls no tool.

        Raises BadOutput when the answer isn't here: too large to be sent along, or removed by now.
        """
        return tool_calls(self._content())

    def parse(self, model: type[M]) -> M:
        """The answer's text as that pydantic model. Of several texts it is the one that fits, as when it was collected.

        Raises BadOutput when the outcome isn't `ok`, when no text fits, when the answer calls a tool instead, and when
        it isn't here: too large to be sent along, or removed by now. It quotes nothing of the answer: where a task
        fails with it, its text is in logs, and on Flower's pages.
        """
        from pydantic import ValidationError  # most processes that know outcomes parse none

        if not self.ok:
            raise BadOutput(f"item {self.key!r} has no answer to parse: {self.problem} ({self.detail})")

        content = self._content()
        wrong: ValidationError | None = None
        for text in readings(content):
            try:
                return _read(model, text)
            except ValidationError as error:
                wrong = error
        if self.tool_calls:
            names = ", ".join(str(call.get("name")) for call in self.tool_calls)
            raise BadOutput(f"item {self.key!r}: its answer is a call of {names}: read `tool_calls`")
        raise BadOutput(f"item {self.key!r}: its text is no {model.__name__}: {_faults(wrong)}")

    def _content(self) -> object:
        """The answer's blocks, if it is here."""
        if self.message is None and self.extra.get("claim"):
            raise BadOutput(
                f"item {self.key!r}: its answer is too large to be sent along: read it by"
                f" overnight.outcome(key={self.key!r}, lane={self.lane!r})"
            )
        if self.message is None and self.ok:
            raise BadOutput(
                f"item {self.key!r} had an answer, which is removed by now: by a purge, or as its lane keeps it"
            )
        return (self.message or {}).get("content")


def unfit(model: type[BaseModel], content: object) -> str | None:
    """Why no text of a message's content is that pydantic model, as `Outcome.parse` reads it; None when one is.

    It quotes nothing of the answer but what a validator of the model quotes itself. What else than ValueError and
    AssertionError a validator raises is passed on.
    """
    from pydantic import ValidationError

    wrong: ValidationError | None = None
    for text in readings(content):
        try:
            _read(model, text)
        except ValidationError as error:
            wrong = error
        else:
            return None
    return _faults(wrong)


def _read(model: type[M], text: str) -> M:
    """The text as that model, decimals as they are written: by itself pydantic makes a float of such a number first."""
    if _has_decimals(model):
        with suppress(ValueError, RecursionError):  # what is wrong is said of the text as it is
            return model.model_validate_json(json.dumps(json.loads(text, parse_float=_float_or_text)))
    return model.model_validate_json(text)


@cache
def _has_decimals(model: type[BaseModel]) -> bool:
    return "'type': 'decimal'" in str(model.__pydantic_core_schema__)


def _float_or_text(written: str) -> float | str:
    """A number, or its text where the number would lose digits; decimals are read from both."""
    number = float(written)
    return number if repr(number) == written else written


def _faults(wrong: ValidationError | None) -> str:
    """What is wrong with a text and where, without what stands there."""
    if wrong is None:
        return "it is empty"
    errors = wrong.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, error['loc'])) or 'the top'}: {error['msg']}" for error in errors[:20])


_FIELDS: Final = tuple(f.name for f in fields(Outcome) if f.name != "extra")


def dollars(nano: int) -> str:
    """Nano-dollars as a decimal string of dollars: 1500 -> "0.0000015"."""
    if not nano:
        return "0"
    sign, nano = ("-", -nano) if nano < 0 else ("", nano)
    whole, rest = divmod(nano, 1_000_000_000)
    return f"{sign}{whole}.{rest:09d}".rstrip("0") if rest else f"{sign}{whole}"
