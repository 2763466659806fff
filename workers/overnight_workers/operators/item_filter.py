"""The filter of items as an operator writes it: words of a command or of a URL, checked, and written again as a URL's.

`older` and `newer` are ages ("2h", "3d") or moments ("2026-11-30T06:00", in UTC). A URL bears moments, so that a link
means the same tomorrow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from overnight_models.ledger.database import Database
from overnight_models.ledger.operators.item_filter import ANY_PROBLEM, ItemFilter
from overnight_models.states import DELIVERY, ITEM
from overnight_models.wire.outcome import Problem
from overnight_workers.operators import filters, moments
from overnight_workers.operators.filters import UnknownName

WORDS: Final = (
    "lane",
    "tenant",
    "run",
    "state",
    "problem",
    "model",
    "older",
    "newer",
    "key",
    "prefix",
    "batch",
    "delivery",
    "queue",
    "late",
    "ids",
)
"""What an operator may say, in the order of the page's form."""
CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "state": tuple(ITEM.states),
    "problem": (ANY_PROBLEM, *Problem),
    "delivery": tuple(DELIVERY.states),
    "late": ("yes",),
}
_FIELDS: Final = {"prefix": "key_prefix", "batch": "batch_id", "older": "enqueued_before", "newer": "enqueued_since"}
"""Fields that have another name than their word."""


def read(given: Mapping[str, str], *, now: datetime | None = None, spoken_as: Callable[[str], str] = str) -> ItemFilter:
    """A filter from what was written; an empty word doesn't matter. Raises UnknownName with every fault of form.

    spoken_as: how whoever wrote it calls a word, as `--older` on a command line.
    """
    now = now or datetime.now(UTC)
    said = {name: value.strip() for name, value in given.items() if value.strip()}
    faults = [f"there is no filter {name!r}: {', '.join(WORDS)}" for name in said if name not in WORDS]
    values: dict[str, object] = {}
    for name in WORDS:
        if name not in said:
            continue
        try:
            values[_FIELDS.get(name, name)] = _value(name, said[name], now, spoken_as(name))
        except ValueError as error:
            faults.append(str(error))
    if faults:
        raise UnknownName("; ".join(faults))
    return ItemFilter(**values)  # type: ignore[arg-type]


def _value(name: str, text: str, now: datetime, spoken: str) -> object:
    """What a word means. spoken: how it is called in errors."""
    if name in ("older", "newer"):
        return moments.moment(text, spoken, now)
    if name == "ids":
        if re.fullmatch(r"[1-9]\d{0,17}(,[1-9]\d{0,17}){0,999}", text, re.ASCII) is None:
            raise ValueError("ids are numbers of items, with commas between, at most a thousand")
        return tuple(sorted({int(number) for number in text.split(",")}))
    if name == "batch":
        if re.fullmatch(r"[1-9]\d{0,17}", text, re.ASCII) is None:
            raise ValueError(f"{spoken}: a batch is a number, and not {text!r}")
        return int(text)
    if name == "late":
        if text != "yes":
            raise ValueError(f"late is 'yes', or isn't said; not {text!r}")
        return True
    if "\x00" in text:
        raise ValueError(f"{spoken} holds a zero byte, which no name has")
    return text


def written(wanted: ItemFilter) -> dict[str, str]:
    """The words of a filter: what `read` makes the same filter of."""
    words = {field: word for word, field in _FIELDS.items()}
    said: dict[str, str] = {}
    for field, value in wanted.narrowed.items():
        text = "yes" if value is True else str(value)
        if isinstance(value, tuple):
            text = ",".join(map(str, value))
        elif isinstance(value, datetime):
            text = moments.written(value)
        said[words.get(field, field)] = text
    return {word: said[word] for word in WORDS if word in said}


def spoken(wanted: ItemFilter) -> str:
    """A filter for a person: "lane copy, problem any"; "all items" when nothing narrows it down."""
    said = written(wanted)
    if wanted.ids is not None:
        said["ids"] = f"{len(wanted.ids):,} selected"
    return ", ".join(text if word == "ids" else f"{word} {text}" for word, text in said.items()) or "all items"


def check(wanted: ItemFilter, ledger: Database | None = None) -> None:
    """Raise UnknownName with every name of a filter that isn't there, and what there is instead."""
    filters.check(
        lane=wanted.lane,
        run=wanted.run,
        tenant=wanted.tenant,
        model=wanted.model,
        batch=wanted.batch_id,
        key=wanted.key,
        queue=wanted.queue,
        item_state=wanted.state,
        delivery_state=wanted.delivery,
        problem=wanted.problem,
        any_problem=True,
        ledger=ledger,
    )
