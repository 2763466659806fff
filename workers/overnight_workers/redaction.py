"""Redaction: fields that `[privacy] redact` names are shown to nobody: in no body, error, log line or trace.

A path begins with `params.` (a request), `message.` (an answer) or `callback.`; names follow, with dots between, and
`*` for every element of a list or every field: `params.messages.*.content`. All that lies below it is hidden with it.
A name alone, such as `email`, is a field of that name wherever it stands. In texts that others wrote a field is known
by its name: what follows `email:`, `"email":` or `email=` is hidden.

**Invariant:** this is the only place that knows what a path means. What is stored, sent and delivered isn't changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from overnight_models import exact_json
from overnight_models.errors import BadSettings
from overnight_workers.settings import settings

HIDDEN: Final = "\N{HORIZONTAL ELLIPSIS}"
_SHORTEST: Final = 4
"""Characters of a value that is hidden where an error quotes it: a shorter one is in too many words."""
_VALUE: Final = r""""(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|\[[^\]]*\]?|\{[^}]*\}?|[^\s,;)\]}]+"""


class _Rules(NamedTuple):
    """What is hidden."""

    names: frozenset[str]
    """Wherever they stand."""
    paths: tuple[tuple[str, ...], ...]
    said: re.Pattern[str] | None
    """A field with its value, as texts have it."""


@lru_cache(maxsize=4)
def _compiled(redact: tuple[str, ...]) -> _Rules:
    parts = [tuple(path.split(".")) for path in redact]
    last = {next(part for part in reversed(path) if part != "*") for path in parts}
    words = "|".join(map(re.escape, sorted(last, key=len, reverse=True)))
    said = (
        re.compile(rf"""(?<![\w-])(["'`]?(?:{words})["'`]?\s*[:=]\s*)(?:{_VALUE})""", re.IGNORECASE) if words else None
    )
    return _Rules(frozenset(path[0] for path in parts if len(path) == 1), tuple(p for p in parts if len(p) > 1), said)


def _rules() -> _Rules:
    try:
        return _compiled(settings().privacy.redact)
    except BadSettings:
        return _compiled(())  # whoever reads the settings says it


def document(value: object, within: str = "") -> object:
    """A JSON value without what is hidden. within: what it is (`params`, `message`, `callback`); "": none of these."""
    rules = _rules()
    if not rules.names and not rules.paths:
        return value
    return _without(value, rules.names, [path[1:] for path in rules.paths if path[0] == within])


def json_text(text: str, within: str) -> str:
    """The same of a JSON text; all of it is hidden when it can't be read."""
    rules = _rules()
    if not rules.names and not rules.paths:
        return text
    try:
        return exact_json.dumps(document(exact_json.loads(text), within)).decode()
    except (ValueError, RecursionError):
        return HIDDEN


def text(said: str, hidden: Iterable[str] = ()) -> str:
    """A text that others wrote, such as an error. hidden: values that it may quote (`values`)."""
    rules = _rules()
    for value in sorted(hidden, key=len, reverse=True):
        if len(value) >= _SHORTEST:
            said = said.replace(value, HIDDEN)
    return said if rules.said is None else rules.said.sub(rf"\g<1>{HIDDEN}", said)


def values(text_: str | None, within: str) -> set[str]:
    """The texts that are hidden in a JSON text: an error about it may quote them."""
    rules = _rules()
    if text_ is None or not (rules.names or rules.paths):
        return set()
    try:
        whole = exact_json.loads(text_)
    except (ValueError, RecursionError):
        return set()
    return set(_hidden_in(whole, rules.names, [path[1:] for path in rules.paths if path[0] == within]))


def fields(given: Mapping[str, object]) -> dict[str, object]:
    """Named values, such as those of a line in a log, without what is hidden."""
    rules = _rules()
    if rules.said is None:
        return dict(given)
    return {name: _field(name, value, rules.names) for name, value in given.items()}


def _field(name: str, value: object, names: frozenset[str]) -> object:
    if name in names:
        return HIDDEN
    return _with_texts(document(value))


def _with_texts(value: object) -> object:
    """A value of `document`, whose texts are shown as `text` has them, however deep they lie."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Mapping):
        return {name: _with_texts(part) for name, part in value.items()}
    return [_with_texts(part) for part in value] if isinstance(value, list) else value


def _without(value: object, names: frozenset[str], paths: list[tuple[str, ...]]) -> object:
    if isinstance(value, Mapping):
        return {name: _below(str(name), part, names, paths) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_below(str(place), part, frozenset(), paths, names) for place, part in enumerate(value)]
    return value


def _below(
    name: str, part: object, names: frozenset[str], paths: list[tuple[str, ...]], deeper: frozenset[str] | None = None
) -> object:
    left = [path[1:] for path in paths if path[0] in (name, "*")]
    if name in names or () in left:
        return HIDDEN
    return _without(part, names if deeper is None else deeper, left)


def _hidden_in(value: object, names: frozenset[str], paths: list[tuple[str, ...]]) -> Iterator[str]:
    is_object = isinstance(value, Mapping)
    parts = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        left = [path[1:] for path in paths if path[0] in (str(name), "*")]
        if (is_object and name in names) or () in left:
            yield from _texts(part)
        else:
            yield from _hidden_in(part, names, left)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(part)
