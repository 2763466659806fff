"""How a sandbox is told to behave."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Options:
    """One sandbox's settings. Turnaround and lifetimes are on the sandbox's clock; latency is real time.

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
    faults: list[dict[str, Any]] | None = None
    hit_rate: float = 0.6
    warm_hit_rate: float = 0.95
    answer_bytes: int = 400
    queue_limit: int = 500_000
    messages_per_minute: int = 10_000
    counts_per_minute: int = 8_000
    latency_s: float = 0.0
    prices: Path | None = None
    verbose: bool = False
