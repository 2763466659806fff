"""Whoever waits in a test for something that comes has twenty seconds and more: a busy machine keeps no shorter bound.

Who waits less than three seconds waits for nothing: that something doesn't come, or for a pace of its own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]
BY_THE_CLOCK = {"benchmarks", "drill"}
"""What is measured there is time."""
LEAST_S = 20
IN_VAIN_S = 3
WAITS = {"result", "join", "wait"}
"""Of futures, threads, processes, events and what products wait for."""


def bounds(path: Path) -> Iterator[tuple[int, float, bool]]:
    """Each wait with a bound in numbers: its line, its seconds, and whether it is `wait_until`, which always hopes."""
    for call in ast.walk(ast.parse(path.read_text())):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name | ast.Attribute):
            continue
        name = call.func.id if isinstance(call.func, ast.Name) else call.func.attr
        if name != "wait_until" and name not in WAITS:
            continue
        values = [keyword.value for keyword in call.keywords if keyword.arg in ("timeout", "timeout_s")]
        values += call.args[1:2] if name == "wait_until" else call.args[:1]
        for value in values:
            if isinstance(value, ast.Constant) and isinstance(value.value, int | float):
                yield call.lineno, float(value.value), name == "wait_until"


def test_whoever_waits_for_what_comes_waits_for_twenty_seconds_at_least() -> None:
    short = [
        f"{path.relative_to(TESTS)}:{line}: {seconds:g} s"
        for path in sorted(TESTS.rglob("*.py"))
        if path.name != "test_waiting.py" and BY_THE_CLOCK.isdisjoint(path.relative_to(TESTS).parts)
        for line, seconds, hopes in bounds(path)
        if seconds < LEAST_S and (hopes or seconds >= IN_VAIN_S)
    ]
    assert short == [], "a busy machine takes longer; `wait_until` without a bound has two minutes"
