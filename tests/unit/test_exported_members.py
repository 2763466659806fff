"""Whatever a product is given, or may catch, has a public name."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Iterator
from typing import Any

import overnight_producers
from overnight_models import errors
from overnight_models.wire.outcome import Problem, ProblemName
from overnight_producers import Overnight

PUBLIC = {getattr(overnight_producers, name) for name in overnight_producers.__all__}


def classes_in(hint: Any) -> Iterator[type]:
    """Our own classes in a type hint, those in its arguments included."""
    for argument in typing.get_args(hint):
        yield from classes_in(argument)
    if inspect.isclass(hint) and hint.__module__.startswith("overnight_"):
        yield hint


def test_all_is_in_order() -> None:
    names = overnight_producers.__all__
    assert names == sorted(names, key=lambda name: (name.islower(), name))


def test_what_is_taken_or_returned_is_exported() -> None:
    found: set[type] = set()
    for name, method in inspect.getmembers(Overnight, inspect.isfunction):
        if not name.startswith("_"):
            for hint in typing.get_type_hints(method).values():
                found |= set(classes_in(hint))
    for kind in list(found):
        if dataclasses.is_dataclass(kind):
            for hint in typing.get_type_hints(kind).values():
                found |= set(classes_in(hint))
    assert found
    assert {kind.__name__ for kind in found if kind not in PUBLIC} == set()


def test_what_is_raised_is_exported() -> None:
    ours = {name for name, kind in vars(errors).items() if getattr(kind, "__module__", "") == errors.__name__}
    assert ours <= set(overnight_producers.__all__)


def test_the_names_of_problems_are_those_of_the_enum() -> None:
    assert typing.get_args(ProblemName) == tuple(problem.value for problem in Problem)
