"""Growth: how large a text, list or number of a template would become, reckoned before it is made.

A width of a thousand million is a few characters of a template and all of a machine's memory: `"%1000000000d"`,
`center`, `ljust`, `to_bytes`. Loops needn't be in it, so their steps don't bound it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Any, Final, TypeAlias

from jinja2 import Environment, pass_environment
from jinja2.filters import FILTERS as JINJAS
from jinja2.filters import make_attrgetter
from jinja2.sandbox import SandboxedEscapeFormatter, SandboxedFormatter
from markupsafe import Markup

from overnight_workers.catalogs import bounds, texts

Value: TypeAlias = Any
"""Whatever a template has at hand, or calls something with."""
_CONVERSION: Final = re.compile(r"%(?:\([^)]*\))?[#0\- +]*(\*|\d*)(?:\.(\*|\d*))?")
_DIGITS: Final = re.compile(r"\d+")


def of_percent(text: str | bytes, given: object) -> int:
    """The characters of `text % given`, at most."""
    parts = given.values() if isinstance(given, Mapping) else given if isinstance(given, tuple) else (given,)
    values: list[object] = list(parts)
    longest = max((bounds.size_of(value) for value in values), default=0)
    starred = max((abs(value) for value in values if isinstance(value, int)), default=0)
    written = text.decode("latin-1") if isinstance(text, bytes) else text
    size = len(written)
    for conversion in _CONVERSION.finditer(written):
        widths = [starred if width == "*" else int(width[:_WIDEST]) for width in conversion.groups() if width]
        size += max([longest, *widths])
        bounds.check_length(size)
    return size


_WIDEST: Final = 18
"""Digits of a width that are read: more are above every bound all the same."""


class _Bounded(SandboxedFormatter):
    """Of `"{:9}".format(…)`: the width of each field, and the length of all."""

    _characters = 0

    def convert_field(self, value: Value, conversion: Any) -> Value:
        part = texts.part_of(value)
        return super().convert_field(value, conversion) if part is value else part

    def format_field(self, value: Value, format_spec: str) -> Value:
        for width in _DIGITS.findall(format_spec):
            bounds.check_length(self._characters + int(width[:_WIDEST]))
        field = super().format_field(value, format_spec)
        self._characters += len(field)
        bounds.check_length(self._characters)
        return field


class _BoundedAndEscaped(_Bounded, SandboxedEscapeFormatter):
    """The same of a text that a filter has escaped."""


def written(given: Value) -> Value:
    """What is right of `%`, each part as a prompt has it. Raises BadRow; UndefinedError."""
    if isinstance(given, tuple):
        return tuple(texts.part_of(value) for value in given)
    if isinstance(given, Mapping):
        return {name: texts.part_of(value) for name, value in given.items()}
    return texts.part_of(given)


def formatted(environment: Environment, text: str, values: Sequence[Value], named: Mapping[str, Value]) -> str:
    """`text.format(…)`. Raises BadRow before it is longer than any prompt."""
    if isinstance(text, Markup):
        return Markup(_BoundedAndEscaped(environment, escape=text.escape).vformat(text, values, named))
    return _Bounded(environment).vformat(text, values, named)


def check_method(method: object, given: list[Value], named: dict[str, Value]) -> None:
    """Raise BadRow when a method would make what no prompt needs. given, named: what it is called with."""
    holder, name = getattr(method, "__self__", None), getattr(method, "__name__", "")
    size = _OF_METHODS.get(name)
    if size is not None and isinstance(holder, (str, bytes, list, int)):
        given[:] = [list(value) if isinstance(value, Iterator) else value for value in given]
        bounds.check_length(size(holder, *given, **named))


def _padded(holder: Value, width: int = 80, *_more: object) -> int:
    return max(len(holder), width)


def _tabs(holder: Value, tabsize: int = 8) -> int:
    tabs: int = holder.count(b"\t" if isinstance(holder, bytes) else "\t")
    return len(holder) + tabs * tabsize


def _replaced(holder: Value, old: Value, new: Value, count: int | None = -1) -> int:
    text = holder if isinstance(holder, bytes) else str(holder)
    times = text.count(old)
    if count is not None and count >= 0:
        times = min(times, count)
    return len(text) + times * (len(new) - len(old))


def _joined(holder: Value, parts: Iterable[Value] = ()) -> int:
    lengths = [len(part) for part in parts if isinstance(part, (str, bytes))]
    return sum(lengths) + len(holder) * len(lengths)


def _translated(holder: Value, table: Value, *_more: object) -> int:
    texts = [value for value in table.values() if isinstance(value, str)] if isinstance(table, Mapping) else []
    return len(holder) * max([1, *map(len, texts)])


def _extended(holder: Value, more: Value = ()) -> int:
    return (len(holder) + len(more)) * bounds.ITEM_BYTES


def _in_bytes(holder: Value, length: int = 1, *_more: object, **_others: object) -> int:
    return length


_OF_METHODS: Final[dict[str, Callable[..., int]]] = {
    **dict.fromkeys(("center", "ljust", "rjust", "zfill"), _padded),
    "expandtabs": _tabs,
    "replace": _replaced,
    "join": _joined,
    "translate": _translated,
    "extend": _extended,
    "to_bytes": _in_bytes,
}


def _indented(text: Value, width: int | str = 4, *_more: object, **_named: object) -> int:
    each = width if isinstance(width, int) else len(width)
    return len(str(text)) + (str(text).count("\n") + 1) * each


def _filled(value: Value, linecount: int, fill_with: object = None) -> int:
    return 0 if fill_with is None else (len(value) + linecount) * bounds.ITEM_BYTES


def _sliced(value: Value, slices: int, fill_with: object = None) -> int:
    return (len(value) + slices) * bounds.PART_CHARACTERS


def _wrapped(text: Value, *_more: object, wrapstring: str | None = None, **_named: object) -> int:
    longest = wrapstring or (_more[2] if len(_more) > 2 else None)  # its place in `wordwrap`
    return len(str(text)) * (1 + len(str(longest or "")))


def _summed(value: Value, attribute: object = None, start: object = 0) -> int:
    lists = [len(part) for part in value if isinstance(part, (list, tuple))] if isinstance(start, (list, tuple)) else []
    return sum(lists) * bounds.ITEM_BYTES


def _rounded(value: object, precision: int = 0, method: str = "common") -> int:
    bounds.check_bits(abs(precision) * 4)
    return 0


@pass_environment
def _join(environment: Environment, value: Iterable[object], d: str = "", attribute: str | int | None = None) -> str:
    """Jinja2's, which looks at no length."""
    parts = value if attribute is None else map(make_attrgetter(environment, attribute), value)
    return bounds.whole(_between(parts, texts.text_of(d)))


def _between(parts: Iterable[object], separator: str) -> Iterator[str]:
    for number, part in enumerate(parts):
        if number:
            yield separator
        yield texts.text_of(part)


def _checked(filter_: Callable[..., Value], size: Callable[..., int]) -> Callable[..., Value]:
    """A filter of Jinja2's that asks first how much it would make."""
    first = int(hasattr(filter_, "jinja_pass_arg"))

    @wraps(filter_)
    def checked(*args: Value, **named: Value) -> Value:
        given = [list(value) if isinstance(value, Iterator) else value for value in args]
        bounds.check_length(size(*given[first:], **named))
        return filter_(*given, **named)

    return checked


def _percent(text: Value, *values: object, **named: object) -> int:
    return of_percent(str(text), named or values)


_OF_FILTERS: Final[dict[str, Callable[..., int]]] = {
    "center": lambda text, width=80: _padded(str(text), width),
    "format": _percent,
    "indent": _indented,
    "batch": _filled,
    "slice": _sliced,
    "wordwrap": _wrapped,
    "replace": lambda text, old, new, count=None: _replaced(str(text), str(old), str(new), count),
    "sum": _summed,
    "round": _rounded,
    "string": bounds.size_of,
}

_OF_TEXT: Final = (
    *("capitalize", "center", "e", "escape", "forceescape", "indent", "lower", "replace", "safe", "string"),
    *("striptags", "title", "trim", "truncate", "upper", "urlencode", "wordcount", "wordwrap"),
)
"""Filters of a text: what isn't one becomes one by our rule, not by Python's. `replace` takes three of them."""


def _of_text(filter_: Callable[..., Value], texts_: int) -> Callable[..., Value]:
    first = int(hasattr(filter_, "jinja_pass_arg"))
    last = first + texts_

    @wraps(filter_)
    def of_text(*args: Value, **named: Value) -> Value:
        return filter_(*args[:first], *map(texts.text_of, args[first:last]), *args[last:], **named)

    return of_text


def _format(text: Value, *values: Value, **named: Value) -> Value:
    """Jinja2's, of which each value is as a prompt has it."""
    return _PERCENT(texts.text_of(text), *written(values), **written(named))


_SIZED: Final = {name: _checked(JINJAS[name], size) for name, size in _OF_FILTERS.items()}
_PERCENT: Final = _SIZED["format"]
FILTERS: Final[dict[str, Callable[..., Value]]] = {
    **_SIZED,
    **{name: _of_text(_SIZED.get(name, JINJAS[name]), 3 if name == "replace" else 1) for name in _OF_TEXT},
    "format": _format,
    "join": _join,
    bounds.JOINED: lambda parts: bounds.whole(map(texts.text_of, parts)),
}
"""In the places of Jinja2's own."""
