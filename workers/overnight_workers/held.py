"""What one process holds on to: connections, clients and what was read once; all of it in one place.

`@held` keeps what a function makes until `forget` or `close`. So a child of a fork begins with nothing of its parent,
and a test with nothing of another test.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import wraps
from threading import RLock
from typing import ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")

_values: dict[tuple[Callable[..., object], tuple[Hashable, ...]], object] = {}
_making = RLock()
"""Of several threads that need the same thing first, one makes it."""


def held(make: Callable[P, R]) -> Callable[P, R]:
    """Make it on first use, for each set of positional arguments, and then hold on to it."""

    @wraps(make)
    def get(*args: P.args, **kwargs: P.kwargs) -> R:
        key = (make, cast("tuple[Hashable, ...]", args))
        if key not in _values:
            with _making:
                if key not in _values:
                    _values[key] = make(*args, **kwargs)
        return cast("R", _values[key])

    return get


def forget() -> None:
    """After a fork: what the parent holds isn't used, and its connections aren't closed."""
    values = list(_values.values())
    _values.clear()
    for value in values:
        # sockets that two processes share: given up without a word to the server
        if callable(give_up := getattr(value, "forget", None)):
            give_up()


def close() -> None:
    """Close everything, and hold nothing."""
    values = list(_values.values())
    _values.clear()
    for value in values:
        if callable(end := getattr(value, "close", None)):
            end()
