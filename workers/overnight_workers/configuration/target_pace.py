"""What brokers and webhooks have in common: how many outcomes a second they take, and at which hours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from overnight_workers.configuration.kinds import number, optional
from overnight_workers.configuration.reading import setting
from overnight_workers.configuration.submit_window import SubmitWindow, read_window


@dataclass(frozen=True, kw_only=True)
class TargetPace:
    """The pace of whoever takes outcomes."""

    max_per_second: float | None = setting(optional(number(0.01, 1_000_000)), None)
    """Outcomes a second, of all deliverers together, for each queue of a broker or for a webhook; None: no bound."""
    window: SubmitWindow | None = setting(optional(read_window), None)
    """The hours at which outcomes are delivered, such as "08:00-18:00 Europe/Berlin"; None: any."""

    @property
    def is_paced(self) -> bool:
        """Whether somebody has to look at the clock before anything is delivered."""
        return self.max_per_second is not None or self.window is not None

    def is_open(self, now: datetime) -> bool:
        """Whether outcomes may be delivered now. now: aware."""
        return self.window is None or self.window.opens_in_s(now) == 0
