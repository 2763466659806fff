"""The warner: what is likely to come back as an error, or cut off, is told at enqueue.

Nothing here keeps an item out. A kind of request is thought about once, however many there are of it; what is known of
models is what came with this package.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Final

from overnight_models.request.traps import kind, traps_now

if TYPE_CHECKING:
    from overnight_models.money.prices import Prices

_KINDS: Final = 1_000
_GOOD_FOR_S: Final = 3600.0
"""After so long kinds are thought about again: models end."""


class Warner:
    """Remembers the kinds of one process; safe in threads."""

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[str, ...]] = {}
        self._until = 0.0

    def warnings(self, params: Mapping[str, object], betas: Sequence[str] = ()) -> tuple[str, ...]:
        """What is likely to go wrong with a request, a sentence each."""
        of = kind(params, betas)
        if time.monotonic() > self._until or len(self._known) > _KINDS:
            self._known, self._until = {}, time.monotonic() + _GOOD_FOR_S
        try:
            traps = self._known.get(of)
        except TypeError:
            return ()  # it isn't a request as the API takes it: that is told as a fault
        if traps is None:
            traps = self._known[of] = _thought_about(params, betas)
        return traps


def _thought_about(params: Mapping[str, object], betas: Sequence[str]) -> tuple[str, ...]:
    model = _prices().model(str(params.get("model")))
    if model is None:
        return ()
    return tuple(trap.text for trap in traps_now(params, model, datetime.now(UTC).date(), betas=betas))


@cache
def _prices() -> Prices:
    from overnight_models.money.prices import load  # with the first item, not at a product's start

    return load()
