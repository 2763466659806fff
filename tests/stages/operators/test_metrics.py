"""What Prometheus is told, by its own tools; and an alert for each alarm, that fires and says what to do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from overnight_models import routes
from overnight_models.ledger import counters, poll
from overnight_models.ledger.money import budgets
from overnight_models.ledger.rows import execute, fetch_one, fetch_only_value
from overnight_workers.anthropic_api import api
from overnight_workers.anthropic_api.api import ApiUnavailable
from overnight_workers.flower_tab.metrics import LedgerMetrics, metrics
from overnight_workers.flower_tab.reading import Reader
from overnight_workers.operators import alert_rules
from overnight_workers.operators.alarm_kinds import KINDS
from overnight_workers.operators.snapshot import Look, take_snapshot
from overnight_workers.process import database, prices, pulse_said_at, redis_client
from overnight_workers.stages.doorbell import ring
from overnight_workers.stages.pulse import at_work, failed, succeeded
from overnight_workers.stages.rescue import sweep
from tests.driving import Service, callback, item

_WAY = (routes.ACCEPT, routes.PACK, routes.SUBMIT, routes.COLLECT)
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="no promtool: apt-get install prometheus")


def promtool(*words: str, given: bytes = b"") -> str:
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *words], input=given, capture_output=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return (done.stdout + done.stderr).decode()


class Seen(Reader):
    """A reader that has looked once."""

    def __init__(self) -> None:
        self._latest = Look(take_snapshot(database(), redis_client()), None)


def told() -> bytes:
    registry = CollectorRegistry()
    registry.register(LedgerMetrics(Seen()))
    return generate_latest(registry)


def value(text: bytes, metric: str, **labels: str) -> float:
    samples = [sample for family in text_string_to_metric_families(text.decode()) for sample in family.samples]
    (metric_value,) = [
        sample.value for sample in samples if sample.name == metric and sample.labels.items() >= labels.items()
    ]
    return metric_value


@pytest.fixture
def worked(service: Service) -> Service:
    """Two answers, one of them refused; a budget; a bell that nobody has heard; a sweep."""
    service.accept(item("a", callback=callback()), item("b", fault="refused", callback=callback()))
    service.finish()
    with database().transaction() as connection:
        lane_id = fetch_only_value(connection, int, "SELECT id FROM lane WHERE name = 'default'")
        budgets.set_budget(connection, "lane", lane_id, "day", 5_000_000_000, prices(), strict=True)
    sweep()
    ring(routes.PACK)
    return service


@needs_promtool
def test_prometheus_own_check_finds_nothing_to_mend(worked: Service) -> None:
    assert promtool("check", "metrics", given=told()) == ""


def test_what_only_grows_is_a_counter_and_everything_else_a_gauge(worked: Service) -> None:
    kinds = {family.name: family.type for family in text_string_to_metric_families(told().decode())}
    assert {name for name, kind in kinds.items() if kind == "counter"} == {
        "overnight_cost_dollars",
        "overnight_realtime_cost_dollars",
        "overnight_paid_twice_answers",
        "overnight_unpriced_answers",
        "overnight_failures",
        "overnight_deadlines",
        "overnight_rescue_dollars",
        "overnight_stage_items",
        "overnight_relay_items",
        "overnight_api_calls",
    }
    assert {name for name, kind in kinds.items() if kind == "histogram"} == {"overnight_batch_turnaround_seconds"}
    assert set(kinds.values()) == {"counter", "gauge", "histogram"}


def test_failures_are_counted_by_problem(worked: Service) -> None:
    text = told()
    assert value(text, "overnight_failures_total", lane="default", problem="refused") == 1
    assert value(text, "overnight_failures_total", lane="default", problem="expired") == 0


def test_ages_of_the_sweep_of_lists_and_of_stages(worked: Service) -> None:
    text = told()
    assert 0 <= value(text, "overnight_stage_age_seconds", stage=routes.RESCUE) < 60
    assert 0 <= value(text, "overnight_stage_age_seconds", stage=routes.COLLECT) < 60
    assert value(text, "overnight_stage_work_seconds", stage=routes.COLLECT) == 0
    assert 0 <= value(text, "overnight_list_age_seconds", workspace="default") < 60


def test_what_stages_did_and_the_api_answered_is_counted_with_the_next_pulse_and_once(worked: Service) -> None:
    for _twice in range(2):
        pulse_said_at().clear()
        at_work(routes.PACK)
    text = told()
    assert {stage: value(text, "overnight_stage_items_total", stage=stage) for stage in _WAY} == dict.fromkeys(_WAY, 2)
    assert value(text, "overnight_api_calls_total", call="create", status="200") == 1
    assert value(text, "overnight_api_calls_total", call="results", status="200") == 1
    sweep()
    assert value(told(), "overnight_stage_items_total", stage=routes.COLLECT) == 2


def test_a_call_that_the_api_refuses_is_counted_by_its_status(service: Service) -> None:
    with pytest.raises(ApiUnavailable):
        api.retrieve("default", "msgbatch_nobody_has")
    pulse_said_at().clear()
    at_work(routes.POLL)
    assert value(told(), "overnight_api_calls_total", call="retrieve", status="404") == 1


def test_each_batch_is_once_in_the_histogram_of_its_lane(worked: Service) -> None:
    with database().transaction() as connection:
        ended = fetch_one(connection, "SELECT id, ended_at FROM submission")
        assert ended is not None
        assert not poll.end(connection, ended["id"], ended["ended_at"], None)
    text = told()
    assert value(text, "overnight_batch_turnaround_seconds_count", lane="default") == 1
    assert value(text, "overnight_batch_turnaround_seconds_bucket", lane="default", le="86400") == 1
    assert value(text, "overnight_batch_turnaround_seconds_sum", lane="default") >= 0


@pytest.mark.parametrize(
    ("took_s", "bound"), [(0, "60"), (60, "60"), (60.5, "300"), (86_400, "86400"), (90_000, "+Inf")]
)
def test_a_turnaround_is_counted_at_the_smallest_bound_that_holds_it(
    worked: Service, took_s: float, bound: str
) -> None:
    with database().transaction() as connection:
        execute(connection, "DELETE FROM counter")
        row = fetch_one(connection, "SELECT id, api_created_at FROM submission")
        assert row is not None
        counters.add_turnaround(connection, row["id"], row["api_created_at"] + timedelta(seconds=took_s))
        (counter,) = counters.counters(connection)
    assert (counter.lane, counter.label, counter.n, counter.amount) == ("default", bound, 1, took_s * 1000)


def test_how_far_bills_were_from_plans(worked: Service) -> None:
    with database().transaction() as connection:
        execute(
            connection,
            """
            INSERT INTO run (name) VALUES ('r');
            INSERT INTO plan (run_id, lane_id, items, tokens_in, tokens_in_low, tokens_in_high, tokens_out,
                tokens_out_low, tokens_out_high, cost_nano, cost_nano_low, cost_nano_high, document,
                billed_at, billed_items, billed_tokens_in, billed_tokens_out, billed_cost_nano)
            SELECT run.id, lane.id, 1, 1, 1, 1, 1, 1, 1, 1000, 1000, 1000, '{}', now(), 1, 1, 1, 1100
            FROM run, lane WHERE run.name = 'r' AND lane.name = 'default'
            """,
        )
    assert value(told(), "overnight_plan_error_ratio", lane="default") == pytest.approx(0.1)


def test_what_a_stage_fails_at_is_a_gauge_that_falls_when_it_goes_well(worked: Service) -> None:
    assert value(told(), "overnight_stage_failures", stage=routes.SUBMIT) == 0
    for batch in ("batch 7", "batch 8"):
        failed(routes.SUBMIT, OSError("no room"), about=batch)
    assert value(told(), "overnight_stage_failures", stage=routes.SUBMIT) == 2
    assert value(told(), "overnight_stage_failures", stage=routes.COLLECT) == 0
    succeeded(routes.SUBMIT, "batch 7")
    assert value(told(), "overnight_stage_failures", stage=routes.SUBMIT) == 1


def test_queues_and_budgets(worked: Service) -> None:
    text = told()
    assert value(text, "overnight_queue_messages", queue=routes.PACK) >= 1
    assert value(text, "overnight_redis_up") == 1
    budget = {"of": "lane", "name": "default", "period": "day"}
    assert value(text, "overnight_budget_cap_dollars", **budget) == 5
    assert value(text, "overnight_budget_spent_dollars", **budget) >= 0
    assert value(text, "overnight_budget_reserved_dollars", **budget) >= 0


def test_labels_are_names_of_the_configuration_and_words_of_ours(worked: Service) -> None:
    seen = Seen().latest.snapshot
    assert seen is not None
    names = {label for family in metrics(seen) for sample in family.samples for label in sample.labels}
    assert names == {
        "lane",
        "state",
        "problem",
        "workspace",
        "stage",
        "queue",
        "alarm",
        "urgent",
        "of",
        "name",
        "period",
        "kept",
        "answer",
        "call",
        "status",
        "le",
    }


def test_the_shipped_rules_are_what_the_alarms_make() -> None:
    assert alert_rules.FILE.read_text() == alert_rules.written(), "python -m overnight_workers.operators.alert_rules"
    assert len({rule.name for rule in alert_rules.rules()}) == len(KINDS) + 2


def test_every_rule_has_its_place_in_the_runbook() -> None:
    runbook = (Path(__file__).parents[3] / "workers" / "docs" / "alarms.md").read_text()
    anchors = re.findall(r'<a id="(.+?)"></a>', runbook)
    assert sorted(anchors) == sorted({rule.anchor for rule in alert_rules.rules()})


@needs_promtool
def test_every_rule_fires_and_says_what_to_do(tmp_path: Path) -> None:
    cases = [case(rule) for rule in alert_rules.rules()]
    (tmp_path / "tests.yaml").write_text(
        json.dumps({"rule_files": [str(alert_rules.FILE)], "evaluation_interval": "10s", "tests": cases})
    )
    assert "SUCCESS" in promtool("test", "rules", str(tmp_path / "tests.yaml"))


def case(rule: alert_rules.Rule) -> dict[str, Any]:
    """A series that makes one rule fire, and no other."""
    kind = re.search(r'alarm="(.+?)"', rule.expr)
    up = {"series": 'overnight_ledger_up{instance="flower"}', "values": "1x60"}
    alarms = [{"series": f'overnight_alarms{{alarm="{kind[1]}",urgent="x"}}', "values": "0x5 1x60"}] if kind else []
    if rule.name == "OvernightLedgerUnread":
        up["values"] = "1x5 0x60"
    labels = {"instance": "flower"} if rule.name == "OvernightLedgerUnread" else {}
    fired = {"exp_labels": {**rule.labels, **labels}, "exp_annotations": rule.annotations}
    series = [*alarms, *([] if rule.name == "OvernightMetricsMissing" else [up])]
    others = [alert.name for alert in alert_rules.rules() if alert.name != rule.name]
    return {
        "interval": "10s",
        "input_series": series or [{"series": "up", "values": "1x60"}],
        "alert_rule_test": [
            {"eval_time": "0s", "alertname": rule.name, "exp_alerts": []},
            {"eval_time": "2m30s" if rule.urgent else "8m", "alertname": rule.name, "exp_alerts": [fired]},
            *({"eval_time": "8m", "alertname": name, "exp_alerts": []} for name in others),
        ],
    }
