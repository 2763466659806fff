"""The filter of actions as an operator writes it: words of a command or of a URL, checked, and written again.

`since` and `until` are ages ("2h", "3d") or moments ("2026-11-30T06:00", in UTC). A URL bears moments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from overnight_models.ledger.operators.actions import NAMES, ActionFilter
from overnight_workers.operators import moments
from overnight_workers.operators.filters import UnknownName

WORDS: Final = ("who", "act", "target", "since", "until")
"""What an operator may say, in the order of the page's form."""
_FIELDS: Final = {"who": "actor", "act": "name"}
"""Fields that have another name than their word."""


def read(given: Mapping[str, str], *, spoken_as: Callable[[str], str] = str) -> ActionFilter:
    """A filter from what was written; an empty word doesn't matter. Raises UnknownName with every fault.

    spoken_as: how whoever wrote it calls a word, as `--since` on a command line.
    """
    faults: list[str] = []
    values: dict[str, object] = {}
    for word, text in given.items():
        if not text.strip():
            continue
        try:
            values[_FIELDS.get(word, word)] = _value(word, text.strip(), spoken_as(word))
        except ValueError as error:
            faults.append(str(error))
    if faults:
        raise UnknownName("; ".join(faults))
    return ActionFilter(**values)  # type: ignore[arg-type]


def _value(word: str, text: str, spoken: str) -> object:
    """What a word means. spoken: how it is called in errors."""
    if word in ("since", "until"):
        return moments.moment(text, spoken)
    if word == "act" and text not in NAMES:
        raise ValueError(f"nobody does {text!r}: people do {', '.join(NAMES)}")
    if "\x00" in text:
        raise ValueError(f"{spoken} holds a zero byte, which no name has")
    return text


def written(wanted: ActionFilter) -> dict[str, str]:
    """The words of a filter: what `read` makes the same filter of."""
    values = {word: getattr(wanted, _FIELDS.get(word, word)) for word in WORDS}
    return {
        word: moments.written(value) if isinstance(value, datetime) else value
        for word, value in values.items()
        if value is not None
    }
