"""A snapshot as everybody may see it: in texts that others wrote, nothing of what may be of a request."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final, TypeVar

from overnight_workers.operators import targets
from overnight_workers.operators.foreign_texts import everybody
from overnight_workers.operators.snapshot import Snapshot

V = TypeVar("V", bound=Any)

ALIKE: Final = "everything is rejected alike: "
"""What Overnight says of a lane that it pauses itself; the API's words follow. Other reasons are an operator's."""


def for_everybody(seen: Snapshot) -> Snapshot:
    """The same, for pages, JSON, metrics, and whoever is told of alarms."""
    troubles = seen.troubles
    return replace(
        seen,
        lanes=tuple(replace(lane, paused_reason=paused_reason(lane.paused_reason)) for lane in seen.lanes),
        unfinished=_without(seen.unfinished, "reason"),
        finished=_without(seen.finished, "reason"),
        dead=tuple(
            replace(dead, error=dead.error and everybody(dead.error, names=targets.names(dead.broker, dead.queue)))
            for dead in seen.dead
        ),
        workspaces=_without(seen.workspaces, "held_reason", "unread_why"),
        troubles=replace(
            troubles,
            unclear=_without(troubles.unclear, "why", "so_far"),
            unread=_without(troubles.unread, "why"),
            obstacles=tuple(
                replace(obstacle, why=everybody(obstacle.why, names=targets.names(obstacle.broker, obstacle.queue)))
                for obstacle in troubles.obstacles
            ),
            failures=tuple(failure._replace(why=everybody(failure.why)) for failure in troubles.failures),
            limited=tuple(limit._replace(why=everybody(limit.why)) for limit in troubles.limited),
            relays=_without(troubles.relays, "aside_why", "failing_why"),
        ),
    )


def paused_reason(reason: str | None) -> str | None:
    """Why a lane is paused."""
    if reason is None or not reason.startswith(ALIKE):
        return reason
    return ALIKE + everybody(reason.removeprefix(ALIKE))


def _without(views: Iterable[V], *names: str) -> tuple[V, ...]:
    return tuple(
        replace(
            view, **{name: None if getattr(view, name) is None else everybody(getattr(view, name)) for name in names}
        )
        for view in views
    )
