"""What may happen to items around their batch: restored, taken back, asked for again, delivered, sent in real time."""

from __future__ import annotations

from typing import Final

from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.direct.direct import direct
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.rescue import sweep
from overnight_workers.stages.submit.submit import submit
from tests.chaos.scenario import DONE, ROUND, Scenario
from tests.chaos.steps import (
    FITTING,
    a_budget,
    a_minute_later,
    acknowledgements_are_late,
    ask,
    deadlines_are_near,
    fault,
    large,
    message,
    nobody_needs_them,
    one,
    pauses_are_over,
    products_acknowledge,
    queues_are_in_trouble,
    queues_are_well,
    restored_to_before_it_was_packed,
    taken_back,
    tasks,
)
from tests.driving import callback

ITEMS: Final = (
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
        shows="SELECT 1 FROM every_delivery WHERE state = 'delivered' HAVING count(*) = 3",
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
        shows="SELECT 1 FROM every_delivery WHERE state = 'delivered' HAVING count(*) = 3",
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
        shows="SELECT 1 FROM every_delivery WHERE state = 'delivered' HAVING count(*) = 3",
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
        shows="SELECT 1 FROM every_delivery WHERE state = 'delivered' HAVING count(*) = 600",
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
                one("a", trace_id="a chain"),
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
        settings={"lane": {"road": "direct", "max_maybe_billed": 100, "max_attempts": 100, "max_cost_per_trace": 50}},
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
