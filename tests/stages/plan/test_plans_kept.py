"""Plans are kept, and the bill stands beside them when the run is done; what came before teaches the next estimate."""

from __future__ import annotations

import psycopg
import pytest

from overnight_models.ledger.money import history, plans
from overnight_models.ledger.money.plans import Estimates, Range
from overnight_models.wire.message import ItemLine
from overnight_workers import process
from overnight_workers.stages.rescue import sweep
from tests.driving import MODEL, Service, item, params, text_of

ESTIMATES = Estimates(3, Range(60, 50, 70), Range(300, 3, 768), Range(90_000, 10_000, 200_000))


def keep(run: str = "r", estimates: Estimates = ESTIMATES) -> None:
    names = process.names()
    run_id, lane_id = names.run(run), names.lane("default")
    assert run_id is not None
    with process.database().transaction() as connection:
        plans.keep(connection, run_id, lane_id, estimates, "{}")


def settle() -> int:
    with process.database().transaction() as connection:
        return plans.settle(connection)


def kept(run: str = "r") -> plans.Kept:
    with process.database().transaction() as connection:
        plan = plans.kept(connection, run)
    assert plan is not None
    return plan


def test_a_plan_is_compared_with_the_bill_of_its_run(service: Service) -> None:
    keep()
    plan = kept()
    assert (plan.estimates, plan.missing, plan.billed.items) == (ESTIMATES, 3, 0)
    service.accept(*(item(f"k{n}") for n in range(3)), run="r")
    assert (kept().unfinished, kept().missing, settle()) == (3, 0, 0)
    service.finish()
    plan = kept()
    assert (plan.unfinished, plan.billed.items) == (0, 3)
    (bill,) = service.api.http.get("/sandbox/meter").json()["workspaces"][service.api.workspace]["bill"]
    billed = (bill["input_tokens"], bill["output_tokens"], bill["nanodollars"])
    assert (plan.billed.tokens_in, plan.billed.tokens_out, plan.billed.cost_nano) == billed
    assert settle() == 1
    assert kept().billed == plan.billed
    assert settle() == 0


def test_the_sweep_puts_the_bill_beside_a_plan_whether_somebody_plans_again_or_not(service: Service) -> None:
    keep()
    service.accept(*(item(f"k{n}") for n in range(3)), run="r")
    service.finish()
    service.restart()  # so it keeps house at its next sweep
    sweep()
    assert settle() == 0
    with process.database().transaction() as connection:
        assert [error.lane for error in plans.errors(connection)] == ["default"]


def test_a_run_of_which_items_are_missing_is_not_done(service: Service) -> None:
    keep()
    service.accept(item("a"), run="r")
    service.finish()
    assert (settle(), kept().missing) == (0, 2)
    service.ledger.execute("UPDATE plan SET made_at = now() - interval '2 days'")
    assert settle() == 1


def test_the_latest_errors_are_of_each_runs_last_plan(service: Service) -> None:
    for n, run in enumerate(["one", "two", "two", "other"]):
        keep(run, Estimates(1, Range(n, 0, 9), Range(n, 0, 9), Range(n, 0, 9)))
    service.accept(item("a"), run="one")
    service.accept(item("b"), run="two")
    service.finish()
    assert settle() == 3
    with process.database().transaction() as connection:
        earlier = plans.past(connection, "default")
        assert plans.past(connection, "nowhere") == []
    assert [(plan.run, plan.estimates.cost_nano.value) for plan in earlier] == [("two", 2), ("one", 0)]
    assert all(plan.billed.cost_nano > 0 for plan in earlier)


def test_an_estimate_lies_in_its_interval(service: Service) -> None:
    with pytest.raises(Exception, match="an_estimate_lies_in_its_interval") as caught:
        keep(estimates=Estimates(1, Range(5, 6, 7), Range(1, 1, 1), Range(1, 1, 1)))
    assert isinstance(caught.value.__cause__, psycopg.errors.CheckViolation)


def test_history_is_of_the_lane_by_batch_and_model(service: Service) -> None:
    service.configure(lanes={"other": {"max_wait": "0s"}})
    for keys in (["a", "b"], ["c"]):
        service.accept(*(item(key) for key in keys))
        service.finish()
    service.accept(item("x"), lane="other")
    service.finish()
    with process.database().transaction() as connection:
        learned = history.answers(connection, "default")
        latest = history.answers(connection, "default", max_items=1)
        turnarounds = history.turnarounds(connection)
        each = history.answers_of(connection, "default", ["a", "c", "x", "nobody"])
        asked = [ItemLine(id=key, key=key, params=params(text_of(text))) for key, text in ("aa", "cx", "xx", "nn")]
        there = history.known(connection, "default", asked)
    assert [(plan.answers, plan.model) for plan in learned] == [(2, MODEL), (1, MODEL)]
    assert [batch.answers for batch in latest] == [1]
    assert sorted(turnaround.items for turnaround in turnarounds) == [1, 1, 2]
    assert set(each) == {"a", "c"}
    assert each["c"].tokens_out == learned[1].output_tokens
    assert learned[1].output_squares == learned[1].output_tokens ** 2
    assert there == {"a": True, "c": False}
