"""Lanes: the policy in force on each host, who paused what and why, and what waits in each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import redis

from overnight_models.ledger.operators import lanes
from overnight_models.ledger.workspaces import workspaces
from overnight_workers import process
from overnight_workers.configuration import showing
from overnight_workers.flower_tab.page import Page
from overnight_workers.operators import lane_policies
from overnight_workers.operators.for_everybody import paused_reason
from overnight_workers.operators.lane_policies import HostPolicy
from overnight_workers.settings import Lane, settings

_COLUMNS: Final = ("workspace", "road", "max_items", "max_wait", "submit_window")


class LanesPage(Page):
    """`/lanes`."""

    tab = "lanes"

    async def answer(self, *parts: str) -> None:
        """Every lane, by name; its policy on each host whose workers show it."""
        del parts
        states, spaces = await self.ask(lambda connection: (lanes.states(connection), workspaces(connection)))
        policies, fault = await self.application.reader.do(_policies)
        names = sorted({*settings().lanes, *(state.name for state in states)} | {n for p in policies for n in p.lanes})
        self.show(
            "lanes.html",
            names=names,
            states={state.name: state for state in states},
            policies={
                name: [(policy, _others(policy, name)) for policy in policies if name in policy.lanes] for name in names
            },
            fault=fault,
            configured=settings().lanes,
            held=[space for space in spaces if space.held_for_s is not None],
            paused_reason=paused_reason,
        )


def _policies() -> tuple[Sequence[HostPolicy], str | None]:
    """What the hosts show, and why that can't be read."""
    try:
        return lane_policies.read(process.redis_client()), None
    except (redis.RedisError, OSError) as error:
        return (), " ".join(str(error).split())


def _others(policy: HostPolicy, lane: str) -> dict[str, object]:
    """Options that have no column and aren't as they are by default."""
    default = showing.options(Lane())
    return {
        name: value for name, value in policy.lanes[lane].items() if name not in _COLUMNS and value != default.get(name)
    }
