"""A judge: a model that is shown two answers of each row, in both orders, and says which is better.

A judge that changes its mind with the order says nothing of that row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import BaseModel

from overnight_models import exact_json
from overnight_producers import Item
from overnight_workers.catalogs.compare.paired import Significance
from overnight_workers.catalogs.compare.sides import Answer, Asked
from overnight_workers.catalogs.trying import asked

_MAX_TOKENS: Final = 200
_SYSTEM: Final = (
    "You compare two answers to one request. Judge what they say, not how long they are. Say `same` when neither is"
    " clearly better."
)
Orders = tuple[Item, Item]
"""The question with the first side's answer first, and with the second side's."""


class Verdict(BaseModel):
    """What a judge says."""

    better: Literal["first", "second", "same"]


@dataclass(frozen=True)
class Judged:
    """What a judge said about two sides."""

    model: str
    first: int
    """Rows on which the first side is better, in both orders."""
    second: int
    same: int
    by_order: int
    """Rows on which the verdict went with the order."""
    without: int
    """Rows without two verdicts that can be used."""
    test: Significance


def questions(
    model: str, first: Asked, second: Asked, answers: tuple[Mapping[bytes, Answer], Mapping[bytes, Answer]]
) -> dict[bytes, Orders]:
    """What the judge is asked about each row that both sides answered, by the hash of the row."""
    orders = {}
    for entry in answers[0].keys() & answers[1].keys():
        answer, other = answers[0][entry], answers[1][entry]
        if answer.ok and other.ok and entry in first.items:
            request = asked(first.items[entry].params)
            texts = answer.text, other.text
            orders[entry] = (
                _question(model, first.side.catalog.name, entry, request, texts),
                _question(model, first.side.catalog.name, entry, request, (texts[1], texts[0])),
            )
    return orders


def _question(model: str, catalog: str, entry: bytes, request: str, texts: tuple[str, str]) -> Item:
    parts = (("request", request), ("first", texts[0]), ("second", texts[1]))
    shown = "\n\n".join(f"<{name}>\n{text}\n</{name}>" for name, text in parts)
    params = {
        "model": model,
        "max_tokens": _MAX_TOKENS,
        "thinking": {"type": "disabled"},
        "system": _SYSTEM,
        "messages": [{"role": "user", "content": f"{shown}\n\nWhich answer is better: first, second, or same?"}],
    }
    digest = hashlib.blake2b(exact_json.dumps(params, sort_keys=True), digest_size=8).hexdigest()
    return Item(params=params, key=f"judge/{catalog}/{entry.hex()}/{digest}", output=Verdict, if_known="deliver")


def judged(model: str, asked_: Mapping[bytes, Orders], said: Mapping[str, str | None]) -> Judged:
    """Count the verdicts. said: `first`, `second` or `same` by the item's key; None where there is none."""
    counts = {"first": 0, "second": 0, "same": 0, "by_order": 0, "without": 0}
    for verdict in _verdicts(asked_, said):
        counts[verdict] += 1
    return Judged(model, **counts, test=_sign_test(counts["first"], counts["second"]))


def _verdicts(asked_: Mapping[bytes, Orders], said: Mapping[str, str | None]) -> Iterator[str]:
    turned = {"first": "second", "second": "first", "same": "same", None: None}
    for straight, other in asked_.values():
        straight_verdict, turned_verdict = said.get(straight.key or ""), turned[said.get(other.key or "")]
        if straight_verdict is None or turned_verdict is None:
            yield "without"
        else:
            yield straight_verdict if straight_verdict == turned_verdict else "by_order"


def _sign_test(first: int, second: int) -> Significance:
    from scipy.stats import binomtest

    if first + second == 0:
        return Significance(1.0, "sign test: no row was decided")
    return Significance(float(binomtest(first, first + second).pvalue), "sign test")
