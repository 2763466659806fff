"""Actions: what a person does to many items is said first, done group by group, and kept; whoever dies, it goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from overnight_models import routes
from overnight_models.errors import PermanentError
from overnight_models.ledger.operators import actions
from overnight_models.ledger.operators.actions import By
from overnight_models.ledger.operators.item_filter import ItemFilter
from overnight_workers import process
from overnight_workers.cli import app
from overnight_workers.operators import acting
from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.rescue import sweep
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, callback, item, read_command

GROUP = 1000
"""Items of one group."""


def kept() -> list[dict[str, Any]]:
    """The actions that are kept, the newest first."""
    return [json.loads(line) for line in read_command(app, "actions", "--json").splitlines()]


def cancel_all_waiting() -> int:
    """An action about all that wait begins, and nobody takes a step of it; its number."""
    preview = acting.preview_cancel(ItemFilter(lane="default"))
    return acting.begin(preview, By("ada", reason="a wrong prompt")).id


def accept_many(service: Service, number: int) -> None:
    service.accept(*(item(f"k{n}") for n in range(number)))


def canceled(service: Service) -> int:
    return service.ledger.states("item").count("canceled")


# --- cancel ----------------------------------------------------------------------------------------------------------


def test_cancel_says_what_is_saved_and_what_can_not_be_and_does_it(service: Service) -> None:
    service.accept(item("sent", callback=callback()))
    pack()
    submit()
    service.accept(item("packed"))
    pack()
    service.accept(item("waits"), item("stays"))
    looked = json.loads(read_command(app, "cancel", "--lane", "default", "--dry-run", "--json"))
    assert (looked["items"], looked["unsent"], looked["sent"], looked["canceled"]) == (4, 3, 1, 0)
    assert looked["saves_usd"] > looked["billed_all_the_same_usd"] > "0"
    assert canceled(service) == 0
    assert kept() == []
    read_command(app, "cancel", "stays", "--yes")
    said = read_command(app, "cancel", "--lane", "default", "--yes", "--reason", "a wrong prompt")
    assert "2 items not sent yet: canceled and never billed; that saves $" in said
    assert "1 item sent: billed and recorded, and not delivered; what is sent can't be un-bought" in said
    assert "3 items are taken back" in said
    service.finish()
    assert service.ledger.states("item") == ["succeeded", "canceled", "canceled", "canceled"]
    assert (service.api.meter()["requests"], service.ledger.states("delivery")) == (1, [])
    newest = kept()[0]
    assert (newest["name"], newest["items"], newest["done"], newest["reason"]) == ("cancel", 3, 3, "a wrong prompt")
    assert newest["wish"] == {"lane": "default"}


def test_nothing_is_canceled_unless_somebody_says_yes(service: Service) -> None:
    service.accept(item("a"))
    asked = CliRunner().invoke(app, ["cancel", "a"], input="n\n")
    assert "take them back? [y/N]" in asked.output
    unheard = CliRunner().invoke(app, ["cancel", "a"], input="")
    assert isinstance(unheard.exception, PermanentError)
    assert "nobody can be asked here: say --yes" in str(unheard.exception)
    assert json.loads(read_command(app, "cancel", "a", "--json", "--dry-run"))["canceled"] == 0
    assert service.ledger.states("item") == ["waiting"]
    assert "nothing that fits is unfinished" in read_command(app, "cancel", "a", "--state", "held", "--yes")


@pytest.mark.parametrize("command", ["cancel", "redo", "retry"])
def test_everything_is_meant_only_when_that_is_said(service: Service, command: str) -> None:
    service.accept(item("a"))
    refused = CliRunner().invoke(app, [command, "--yes"])
    assert isinstance(refused.exception, PermanentError)
    assert "or say --all" in str(refused.exception)
    read_command(app, command, "--all", "--yes")


@pytest.mark.parametrize(
    "words",
    [
        ["--tenant", "acme"],
        ["--run", "r"],
        ["--prefix", "a/"],
        ["--model", "claude-haiku-5-5", "--tenant", "acme"],
        ["--newer", "1h", "--prefix", "a/"],
    ],
)
def test_each_filter_takes_back_those_that_it_means_and_no_others(service: Service, words: list[str]) -> None:
    service.accept(item("a/1", tenant="acme"), run="r")
    service.accept(item("b/1", tenant="other"))
    read_command(app, "cancel", *words, "--yes")
    assert service.ledger.states("item") == ["canceled", "waiting"]


def test_what_is_older_than_a_time_is_none_of_what_just_came(service: Service) -> None:
    service.accept(item("a"))
    assert "nothing that fits" in read_command(app, "cancel", "--older", "1h", "--yes")
    service.ledger.execute("UPDATE request SET enqueued_at = now() - interval '2 hours'")
    read_command(app, "cancel", "--older", "1h", "--yes")
    assert service.ledger.states("item") == ["canceled"]


# --- whoever dies ----------------------------------------------------------------------------------------------------


def test_killed_after_a_group_the_same_command_goes_on_and_does_nothing_twice(service: Service) -> None:
    accept_many(service, GROUP + 200)
    number = cancel_all_waiting()
    with process.database().transaction() as connection:
        step = actions.step(connection, number)
    assert step == (GROUP, False, False)
    service.restart()  # that process is dead
    assert canceled(service) == GROUP
    said = read_command(app, "cancel", "--lane", "default", "--yes")
    assert f"{GROUP + 200:,} items are taken back" in said
    assert canceled(service) == GROUP + 200
    assert len(service.ledger.fetch_all("SELECT FROM outcome")) == GROUP + 200
    assert [action["actor"] for action in kept()] == ["ada"], "it is the same action"


def test_killed_the_sweep_goes_on_with_it(service: Service) -> None:
    accept_many(service, GROUP + 200)
    number = cancel_all_waiting()
    sweep()
    assert canceled(service) == 0, "whoever began it is at it"
    service.ledger.execute("UPDATE action SET stepped_at = now() - interval '1 minute'")
    sweep()
    assert canceled(service) == GROUP + 200
    (action,) = kept()
    assert (action["id"], action["done"]) == (number, GROUP + 200)
    assert action["ended_at"] is not None


LATER = """
    INSERT INTO action (name, actor, via, wish, items, until_item, stepped_at)
    VALUES (%s, 'ann', 'command', '{"of a later version": true}', 1, 1, now() - %s * interval '1 hour')
"""


def test_one_that_fails_keeps_no_other_from_its_turn(service: Service) -> None:
    service.accept(item("a"))
    cancel_all_waiting()
    service.ledger.execute("UPDATE action SET stepped_at = now() - interval '1 minute'")
    service.ledger.execute(LATER, "redo", 2)
    sweep()
    assert canceled(service) == 1
    (failure,) = service.ledger.fetch_all("SELECT stage, why FROM failure")
    assert failure["stage"] == routes.RESCUE
    assert "redo by of a later version isn't known to this version" in failure["why"]
    assert "update the workers" in failure["why"]


@pytest.mark.parametrize("name", ["redo", "cancel", "replay", "purge", "wash"])
def test_while_two_versions_run_what_only_the_later_knows_waits_for_it_without_an_alarm(
    service: Service, name: str
) -> None:
    service.ledger.execute(LATER, name, 0.5)
    sweep()
    assert service.ledger.fetch_all("SELECT * FROM failure") == []
    (action,) = kept()
    assert (action["ended_at"], action["done"]) == (None, 0)


def test_what_came_after_the_wish_is_not_touched(service: Service) -> None:
    service.accept(item("a"))
    number = cancel_all_waiting()
    service.accept(item("b"))
    assert acting.finish(number).done == 1
    assert service.ledger.states("item") == ["canceled", "waiting"]


def test_an_aborted_one_does_no_further_group_whoever_takes_the_step(service: Service) -> None:
    accept_many(service, GROUP + 200)
    number = cancel_all_waiting()
    with process.database().transaction() as connection:
        actions.step(connection, number)
    assert f"{GROUP:,} items are done" in read_command(app, "abort", str(number))
    assert acting.finish(number) == (GROUP, True, True)
    sweep()
    assert canceled(service) == GROUP
    assert "aborted by" in read_command(app, "actions")
    over = CliRunner().invoke(app, ["abort", str(number)])
    assert f"action {number} is over: cancel, {GROUP:,} items" in str(over.exception)
    unknown = CliRunner().invoke(app, ["abort", "987654"])
    assert "there is no action 987654" in str(unknown.exception)


def test_two_who_want_the_same_at_once_do_it_once(service: Service) -> None:
    service.accept(item("a"))
    assert cancel_all_waiting() == cancel_all_waiting()


# --- redo, replay, pause ---------------------------------------------------------------------------------------------


def test_redo_says_first_and_is_kept(service: Service) -> None:
    service.accept(item("a", fault="refused:1"))
    service.finish()
    looked = json.loads(read_command(app, "retry", "a", "--dry-run", "--json"))
    assert (looked["items"], looked["redone"]) == (1, 0)
    assert "1 item waits to be tried again" in read_command(app, "redo", "--problem", "refused", "--yes")
    service.finish()
    assert service.ledger.states("item") == ["redone", "succeeded"]
    (action,) = kept()
    assert (action["name"], action["done"], action["wish"]) == ("redo", 1, {"problem": "refused"})
    assert action["most_usd"] == looked["most_usd"]


def test_replay_pause_resume_and_budgets_are_kept_too(service: Service) -> None:
    service.accept(item("a", callback=callback()))
    service.finish()
    deliver()
    read_command(app, "replay", "--delivered", "--all", "--reason", "their database was restored")
    read_command(app, "pause", "default", "--reason", "a look")
    read_command(app, "resume", "default")
    read_command(app, "budget", "--lane", "default", "--day", "5")
    assert [(action["name"], action["done"]) for action in kept()] == [
        ("budget", 0),
        ("resume", 0),
        ("pause", 0),
        ("replay", 1),
    ]
    assert kept()[0]["most_usd"] == "5"


# --- drain -----------------------------------------------------------------------------------------------------------


def test_a_lane_that_drains_sends_all_at_once_and_is_paused_when_that_came_back(service: Service) -> None:
    service.configure(lane={"max_wait": "1h"})
    service.accept(item("a", fault="errored:api_error:1"))
    pack()
    assert service.ledger.states("item") == ["waiting"], "it waits for its threshold"
    assert "1 item that waits is packed at once" in read_command(app, "drain", "default")
    pack()
    submit()
    sweep()
    service.accept(item("later"))
    poll()
    collect()
    sweep()
    assert service.ledger.item("a")["state"] == "waiting", "it is tried again, and then the lane is empty"
    service.clock.pauses_are_over()
    pack()
    submit()
    poll()
    collect()
    sweep()
    service.accept(item("too late"))
    pack()
    assert [service.ledger.item(key)["state"] for key in ("a", "too late")] == ["succeeded", "waiting"]
    (lane,) = [json.loads(line) for line in read_command(app, "lanes", "--json").splitlines()]
    assert lane["paused_by"] is not None
    assert "drained" in lane["paused_reason"]
    refused = CliRunner().invoke(app, ["drain", "default"])
    assert "`overnight resume default` first" in str(refused.exception)
    read_command(app, "resume", "default")
    service.configure()
    service.finish()
