"""Rate limits of real time, for operators: how much of each is used, which is used up, and what waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from overnight_models.ledger.roads.kept import MOST_COUNTED
from overnight_models.money.rate_limits import pool
from overnight_models.quantities import several, spoken

if TYPE_CHECKING:
    from overnight_workers.limiter import Bucket, BucketUse, PoolUse
    from overnight_workers.operators.snapshot import Snapshot

_NAMES: Final[dict[Bucket, str]] = {
    "requests": "requests",
    "input_tokens": "input tokens",
    "output_tokens": "output tokens",
}


@dataclass(frozen=True)
class LimitView:
    """The limits of one pool of models of a workspace."""

    use: PoolUse
    items: int
    """That wait for it; a thousand of each model and lane at most."""

    @property
    def shares(self) -> dict[str, float]:
        """How much of each limit was used in the last minute: 1 is all of it."""
        return {_NAMES[bucket]: share(use) for bucket, use in self.use.buckets.items()}

    @property
    def used_up(self) -> list[str]:
        """The limits that requests had to wait for in the last ten seconds."""
        return [_NAMES[bucket] for bucket, use in self.use.buckets.items() if use.is_short]

    @property
    def is_at_work(self) -> bool:
        """Whether anything was used in the last minute, or something waits."""
        return bool(self.items or self.use.paused_s or any(use.used for use in self.use.buckets.values()))

    @property
    def text(self) -> str:
        """As a person reads it."""
        shares = ", ".join(f"{name} {used:.0%}" for name, used in self.shares.items())
        more = [f"used up: {', '.join(self.used_up)}"] if self.used_up else []
        more += [f"at {self.use.factor:.0%} of its pace after a 429 or 529"] if self.use.factor < 1 else []
        more += [f"told to wait for {spoken(self.use.paused_s)} more"] if self.use.paused_s > 0 else []
        more += [f"{self.waiting} wait for it"] if self.items else []
        return f"limits of {self.use.pool} ({self.use.workspace}): {'; '.join([shares, *more])}"

    @property
    def waiting(self) -> str:
        """How many items wait for it."""
        return f"{several(self.items, 'item')}{' or more' if self.items >= MOST_COUNTED else ''}"


def share(use: BucketUse) -> float:
    """How much of a limit was used in the last minute."""
    return use.used / max(use.limit, 1)


def limits(seen: Snapshot) -> list[LimitView]:
    """Every pool that was used in the last day; those that wait first."""
    views = [
        LimitView(
            use,
            sum(
                limit.items
                for limit in seen.troubles.limited
                if (limit.workspace, pool(limit.model)) == (use.workspace, use.pool)
            ),
        )
        for use in seen.limits
    ]
    return sorted(views, key=lambda view: (-view.items, view.use.workspace, view.use.pool))


def documents(seen: Snapshot) -> list[dict[str, object]]:
    """The same as JSON."""
    return [_document(view) for view in limits(seen)]


def _document(view: LimitView) -> dict[str, object]:
    use = view.use
    return {
        "workspace": use.workspace,
        "pool": use.pool,
        "items_waiting": view.items,
        "paused_s": use.paused_s,
        "pace": use.factor,
        "workers": use.workers,
        "buckets": {
            bucket: {
                "limit": each.limit,
                "used": each.used,
                "share": round(share(each), 4),
                "is_used_up": each.is_short,
                "left": each.left,
            }
            for bucket, each in use.buckets.items()
        },
    }


def shares(seen: Snapshot) -> Iterator[tuple[str, str, str, float, bool]]:
    """For metrics: workspace, pool, limit, how much of it is used, and whether it is used up."""
    for use in seen.limits:
        for bucket, each in use.buckets.items():
            yield use.workspace, use.pool, bucket, share(each), each.is_short
