"""How a sandbox is told to behave."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from overnight_models.money.rate_limits import Tier


@dataclass(frozen=True, slots=True)
class Options:
    """One sandbox's settings. Turnaround, lifetimes and limits are on the sandbox's clock; latency is real time.

    tier: its limits for messages are enforced; None: 10,000 requests a minute, and no tokens.
    …_per_minute: goes over the tier's, by workspace and pool of models, and is enforced.
    latency_spread: the sigma of a log-normal; 0: every call takes as long.
    clock_offset_s: how far its clock is ahead of ours when it first starts, or behind.
    """

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 8900
    turnaround_s: float = 20.0
    speed: float = 1.0
    clock_offset_s: float = 0.0
    instant: bool = False
    seed: int = 0
    faults: list[dict[str, object]] | None = None
    hit_rate: float = 0.6
    warm_hit_rate: float = 0.95
    answer_bytes: int = 400
    queue_limit: int = 500_000
    tier: Tier | None = None
    messages_per_minute: int | None = None
    input_tokens_per_minute: int | None = None
    output_tokens_per_minute: int | None = None
    counts_per_minute: int = 8_000
    latency_s: float = 0.0
    latency_spread: float = 0.0
    prices: Path | None = None
    verbose: bool = False
