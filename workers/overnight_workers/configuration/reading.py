"""Reading tables of a configuration into frozen dataclasses: every fault at once, a sentence for whoever wrote it.

A dataclass says of each field how its value is read: `setting(whole(at_least=1), 100)`. Whoever reads a value (`kinds`)
returns it, or raises ValueError with what is wrong and what to write instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, Final, TypeVar, cast

from overnight_workers.configuration.kinds import Read, kind_of

T = TypeVar("T")
P = TypeVar("P")

_READ: Final = "read"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")


@dataclass
class Faults:
    """What is wrong so far, and where: what depends on a value that is wrong isn't judged."""

    said: list[str] = field(default_factory=list)
    wrong: set[tuple[str, ...]] = field(default_factory=set)
    sources: Mapping[str, str] = field(default_factory=dict)
    """How a first name is called, where it didn't come from the file: the environment variable."""

    def add(self, at: tuple[str, ...], fault: str) -> None:
        """Something is wrong at that place."""
        self.wrong.add(at)
        self.said.append(f"{self.place(at)}: {fault}")

    def place(self, at: tuple[str, ...]) -> str:
        """A place as the file has it, such as `[lanes.copy] max_wait`."""
        if len(at) == 1:
            return self.sources.get(at[0], at[0])
        is_value = len(at) > 2 or at[0] in _TABLES_OF_VALUES
        table = ".".join(at[:-1] if is_value else at)
        return f"[{table}] {at[-1]}" if is_value else f"[{table}]"

    def is_right(self, *at: str) -> bool:
        """Nothing was wrong there, nor with the table that it stands in."""
        return not any(at[:length] in self.wrong for length in range(1, len(at) + 1))


_TABLES_OF_VALUES: Final = ("timing", "direct", "own_broker", "links", "roles", "privacy", "alarms")
"""Tables that hold values; the others hold tables."""


def setting(read: Read[T], default: T) -> T:
    """A field of a dataclass that is read by `read`, and is `default` where nothing is said."""
    return field(default=default, metadata={_READ: read})


def made_setting(read: Read[T], make: Callable[[], T]) -> T:
    """The same, whose default is made each time."""
    return field(default_factory=make, metadata={_READ: read})


def secret(read: Read[T], default: T) -> T:
    """The same of what may hold a password: it isn't in the dataclass's repr."""
    return field(default=default, repr=False, metadata={_READ: read})


def required_secret(read: Read[T]) -> T:
    """The same, and it has to be said."""
    return cast("T", field(repr=False, metadata={_READ: read}))


def read_part(kind: type[P], given: object, at: tuple[str, ...], faults: Faults, tables: Iterable[str] = ()) -> P:
    """A dataclass from a table of the file. What is wrong is noted, and has its default in what is returned.

    tables: names that stand in it too, and are read by somebody else.
    """
    known = {setting_.name: setting_ for setting_ in fields(cast("Any", kind)) if _READ in setting_.metadata}
    if not isinstance(given, Mapping):
        faults.add(at, f"it is a table of settings ({', '.join(list(known)[:3])}, …), and not {kind_of(given)}")
        given = {}
    values: dict[str, object] = {}
    for name in given:
        if name not in known and name not in tables:
            faults.add((*at, str(name)), f"there is no such setting{near(str(name), [*known, *tables])}")
    for name, setting_ in known.items():
        if name in given:
            try:
                values[name] = setting_.metadata[_READ](given[name])
                continue
            except ValueError as error:
                faults.add((*at, name), str(error))
        elif _is_required(setting_):
            faults.add((*at, name), "it has to be said")
        if _is_required(setting_):
            values[name] = ""
    return kind(**values)


def read_table(kind: type[P], given: object, at: str, faults: Faults) -> dict[str, P]:
    """Dataclasses by name, from tables such as `[lanes.NAME]`."""
    if not isinstance(given, Mapping):
        faults.add((at,), f"it holds tables, such as [{at}.NAME], and isn't {kind_of(given)}")
        return {}
    parts: dict[str, P] = {}
    for name, part in given.items():
        if _NAME.fullmatch(str(name)) is None:
            faults.add(
                (at, str(name)),
                "a name has at most 63 small letters, digits, '.', '_' and '-', and begins with a letter or digit",
            )
        parts[str(name)] = read_part(kind, part, (at, str(name)), faults)
    return parts


def _is_required(setting_: Field[Any]) -> bool:
    return setting_.default is MISSING and setting_.default_factory is MISSING


def near(name: str, known: Iterable[str]) -> str:
    """What was probably meant, or which names there are: the end of a sentence."""
    from difflib import get_close_matches

    names = {name.lower(): name for name in known}
    close = get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    if close:
        return f": did you mean {names[close[0]]}?"
    return f" (there are: {', '.join(names.values())})"
