"""Whatever a product is given, or may catch, has a public name."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import subprocess
import sys
import typing
from collections.abc import Iterator
from types import ModuleType
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
    types: set[type] = set()
    for name, method in inspect.getmembers(Overnight, inspect.isfunction):
        if not name.startswith("_"):
            for hint in typing.get_type_hints(method).values():
                types |= set(classes_in(hint))
    for kind in list(types):
        if dataclasses.is_dataclass(kind):
            for hint in typing.get_type_hints(kind).values():
                types |= set(classes_in(hint))
    assert types
    assert {kind.__name__ for kind in types if kind not in PUBLIC} == set()


def test_hints_are_read_without_pydantic() -> None:
    """By FastAPI, typeguard and others; `import overnight_producers` doesn't import pydantic, which takes its time."""
    code = (
        "import inspect, sys, typing, overnight_producers as public\n"
        "read = [typing.get_type_hints(member) for kind in vars(public).values() if inspect.isclass(kind)"
        " for name, member in inspect.getmembers(kind, inspect.isfunction) if not name.startswith('_')]\n"
        "typing.get_type_hints(public.Item); print(len(read), 'pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    number, imported = done.stdout.split() or [done.stderr, ""]
    assert (int(number) > 30, imported) == (True, "False")


def public_annotations() -> Iterator[tuple[ModuleType, str]]:
    """What is written after the colons and arrows of everything public, and the module in which that is."""
    for exported in PUBLIC:
        members = list(vars(exported).items()) if inspect.isclass(exported) else [("", exported)]
        for name, member in [*members, ("", exported)]:
            written = getattr(inspect.unwrap(getattr(member, "fget", None) or member), "__annotations__", {})
            if not name.startswith("_") or name == "__init__":
                for hint in written.values():
                    if isinstance(hint, str):
                        yield sys.modules[exported.__module__], hint


def test_names_in_public_signatures_are_exported() -> None:
    """An alias of a Literal has no class that could be met: it is seen by its name in the source."""
    missing, met = set(), set()
    for module, hint in public_annotations():
        names = [node.id for node in ast.walk(ast.parse(hint)) if isinstance(node, ast.Name)]
        for name in names:
            if typing.get_origin(alias := getattr(module, name, None)) is typing.Literal:
                met.add(name)
                if alias not in PUBLIC:
                    missing.add(name)
    assert missing == set()
    assert {"IfKnown", "ProblemName"} <= met


def test_what_is_raised_is_exported() -> None:
    ours = {name for name, kind in vars(errors).items() if getattr(kind, "__module__", "") == errors.__name__}
    assert ours <= set(overnight_producers.__all__)


def test_the_names_of_problems_are_those_of_the_enum() -> None:
    assert typing.get_args(ProblemName) == tuple(problem.value for problem in Problem)
