"""Rates: how many tokens a byte of a request is, as the lane's earlier prompts had; read once a minute."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from overnight_models.errors import TransientError
from overnight_models.ledger.money import history
from overnight_models.ledger.money.history import PromptRate
from overnight_workers import process
from overnight_workers.held import held
from overnight_workers.settings import settings
from overnight_workers.sizes.choice import ASSUMED, Rate

_FOR_S: Final = 60.0
_FEWEST_ANSWERS: Final = 20
"""From fewer earlier answers nothing is learned."""
_NARROWEST: Final = 0.05
"""However alike earlier prompts were: the next one may be another."""
_DEVIATIONS: Final = 2.0


@dataclass
class _Remembered:
    rates: Mapping[tuple[str, str], Rate] = field(default_factory=dict)
    """By lane and model."""
    read_at: float | None = None
    """By the monotonic clock."""


@held
def _remembered() -> _Remembered:
    return _Remembered()


def forget() -> None:
    """Read the ledger again when it is asked for next."""
    _remembered().read_at = None


def rates_of(lane: str) -> Callable[[str], Rate]:
    """The rates of a lane's models, learned or assumed."""
    remembered = _remembered()
    if remembered.read_at is None or time.monotonic() - remembered.read_at > _FOR_S:
        remembered.rates = _read()
        remembered.read_at = time.monotonic()
    learned = remembered.rates
    return lambda model: learned.get((lane, model), ASSUMED)


def _read() -> dict[tuple[str, str], Rate]:
    if not settings().database_url:
        return {}  # a plan does without
    try:
        with process.database().transaction() as connection:
            learned = history.prompt_rates(connection)
    except TransientError:
        return {}
    return {(rate.lane, rate.model): rate_of(rate) for rate in learned if rate.answers >= _FEWEST_ANSWERS}


def rate_of(known: PromptRate) -> Rate:
    """What earlier prompts say about the next: within two standard deviations, and 5% at least."""
    off = max(_DEVIATIONS * known.deviation, _NARROWEST * known.per_byte)
    return Rate(max(known.per_byte - off, 0.0), known.per_byte, known.per_byte + off)
