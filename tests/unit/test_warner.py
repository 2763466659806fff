"""A product is told at enqueue what is likely to go wrong; a kind of request is thought about once."""

from __future__ import annotations

from typing import Any

import pytest

from overnight_producers import warner
from overnight_producers.warner import Warner
from tests.driving import params


def test_known_traps_are_told() -> None:
    (warning,) = Warner().warnings(params())
    assert "thinking spends max_tokens" in warning
    assert Warner().warnings(params(max_tokens=5_000)) == ()


def test_a_kind_is_thought_about_once(monkeypatch: pytest.MonkeyPatch) -> None:
    thought: list[Any] = []

    def thought_about(*request: Any) -> tuple[str, ...]:
        thought.append(request)
        return ("careful",)

    monkeypatch.setattr(warner, "_thought_about", thought_about)
    first = Warner()
    assert {first.warnings(params(f"text {n}")) for n in range(100)} == {("careful",)}
    first.warnings(params(max_tokens=77))
    assert len(thought) == 2


@pytest.mark.parametrize(
    "odd", [{"model": ["a"]}, {"model": "claude-nothing"}, {"max_tokens": {}}, {"messages": 3}, {"tools": "none"}]
)
def test_what_is_no_request_is_told_elsewhere(odd: dict[str, Any]) -> None:
    assert isinstance(Warner().warnings(params() | odd), tuple)
