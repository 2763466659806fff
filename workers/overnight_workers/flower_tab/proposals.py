"""An act of an operator: what it proposes, and what it has done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from overnight_models.ledger.operators.actions import By

Fields = Mapping[str, str]
"""The fields of a form, or the same words in a link: each by its name."""


@dataclass(frozen=True)
class Proposal:
    """What an act would do, before it does anything."""

    title: str
    text: str
    verb: str
    """What the button says."""
    is_possible: bool = True
    is_dangerous: bool = False
    asks: tuple[tuple[str, str], ...] = ()
    """What has to be written yet: the field's name, and its label."""
    is_now: str = ""
    """What stands in that field at first."""
    needs_all: bool = False
    """Nothing narrows it down: the person has to say that everything is meant."""


@dataclass(frozen=True)
class Done:
    """What an act has done, or has begun."""

    text: str
    action_id: int | None = None
    """Of one that goes on in the background."""


@dataclass(frozen=True)
class Act:
    """One thing that an operator may do."""

    propose: Callable[[Fields], Proposal]
    perform: Callable[[Fields, By], Done]
