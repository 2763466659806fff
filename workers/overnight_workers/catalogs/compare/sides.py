"""Sides: one catalog with several models or prompts, and what each says about the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from overnight_models import exact_json
from overnight_models.errors import PermanentError
from overnight_models.wire.answer import readings
from overnight_models.wire.outcome import Outcome
from overnight_producers import Item
from overnight_workers.catalogs import trying
from overnight_workers.catalogs.cells import quoted
from overnight_workers.catalogs.declaration import Catalog
from overnight_workers.catalogs.opened import Opened
from overnight_workers.catalogs.recipe import recipe_of
from overnight_workers.catalogs.rows import Rows, read_item_key
from overnight_workers.catalogs.sinks.answered import cost_of


@dataclass(frozen=True)
class Side:
    """A model or a prompt that is compared."""

    name: str
    catalog: Catalog


@dataclass(frozen=True)
class Asked:
    """What is sent for a side, by the hash of the row."""

    side: Side
    items: Mapping[bytes, Item]
    bad: int
    """Rows that can't become a request with it."""


@dataclass(frozen=True)
class Answer:
    """What a side said about a row. Money in dollars."""

    ok: bool
    problem: str | None
    text: str
    value: object
    """The answer as JSON; its text where it isn't JSON; None where there is no answer of use."""
    cost_usd: Decimal | None
    tokens_out: int
    took_s: float | None


def models(catalog: Catalog, names: Sequence[str]) -> list[Side]:
    """A side for each model."""
    _distinct(names, "models")
    return [Side(name, _changed(catalog, {"model": name})) for name in names]


def prompts(catalog: Catalog, names: Sequence[str]) -> list[Side]:
    """A side for each prompt of the file; `prompt` is the one that runs use.

    Raises PermanentError for one that the file doesn't have.
    """
    _distinct(names, "prompts")
    known = {"prompt": catalog.prompt, **catalog.prompts}
    for name in names:
        if name not in known:
            raise PermanentError(f"{catalog.path} has no [prompts.{name}]: it has {', '.join(known)}")
    return [Side(name, _changed(catalog, {"prompt": known[name]})) for name in names]


def _distinct(names: Sequence[str], kind: str) -> None:
    if len(names) < 2 or len(set(names)) < len(names):
        raise PermanentError(f"--{kind} has two or more different names, with commas between them: --{kind} A,B")


def _changed(catalog: Catalog, part: dict[str, object]) -> Catalog:
    return catalog.model_copy(update=part).read_from(catalog.path, catalog.text)


def asked(side: Side, source: Opened) -> Asked:
    """The rows of the table `tried` as this side's items."""
    rows = Rows(side.catalog.key, recipe_of(side.catalog))
    chosen = trying.requested(side.catalog, replace(source, rows=rows), 0)
    items = {read_item_key(item.key or "")[0]: item for item in chosen.items}
    return Asked(side, items, len(chosen.bad))


def answers(asked: Asked) -> dict[bytes, Answer]:
    """What came back, by the hash of the row."""
    outcomes = trying.outcomes(asked.side.catalog, list(asked.items.values()))
    return {entry: _answer(outcomes[item.key]) for entry, item in asked.items.items() if item.key in outcomes}


def _answer(outcome: Outcome) -> Answer:
    took = None
    if outcome.finished_at is not None and outcome.enqueued_at is not None:
        took = (outcome.finished_at - outcome.enqueued_at).total_seconds()
    return Answer(
        outcome.ok,
        outcome.problem,
        outcome.text,
        _value(outcome) if outcome.ok else None,
        cost_of(outcome),
        trying.tokens_out(outcome),
        took,
    )


def _value(outcome: Outcome) -> object:
    for text in readings((outcome.message or {}).get("content")):
        try:
            return exact_json.loads(text)
        except ValueError:
            continue
    return outcome.text


def column(source: Opened, name: str) -> dict[bytes, str | None]:
    """A column's cells of the table `tried`, by the hash of the row. Raises PermanentError where there is none."""
    import duckdb

    try:
        rows: list[tuple[int, str | None]] = source.connection.execute(
            f"SELECT tried.n, cell FROM (SELECT {source.rows.hash} AS n, {quoted(name)} AS cell {source.rows.source})"
            " JOIN tried USING (n)"
        ).fetchall()
    except duckdb.BinderException as error:
        raise PermanentError(f"the source has no column {name!r}") from error
    return {number.to_bytes(16, "little"): cell for number, cell in rows}
