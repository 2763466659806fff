"""What may happen to a batch on its way to the API and back."""

from __future__ import annotations

from typing import Final

from overnight_models.wire.message import VERSION
from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.measure.measure import measure
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.rescue import sweep
from overnight_workers.stages.submit.submit import submit
from tests.chaos.scenario import DONE, ROUND, Scenario
from tests.chaos.steps import (
    FITTING,
    KEY_OF_TWO,
    a_budget,
    ask,
    ask_verdict,
    fault,
    faults_are_over,
    held_long_enough,
    long,
    message,
    one,
    pauses_are_over,
    queued,
    quiet_is_over,
    stranger,
    tasks,
    the_key_is_there,
    what_is_queued,
)

BATCHES: Final = (
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
        shows="SELECT 1 FROM every_delivery HAVING count(*) = 4 AND bool_and(state = 'delivered')",
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
)
