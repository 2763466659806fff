"""Scenarios: what happens in one workspace, step by step. Together they reach every point.

Each says how its items end, whoever dies on the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from overnight_models.wire.message import VERSION
from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.direct.direct import direct
from overnight_workers.stages.measure.measure import measure
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.rescue import sweep
from overnight_workers.stages.submit.submit import submit
from tests.chaos.steps import (
    FITTING,
    KEY_OF_TWO,
    Step,
    a_budget,
    a_minute_later,
    acknowledgements_are_late,
    ask,
    ask_verdict,
    deadlines_are_near,
    fault,
    faults_are_over,
    held_long_enough,
    large,
    long,
    message,
    nobody_needs_them,
    one,
    pauses_are_over,
    products_acknowledge,
    queued,
    queues_are_in_trouble,
    queues_are_well,
    quiet_is_over,
    restored_to_before_it_was_packed,
    stranger,
    taken_back,
    tasks,
    the_key_is_there,
    what_is_queued,
)
from tests.driving import callback


@dataclass(frozen=True)
class Scenario:
    """One course of events.

    ends: the states in which each key's item may end.
    settings: as `Service.configure` takes them.
    shows: what an undisturbed run must have seen: a query that finds something.
    doubles: answers that were paid twice, at most; only where no protocol can know.
    unseen: answers that were billed, and that the API never showed.
    """

    name: str
    steps: tuple[Step, ...]
    ends: Mapping[str, tuple[str, ...]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    shows: str = "SELECT 1"
    doubles: int = 0
    unseen: int = 0
    canceled: tuple[str, ...] = ()
    """Keys that their owner takes back: nobody is told of them."""
    followers: int = 0
    """Items that ask what another asks, for somebody else: they end as that one does, and are told of it."""
    redone: int = 0
    """Items in whose place another was tried; `ends` is about the last of each key."""
    redone_by_message: int = 0
    """Of them: by a message with `if_known = "redo"`, whose verdict counts what it brought as accepted."""


ROUND: Final = tasks(pack, submit, poll, collect, deliver, sweep)
DONE: Final = ("succeeded",)

SCENARIOS: Final[dict[str, Scenario]] = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "the whole way",
            (
                message(1, one("a"), one("b", asks=FITTING), run="chaos"),
                message(2, one("a"), one("c"), one("", text="its key is wrong"), run="chaos"),
                message(3, one("a", text="another content")),
                message(4, one("of a later version"), v=VERSION + 1),
                queued(6, one("e")),
                message(5, one("d", told=None)),
                what_is_queued,
                ask_verdict(1),
                *tasks(sweep, pack, submit, sweep, poll, collect, deliver, sweep),
                ask("outcome", lane="default", key="a"),
                ask("run", run="chaos"),
                ask("what nobody can answer"),
            ),
            {"a": DONE, "b": DONE, "c": DONE, "d": DONE, "e": DONE},
            shows="SELECT 1 FROM delivery HAVING count(*) = 4 AND bool_and(state = 'delivered')",
        ),
        Scenario(
            "tried again",
            (
                a_budget,
                message(
                    1,
                    one("a", fault="errored:overloaded_error:1"),
                    one("b", fault="expired:1"),
                    one("c", fault="errored:invalid_request_error"),
                    one("d", fault="cut_off"),
                ),
                fault("results", "cut_at_line", lines=2, count=1),
                fault("list", "late", seconds=3600),
                *tasks(pack, submit, poll, collect),
                pauses_are_over,
                *tasks(sweep, collect, deliver),
                faults_are_over,
                *ROUND,
            ),
            {"a": DONE, "b": DONE, "c": ("failed",), "d": ("failed",)},
            shows="SELECT 1 FROM item HAVING sum(attempts) = 6",
        ),
        Scenario(
            "a culprit",
            (
                a_budget,
                message(1, one("a"), one("b"), one("c", fault="reject"), one("d")),
                *tasks(pack, submit, submit, poll, collect, deliver, sweep),
            ),
            {"a": DONE, "b": DONE, "c": ("failed",), "d": DONE},
            shows="SELECT 1 FROM batch WHERE state = 'failed'",
        ),
        Scenario(
            "refused before it is paid",
            (
                a_budget,
                message(1, one("a"), one("b", asks={"tools": [{"name": "look", "input_schema": {"type": "string"}}]})),
                *tasks(pack, submit, submit, poll, collect, deliver, sweep),
            ),
            {"a": DONE, "b": ("failed",)},
            shows="SELECT 1 FROM submission HAVING count(*) FILTER (WHERE api_id IS NOT NULL) = 1",
        ),
        Scenario(
            "too long: refused, and cut until it fits",
            (
                a_budget,
                message(1, long("a", cuttable="messages.0.content"), one("b")),
                *tasks(measure, sweep, pack),
                message(2, long("c")),
                fault("count_tokens", "status", status=529, count=1),
                *tasks(measure),
                pauses_are_over,
                *tasks(measure, pack, submit, poll, collect, deliver, sweep),
            ),
            {"a": DONE, "b": DONE, "c": ("failed",)},
            settings={"lane": {"max_input_tokens": 3_000, "when_longer": "cut"}},
            shows="SELECT 1 FROM request WHERE cut_to_tokens BETWEEN 2900 AND 3000 AND length(params) < 13000",
        ),
        Scenario(
            "the answer lost, found by its token",
            (
                a_budget,
                message(1, one("a"), one("b")),
                *tasks(pack),
                stranger(2),
                fault("create", "lose_answer", count=1),
                *tasks(submit, sweep),
                stranger(2),
                *tasks(poll, submit, collect, deliver, sweep),
            ),
            {"a": DONE, "b": DONE},
            shows="SELECT 1 FROM sighting HAVING count(*) = 3 AND count(*) FILTER (WHERE ours) = 1",
        ),
        Scenario(
            "never created, believed lost",
            (
                a_budget,
                message(1, one("a"), one("b")),
                *tasks(pack),
                fault("create", "close_after_body", count=1),
                *tasks(submit),
                stranger(2),
                *tasks(poll),
                quiet_is_over,
                *tasks(poll, poll, submit, poll, collect, deliver, sweep),
            ),
            {"a": DONE, "b": DONE},
            shows="SELECT 1 FROM submission WHERE state = 'lost'",
        ),
        Scenario(
            "listed too late, its successor not sent",
            (
                message(1, one("a")),
                fault("create", "lose_answer", count=1),
                *tasks(pack, submit),
                fault("list", "empty", count=1),
                quiet_is_over,
                *tasks(poll, poll),
                pauses_are_over,
                *tasks(submit, collect, deliver, sweep),
            ),
            {"a": DONE},
            shows="SELECT 1 FROM submission HAVING count(*) = 1 AND bool_and(state = 'done')",
            doubles=1,
        ),
        Scenario(
            "listed too late, and sent again",
            (
                message(1, one("a")),
                fault("create", "lose_answer", count=1),
                *tasks(pack, submit),
                fault("list", "empty", count=1),
                quiet_is_over,
                *tasks(poll),
                pauses_are_over,
                *tasks(submit, poll, collect, poll, collect, deliver, sweep),
            ),
            {"a": DONE},
            shows="SELECT 1 FROM bill HAVING count(*) = 2 AND count(*) FILTER (WHERE kept) = 1",
            doubles=1,
        ),
        Scenario(
            "held for money, and for a key",
            (
                message(1, one("a")),
                fault("create", "status", status=402, count=1, message="Pay first"),
                *tasks(pack, submit, poll),
                held_long_enough,
                *tasks(poll, submit, poll, collect, deliver, sweep),
            ),
            {"a": DONE},
            shows="SELECT 1 FROM submission WHERE state = 'void'",
        ),
        Scenario(
            "a key that comes late",
            (
                message(1, one("a")),
                *tasks(pack, submit, poll),
                the_key_is_there,
                held_long_enough,
                *tasks(poll, submit, poll, collect, deliver, sweep),
            ),
            {"a": DONE},
            settings={
                "lane": {"workspace": "two"},
                "workspaces": {"two": {"api_key_env": KEY_OF_TWO}},
            },
            shows="SELECT 1 FROM submission WHERE state = 'void'",
        ),
        Scenario(
            "turned down for now",
            (
                message(1, one("a")),
                fault("create", "status", status=429, count=1),
                *tasks(pack, submit),
                pauses_are_over,
                fault("create", "close_during_body", count=1),
                *tasks(submit),
                quiet_is_over,
                fault("list", "status", status=500, count=1),
                *tasks(poll, poll),
                pauses_are_over,
                *tasks(submit, poll),
                fault("results", "missing", count=1),
                *tasks(collect),
                pauses_are_over,
                *tasks(collect, deliver, sweep),
            ),
            {"a": DONE},
            shows="SELECT 1 FROM submission HAVING count(*) > 1",
        ),
        Scenario(
            "restored to a backup, and moved",
            (
                message(1, one("a"), one("b")),
                *tasks(pack, submit),
                restored_to_before_it_was_packed,
                message(2, one("c")),
                *tasks(sweep, pack, submit, poll),
                a_minute_later,
                *tasks(poll, collect, poll, submit, poll, collect, deliver, sweep),
            ),
            {"a": DONE, "b": DONE, "c": DONE},
            shows="SELECT 1 FROM submission HAVING count(*) = 2 AND bool_or(remembered)",
        ),
        Scenario(
            "taken back",
            (
                message(1, one("a"), one("b"), one("c"), one("d")),
                ask("cancel", lane="default", key="a"),
                *tasks(pack),
                ask("cancel", lane="default", key="b"),
                *tasks(submit),
                ask("cancel", lane="default", key="c"),
                *tasks(poll, collect, deliver, sweep),
                message(2, one("e")),
                *tasks(pack),
                ask("cancel", lane="default", key="e"),
                *tasks(submit, sweep),
            ),
            {
                "a": ("canceled",),
                "b": ("canceled",),
                "c": ("canceled", "succeeded"),
                "d": DONE,
                "e": ("canceled",),
            },
            shows="SELECT 1 FROM batch WHERE state = 'canceled'",
            canceled=("a", "b", "c", "e"),
        ),
        Scenario(
            "taken back before it came, and while another follows",
            (
                taken_back(1, one("a")),
                message(1, one("a"), one("b")),
                message(2, one("b", told=callback("crm"), wish=" for crm", if_known="deliver")),
                taken_back(1, one("b")),
                *tasks(sweep, pack, submit, deliver),
            ),
            {"a": ("canceled",), "b": ("canceled",)},
            canceled=("a", "b"),
            followers=1,
            shows="SELECT 1 FROM item HAVING count(*) FILTER (WHERE cancel_wanted) = 2",
        ),
        Scenario(
            "asked for others too",
            (
                message(1, one("a"), run="chaos"),
                message(2, one("a", told=callback("crm"), wish=" for crm", if_known="deliver")),
                *ROUND,
                message(3, one("a", told=callback("full"), wish=" for a third", if_known="deliver")),
                message(4, one("a", told=callback("full"), wish=" again", if_known="deliver")),
                *tasks(deliver, sweep),
                ask("outcomes", run="chaos"),
            ),
            {"a": DONE},
            followers=2,
            shows="SELECT 1 FROM delivery WHERE state = 'delivered' HAVING count(*) = 3",
        ),
        Scenario(
            "tried again by somebody's word",
            (
                a_budget,
                message(1, one("a", fault="refused:1"), one("b", fault="errored:invalid_request_error")),
                *ROUND,
                ask("redo", lane="default", key="a"),
                message(2, one("b", text="Corrected", if_known="redo")),
                *ROUND,
            ),
            {"a": DONE, "b": DONE},
            redone=2,
            redone_by_message=1,
            shows="SELECT 1 FROM redo HAVING count(*) = 2 AND bool_and(asked_again = 0)",
        ),
        Scenario(
            "not of its schema, and asked again",
            (
                a_budget,
                message(1, one("a", asks=FITTING, fault="invalid_output"), one("b", asks=FITTING)),
                *tasks(pack, submit, poll, collect, deliver, sweep),
                *ROUND,
            ),
            {"a": ("failed",), "b": DONE},
            settings={"lane": {"retry_invalid": 1}},
            redone=1,
            shows="SELECT 1 FROM redo WHERE asked_again = 1",
        ),
        Scenario(
            "large bodies and answers",
            (
                message(1, *(large(key) for key in "abcdef")),
                *ROUND,
            ),
            dict.fromkeys("abcdef", DONE),
            shows="SELECT 1 FROM item WHERE state = 'succeeded' HAVING count(*) = 6",
        ),
        Scenario(
            "a broker that is away, and another",
            (
                message(
                    1,
                    one("a", told=callback("crm")),
                    one("b", told=callback("crm", broker="others")),
                    one("c", told=callback("full", broker="small")),
                ),
                *tasks(pack, submit, poll),
                queues_are_in_trouble,
                *tasks(collect),
                pauses_are_over,
                *tasks(deliver),
                queues_are_well,
                pauses_are_over,
                *tasks(deliver, sweep),
            ),
            dict.fromkeys("abc", DONE),
            settings={
                "brokers": {
                    "others": {"url": "sqla+sqlite:///{home}/broker.sqlite"},
                    "small": {"url": "{redis_url}", "max_queue": 2},
                }
            },
            shows="SELECT 1 FROM delivery WHERE state = 'delivered' HAVING count(*) = 3",
        ),
        Scenario(
            "acknowledged by its callback",
            (
                message(1, one("a", told=callback(ack=True)), one("b", told=callback(ack=True)), one("c")),
                *ROUND,
                acknowledgements_are_late,
                *tasks(sweep, deliver),
                products_acknowledge,
                *tasks(sweep),
            ),
            dict.fromkeys("abc", DONE),
            shows="SELECT 1 FROM delivery WHERE state = 'delivered' HAVING count(*) = 3",
        ),
        Scenario(
            "more outcomes than one push takes",
            (
                message(1, *(one(f"k{n}") for n in range(300))),
                message(2, *(one(f"k{n}") for n in range(300, 600))),
                *ROUND,
            ),
            {f"k{n}": DONE for n in range(600)},
            # the second message makes the batch whole
            settings={"lane": {"max_items": 600, "max_wait": "1h"}},
            shows="SELECT 1 FROM delivery WHERE state = 'delivered' HAVING count(*) = 600",
        ),
        Scenario(
            "wanted by a deadline, and then by nobody",
            (
                message(1, one("a", deadline="2099-01-01T00:00:00Z")),
                *tasks(pack, submit, poll, collect, deliver),
                message(2, one("b", deadline="2098-01-01T00:00:00Z"), one("c", deadline="2099-01-01T00:00:00Z")),
                deadlines_are_near,
                *tasks(sweep),
                nobody_needs_them,
                *tasks(sweep, deliver),
            ),
            {"a": DONE, "b": ("failed",), "c": ("failed",)},
            settings={"lanes": {"default": {"road": "by_deadline", "max_wait": "0s"}}},
            shows="SELECT 1 FROM outcome WHERE problem = 'too_late' HAVING count(*) = 2",
        ),
        Scenario(
            "in real time",
            (
                a_budget,
                message(
                    1,
                    one("a"),
                    one("b", fault="errored:overloaded_error:1"),
                    one("c", fault="errored:invalid_request_error"),
                ),
                *tasks(pack, direct),
                fault("messages", "lose_answer", count=1),
                message(2, one("d")),
                *tasks(direct),
                pauses_are_over,
                *tasks(direct, deliver, sweep),
            ),
            {"a": DONE, "b": DONE, "c": ("failed",), "d": DONE},
            # each death may lose an answer, and none of them may end an item
            settings={"lane": {"road": "direct", "max_maybe_billed": 100, "max_attempts": 100}},
            shows="SELECT 1 FROM outcome WHERE via = 'direct' HAVING count(*) = 4",
        ),
        Scenario(
            "a result that never comes",
            (
                message(1, one("a", fault="missing"), one("b")),
                *tasks(pack, submit, poll),
                *(step for _ in range(10) for step in (*tasks(collect), pauses_are_over)),
                *tasks(deliver, sweep),
            ),
            {"a": ("failed",), "b": DONE},
            settings={"timing": {"missing_for": "0s"}},
            shows="SELECT 1 FROM outcome WHERE problem = 'given_up'",
            unseen=1,
        ),
    )
}
