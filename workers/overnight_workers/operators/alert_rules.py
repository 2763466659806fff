"""Prometheus' alert rules, one for each kind of alarm; `alerts.yaml` beside this file is what they make.

`python -m overnight_workers.operators.alert_rules` prints them; a test holds the file to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from overnight_workers.operators.alarm_kinds import KINDS
from overnight_workers.operators.workers import MISSING

FILE: Final = Path(__file__).with_name("alerts.yaml")
_RUNBOOK: Final = "workers/docs/alarms.md"
_LASTS: Final = {"redis away": "30s", "redis refuses writes": "30s", MISSING: "1m"}
"""Of urgent alarms that one odd look, or a new start, can raise; the others are on when something has lasted."""
_HEAD: Final = """\
# Overnight's alarms as Prometheus' alert rules. Made by overnight_workers/operators/alert_rules.py: change that.
# `page` should wake somebody, `ticket` should be looked at. The metrics are Flower's /metrics.
groups:
  - name: overnight
    rules:
"""


@dataclass(frozen=True)
class Rule:
    """One alert."""

    name: str
    expr: str
    lasts: str
    """How long it has to be so, as Prometheus writes it."""
    urgent: bool
    means: str
    do: str
    anchor: str
    """Where the runbook has it."""

    @property
    def labels(self) -> dict[str, str]:
        """What a route of Alertmanager goes by."""
        return {"severity": "page" if self.urgent else "ticket"}

    @property
    def annotations(self) -> dict[str, str]:
        """What a person reads."""
        return {"summary": self.means, "description": f"What to do: {self.do}", "runbook": f"{_RUNBOOK}#{self.anchor}"}

    def written(self) -> str:
        """As YAML."""
        parts = [f"      - alert: {self.name}", f"        expr: {json.dumps(self.expr)}", f"        for: {self.lasts}"]
        for name, values in (("labels", self.labels), ("annotations", self.annotations)):
            parts.append(f"        {name}:")
            parts += [f"          {key}: {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
        return "\n".join(parts) + "\n"


_UNSEEN: Final = (
    Rule(
        "OvernightLedgerUnread",
        "overnight_ledger_up == 0",
        "1m",
        urgent=True,
        means="Flower can't read the ledger: no alarm is seen",
        do="start Postgres, or correct Flower's OVERNIGHT_DATABASE_URL; `overnight doctor` says which",
        anchor="ledger-unread",
    ),
    Rule(
        "OvernightMetricsMissing",
        "absent(overnight_ledger_up)",
        "1m",
        urgent=True,
        means="Prometheus gets no metrics of Overnight: no alarm is seen",
        do="start `celery -A overnight_workers.app flower`, or let Prometheus in: its /metrics is scraped",
        anchor="metrics-missing",
    ),
)
"""Nothing is said by a metric that isn't there."""


def rules() -> Iterator[Rule]:
    """One rule for each kind of alarm, and those for when no alarm can be seen."""
    for name, kind in KINDS.items():
        title = "".join(word.capitalize() for word in name.split())
        yield Rule(
            f"Overnight{title}",
            f'max(overnight_alarms{{alarm="{name}"}}) > 0',
            _LASTS.get(name, "0s") if kind.urgent else "5m",
            urgent=kind.urgent,
            means=kind.means,
            do=kind.do,
            anchor=name.replace(" ", "-"),
        )
    yield from _UNSEEN


def written() -> str:
    """All of them as the YAML that Prometheus reads."""
    return _HEAD + "".join(rule.written() for rule in rules())


if __name__ == "__main__":
    print(written(), end="")
