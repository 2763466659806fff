"""Grafana's dashboard of Overnight's metrics; `dashboard.json` beside this file is what it makes.

`python -m overnight_workers.operators.dashboard` prints it; a test holds the file to it, and asks a real Prometheus
each of its queries.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).with_name("dashboard.json")
_SOURCE: Final = {"type": "prometheus", "uid": "${source}"}
_WIDTH: Final = 8
_HEIGHT: Final = 8
_A_ROW: Final = 24 // _WIDTH


@dataclass(frozen=True)
class Panel:
    """One plot: its queries, each with the legend of its lines."""

    title: str
    unit: str
    """As Grafana names it: short, s, currencyUSD, percentunit, reqps."""
    queries: tuple[tuple[str, str], ...]
    means: str
    """What it answers."""
    lowest: int | None = 0
    """Where its axis begins; None: where the values do, since some are below 0."""


_DONE: Final = 'overnight_items{state=~"succeeded|failed"}'
_TOOK: Final = "sum by (lane, le) (increase(overnight_batch_turnaround_seconds_bucket[12h]))"
PANELS: Final = (
    Panel(
        "Alarms that are on",
        "short",
        (("sum by (alarm, urgent) (overnight_alarms) > 0", "{{alarm}}, urgent: {{urgent}}"),),
        "What needs somebody now; the runbook says what to do.",
    ),
    Panel(
        "Items that wait or are held",
        "short",
        (('sum by (lane, state) (overnight_items{state=~"waiting|held"})', "{{lane}}, {{state}}"),),
        "What has not been sent, by lane.",
    ),
    Panel(
        "Oldest waiting item",
        "s",
        (("max by (lane) (overnight_oldest_waiting_seconds)", "{{lane}}"),),
        "Since when it waits.",
    ),
    Panel(
        "Items in batches and in real time",
        "short",
        (('sum by (lane, state) (overnight_items{state=~"batched|direct|racing"})', "{{lane}}, {{state}}"),),
        "What is on its way.",
    ),
    Panel(
        "Outcomes a second",
        "short",
        ((f"sum by (lane) (clamp_min(deriv({_DONE}[5m]), 0))", "{{lane}}"),),
        "How fast answers are recorded.",
    ),
    Panel(
        "Items a second, by stage",
        "short",
        (("sum by (stage) (rate(overnight_stage_items_total[5m]))", "{{stage}}"),),
        "How much each stage does; the slowest of those that have work is the bottleneck.",
    ),
    Panel(
        "How long the API takes for a batch",
        "s",
        (
            (
                f"histogram_quantile(0.5, {_TOOK})",
                "{{lane}}, half",
            ),
            (
                f"histogram_quantile(0.95, {_TOOK})",
                "{{lane}}, 95 of 100",
            ),
        ),
        "Of the batches that ended in the last twelve hours.",
    ),
    Panel(
        "Calls of the API, an hour",
        "short",
        (
            (
                'sum by (call, status) (rate(overnight_api_calls_total{status!="200"}[5m])) * 3600 > 0',
                "{{call}}, {{status}}",
            ),
            ('sum by (call) (rate(overnight_api_calls_total{status="200"}[5m])) * 3600', "{{call}}, well"),
        ),
        "What is asked of the API, and what it answers.",
    ),
    Panel(
        "Bills beside plans",
        "percentunit",
        (("max by (lane) (overnight_plan_error_ratio)", "{{lane}}"),),
        "By how much bills were above their plans; 0 is exact.",
        lowest=None,
    ),
    Panel(
        "Outcomes that aren't ok, an hour",
        "short",
        (("sum by (lane, problem) (rate(overnight_failures_total[5m])) * 3600 > 0", "{{lane}}, {{problem}}"),),
        "What goes wrong; `overnight errors` says what it says.",
    ),
    Panel(
        "Batches under way",
        "short",
        (('sum by (state) (overnight_batches{state!~"collected|split|failed|canceled|gone"})', "{{state}}"),),
        "Where they are; unclear ones are looked up before anything is sent again.",
    ),
    Panel(
        "Deliveries that aren't taken",
        "short",
        (('sum by (lane, state) (overnight_deliveries{state!="delivered"})', "{{lane}}, {{state}}"),),
        "What products have not taken; dead ones can be replayed.",
    ),
    Panel(
        "Deadlines",
        "short",
        (
            ("sum by (lane, kept) (rate(overnight_deadlines_total[5m])) * 3600", "{{lane}}, {{kept}} an hour"),
            ("sum by (lane, where) (overnight_deadlines_at_risk)", "{{lane}}, at risk {{where}}"),
        ),
        "Kept, missed, rescued, and at risk.",
    ),
    Panel(
        "Billed, and the same in real time",
        "currencyUSD",
        (
            ("sum(increase(overnight_cost_dollars_total[1h]))", "billed in an hour"),
            ("sum(increase(overnight_realtime_cost_dollars_total[1h]))", "in real time"),
        ),
        "The difference is what batches and caching save.",
    ),
    Panel(
        "Answers that were paid twice, or have no price",
        "short",
        (
            ("sum by (lane) (increase(overnight_paid_twice_answers_total[1h]))", "{{lane}}, paid twice"),
            ("sum by (lane) (increase(overnight_unpriced_answers_total[1h]))", "{{lane}}, no price"),
        ),
        "Both should be none.",
    ),
    Panel(
        "Budgets: spent and reserved of the cap",
        "percentunit",
        (
            (
                "(overnight_budget_spent_dollars + overnight_budget_reserved_dollars) / overnight_budget_cap_dollars",
                "{{of}} {{name}}, a {{period}}",
            ),
        ),
        "At 1 items are held.",
    ),
    Panel(
        "Rate limits of real time, used",
        "percentunit",
        (("max by (workspace, pool, limit) (overnight_rate_limit_used_ratio)", "{{workspace}} {{pool}}, {{limit}}"),),
        "At 1 items wait for it.",
    ),
    Panel(
        "Stages: since they last ran, and work that waits",
        "s",
        (
            ("max by (stage) (overnight_stage_age_seconds)", "{{stage}}, silent"),
            ("max by (stage) (overnight_stage_work_seconds) > 0", "{{stage}}, has work"),
        ),
        "A stage that is silent and has work stands still.",
    ),
    Panel(
        "Queues and the API",
        "short",
        (
            ("max by (queue) (overnight_queue_messages)", "{{queue}}"),
            ("max by (workspace) (overnight_api_queue_requests)", "{{workspace}}, requests at the API"),
        ),
        "Messages that wait in Redis; requests in the API's queue.",
    ),
)


def dashboard() -> dict[str, Any]:
    """The dashboard, as Grafana imports it."""
    return {
        "uid": "overnight",
        "title": "Overnight",
        "description": "Made by overnight_workers/operators/dashboard.py: change that.",
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-12h", "to": "now"},
        "timezone": "browser",
        "tags": ["overnight"],
        "templating": {
            "list": [{"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}]
        },
        "panels": [_panel(number, panel) for number, panel in enumerate(PANELS)],
    }


def _panel(number: int, panel: Panel) -> dict[str, object]:
    lowest = {} if panel.lowest is None else {"min": panel.lowest}
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.means,
        "datasource": _SOURCE,
        "gridPos": {"h": _HEIGHT, "w": _WIDTH, "x": number % _A_ROW * _WIDTH, "y": number // _A_ROW * _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, **lowest}, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {"refId": chr(ord("A") + place), "expr": expr, "legendFormat": legend, "datasource": _SOURCE}
            for place, (expr, legend) in enumerate(panel.queries)
        ],
    }


def written() -> str:
    """The dashboard as the JSON that Grafana reads."""
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    print(written(), end="")
