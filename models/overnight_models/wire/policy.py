"""The policy: what the workers publish in Redis so that a product hears of most mistakes at enqueue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

import orjson

from overnight_models.request.request import LATEST_API_VERSION, MAX_BATCH_BYTES


@dataclass(frozen=True)
class LanePolicy:
    """What one lane takes."""

    api_version: str = LATEST_API_VERSION
    max_bytes: int = MAX_BATCH_BYTES
    """Bytes of one batch, and so the most that one item may have."""
    callbacks: tuple[str, ...] = ("*",)
    """Names of Celery tasks, and `webhook:NAME`, that outcomes may go to; `*` stands for anything."""
    unknown_price: str = "refuse"
    """What becomes of items whose model has no price: "refuse" or "accept"."""
    models: tuple[str, ...] = ()
    """Those that it chooses from for items that leave `model` out; empty: they have to name one."""
    max_wait_s: float | None = None
    """For how long an item waits for its batch to fill; None where an older version hasn't published it."""

    def allows(self, task: str) -> bool:
        """Whether outcomes may go to that task, or `webhook:NAME`. Celery's own tasks and ours are never callbacks."""
        return _allows(self.callbacks, task)


@lru_cache(maxsize=1024)
def _allows(patterns: tuple[str, ...], task: str) -> bool:
    own = task.startswith(("celery.", "overnight."))
    return not own and any(fnmatchcase(task, pattern) for pattern in patterns)


@dataclass(frozen=True)
class Published:
    """Who published a policy: the workers of another directory may have another one."""

    host: str
    file: str | None
    """The overnight.toml; None when there is none."""
    at: str
    """When, by that host's clock, in ISO 8601."""

    def __str__(self) -> str:
        return f"{self.host}, {self.file or 'no overnight.toml'}"


@dataclass(frozen=True)
class Policy:
    """Lanes, brokers and models as the workers know them."""

    lanes: Mapping[str, LanePolicy]
    brokers: tuple[str, ...]
    """Names of the brokers that callbacks may go through."""
    models: tuple[str, ...]
    published: Published | None = None
    """None before it is published, and of an older version."""
    webhooks: tuple[str, ...] = ()
    """Names of the webhooks that outcomes may go to; none are known to an older version."""

    def dump(self) -> bytes:
        """As published."""
        return orjson.dumps(asdict(self))

    @classmethod
    def load(cls, published: bytes) -> Policy:
        """As read; fields that a newer version adds are passed over."""
        document = orjson.loads(published)
        lanes = {
            name: LanePolicy(
                lane["api_version"],
                lane["max_bytes"],
                tuple(lane["callbacks"]),
                # which an older version didn't publish
                lane.get("unknown_price", "refuse"),
                tuple(lane.get("models", ())),
                lane.get("max_wait_s"),
            )
            for name, lane in document["lanes"].items()
        }
        by = document.get("published")
        whose = None if by is None else Published(by["host"], by["file"], by["at"])
        webhooks = tuple(document.get("webhooks", ()))
        return cls(lanes, tuple(document["brokers"]), tuple(document["models"]), whose, webhooks)
