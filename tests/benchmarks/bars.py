"""Bars: what was measured, beside what it must not exceed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Bar:
    """One figure and its bar."""

    what: str
    measured: float
    limit: float
    unit: str

    @property
    def is_held(self) -> bool:
        """Whether it is at most what it may be."""
        return self.measured <= self.limit


def report(bars: Sequence[Bar], figures: Mapping[str, Any], json_file: Path | None) -> None:
    """Print the bars, held or missed; write them and all other figures as JSON if a file is given."""
    table = Table("", "measured", "bar", "")
    for bar in bars:
        amounts = (f"{amount:,.10g} {bar.unit}" for amount in (bar.measured, bar.limit))
        table.add_row(bar.what, *amounts, "held" if bar.is_held else "missed")
    Console().print(table)
    if json_file is not None:
        shown = [{**asdict(bar), "held": bar.is_held} for bar in bars]
        json_file.write_text(json.dumps({"bars": shown, **figures}, indent=2))


def quantiles(seconds: Sequence[float]) -> dict[str, float]:
    """The middle, 95 of 100, and the last."""
    ordered = sorted(seconds)
    of = {"p50": 0.5, "p95": 0.95}
    return {name: ordered[int(share * (len(ordered) - 1))] for name, share in of.items()} | {"max": ordered[-1]}
