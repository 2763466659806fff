"""Crash points: where a test may end this process as `kill -9` would, to see what is left behind and comes home.

`reach` stands before and after every write and every call to the outside, at the few places through which all of them
go: between any two of them there is a point, so that no death differs from all those that can be tried. Nothing
happens there unless a test has armed this process. The product never does, and reads nothing that could.
"""

from __future__ import annotations

from collections.abc import Callable

armed: Callable[[str], None] | None = None
"""What a test does at each point. It may end the process; it must not raise."""


def reach(point: str) -> None:
    """Here this process may die. point: what was just done or is about to be, such as "before commit"."""
    if armed is not None:
        armed(point)
