"""What is published: the answers of a run, row by row, and the columns that they become."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol

import orjson

from overnight_models import exact_json
from overnight_models.errors import PermanentError
from overnight_models.wire.answer import readings, whole_text
from overnight_models.wire.outcome import Outcome
from overnight_producers.structured import asked_and_strict
from overnight_workers.catalogs.declaration import Catalog
from overnight_workers.catalogs.memory import Hashes
from overnight_workers.catalogs.output import output_of

VARIANT: Final = "variant"
ANSWER: Final = "answer"
RUN: Final = "overnight_run"
GONE: Final = "overnight_gone"
ADDED: Final = {
    RUN: "BIGINT",
    "overnight_time": "TIMESTAMP",
    "overnight_request": "VARCHAR",
    "overnight_model": "VARCHAR",
    "overnight_problem": "VARCHAR",
    "overnight_cost_usd": "DECIMAL(18,9)",
}
"""Columns that are added to the answer's own, with DuckDB's types. The time is UTC; the request is its hash."""
_TYPES: Final = {"string": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN"}
_LARGEST: Final = 2**63


@dataclass(slots=True)
class Reply:
    """What of an outcome a sink takes: made for each row, and with a quarter of the fields of an `Outcome`."""

    ok: bool
    message: Mapping[str, object] | None
    """The API's own."""
    detail: str | None
    model: str | None
    cost_usd: Decimal | None
    """Of all its tries; None where one has no price."""
    finished_at: datetime | None
    """In UTC."""

    @classmethod
    def of(cls, outcome: Outcome) -> Reply:
        """That of an outcome."""
        cost = cost_of(outcome)
        return cls(outcome.ok, outcome.message, outcome.detail, outcome.model, cost, outcome.finished_at)

    @property
    def content(self) -> object:
        """The answer's blocks."""
        return (self.message or {}).get("content")


@dataclass(slots=True)
class Answered:
    """What came back for one row."""

    key: tuple[str, ...]
    variant: str | None
    request: str | None
    """The hash of what was sent; None when nothing was."""
    problem: str | None
    reply: Reply | None
    may_do_better: bool = False
    """It failed in a way that another try may not: an older answer stays where there is one."""
    detail: str | None = None
    item_id: int | None = None
    """Of the item that it became; None when it became none."""


@dataclass(frozen=True)
class Publication:
    """What one run has to publish.

    number: the run's. gone: the hashes of rows that are no longer in the source.
    """

    number: int
    rows: Iterator[Answered]
    gone: Hashes


class Sink(Protocol):
    """Where answers go."""

    def check(self) -> None:
        """Raise PermanentError where `publish` would fail: asked before anything is paid. Nothing is written."""
        ...

    def latest_run(self) -> int | None:
        """The highest number of a run whose rows are there.

        None where there are none: before the first publication, where it is another one, or was removed or emptied.
        """
        ...

    def publish(self, publication: Publication) -> None:
        """Write all of it, so that readers see the state before or after and none between. All of its rows are read."""
        ...


@dataclass(frozen=True)
class Columns:
    """The columns of a sink."""

    key: tuple[str, ...]
    has_variants: bool
    answer: Mapping[str, str]
    """Columns of the answer with DuckDB's types; what has parts of its own is JSON in a text."""
    whole: bool
    """The answer is one column: its text, or JSON that is no object."""
    marks_gone: bool = False

    @classmethod
    def of(cls, catalog: Catalog) -> Columns:
        """Those of a catalog."""
        output = output_of(catalog)
        schema: Mapping[str, object] = {} if output is None else asked_and_strict(output)[1] or {}
        fields = _fields(schema)
        marks = catalog.sink is not None and catalog.sink.gone == "mark"
        return cls(catalog.key, bool(catalog.variants), fields or {ANSWER: "VARCHAR"}, not fields, marks)

    def check(self) -> None:
        """Raise PermanentError when two of them have one name: an answer would go over its row's key."""
        taken = {name.lower() for name in (*self.identifying, *ADDED, GONE)}
        twice = [name for name in self.answer if name.lower() in taken]
        if twice:
            raise PermanentError(
                f"the output's {', '.join(twice)} has the name of another column of the sink (the key's, variant, or"
                " overnight_…; capital letters are the same here): rename it in the output"
            )

    @property
    def identifying(self) -> tuple[str, ...]:
        """The columns that tell rows of the sink apart."""
        return (*self.key, VARIANT) if self.has_variants else self.key

    @property
    def types(self) -> dict[str, str]:
        """Every column with DuckDB's type, in order."""
        gone = {GONE: "BOOLEAN"} if self.marks_gone else {}
        return dict.fromkeys(self.identifying, "VARCHAR") | dict(self.answer) | ADDED | gone

    def row(self, answered: Answered, run: int) -> dict[str, object]:
        """A row of the sink."""
        reply = answered.reply
        cells: dict[str, object] = dict(zip(self.key, answered.key, strict=True))
        if self.has_variants:
            cells[VARIANT] = answered.variant
        cells |= dict.fromkeys(self.answer)
        if reply is not None and reply.ok:
            cells |= self._answer(reply)
        cells |= {
            RUN: run,
            "overnight_time": None if reply is None else _time(reply.finished_at),
            "overnight_request": answered.request,
            "overnight_model": None if reply is None else reply.model,
            "overnight_problem": answered.problem,
            "overnight_cost_usd": None if reply is None or reply.cost_usd is None else f"{reply.cost_usd:f}",
        }
        return cells | ({GONE: False} if self.marks_gone else {})

    def _answer(self, reply: Reply) -> dict[str, object]:
        if self.whole:
            return {next(iter(self.answer)): whole_text(reply.content)}
        for text in readings(reply.content):
            try:
                read = exact_json.loads(text.encode())
            except ValueError:
                continue
            if isinstance(read, dict):
                return {name: _cell(read.get(name), kind) for name, kind in self.answer.items()}
        return {}


def _fields(schema: Mapping[str, object]) -> dict[str, str]:
    properties = schema.get("properties")
    if schema.get("type") != "object" or not isinstance(properties, Mapping):
        return {}
    return {str(name): _type(field) for name, field in properties.items()}


def _type(schema: object) -> str:
    """DuckDB's type for a field; a text for whatever isn't one plain value."""
    if not isinstance(schema, Mapping):
        return "VARCHAR"
    options = schema.get("anyOf")
    if isinstance(options, Sequence):
        plain = [option for option in options if not (isinstance(option, Mapping) and option.get("type") == "null")]
        return _type(plain[0]) if len(plain) == 1 else "VARCHAR"
    kind = schema.get("type")
    if isinstance(kind, list):
        kinds = [option for option in kind if option != "null"]
        kind = kinds[0] if len(kinds) == 1 else None
    return _TYPES.get(kind, "VARCHAR") if isinstance(kind, str) else "VARCHAR"


def _cell(value: object, kind: str) -> object:
    """A field's value as its column takes it."""
    if value is None:
        return None
    if kind == "VARCHAR":
        return value if isinstance(value, str) else exact_json.dumps(value).decode()
    if kind == "BIGINT":
        fits = isinstance(value, int) and -_LARGEST <= value < _LARGEST
        return value if fits else None  # what no column takes; it is in the outcome as it came
    return value


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.replace(tzinfo=None).isoformat(sep=" ")


def cost_of(outcome: Outcome) -> Decimal | None:
    """Dollars of all its tries; None where one has no price."""
    if outcome.cost_usd is None or outcome.earlier_cost_usd is None:
        return None
    return outcome.cost_usd + outcome.earlier_cost_usd


def line(row: Mapping[str, object]) -> bytes:
    """A row as a line of JSON."""
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
