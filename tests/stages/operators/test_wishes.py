"""What a person says to commands that act on many items: refused where it says two things, and repeated in words."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from overnight_models.errors import PermanentError
from overnight_models.ledger.operators import actions
from overnight_models.ledger.operators.actions import By
from overnight_workers import process
from overnight_workers.cli import app
from overnight_workers.operators import words
from tests.driving import Service, item, read_command


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["purge", "--before", "yesterday"], "--before is an age such as '2h'"),
        (["items", "--older", "yesterday"], "--older is an age such as '2h'"),
        (["purge", "--key", "a", "--all", "--yes"], "say one of the two"),
        (["cancel", "a", "--all", "--yes"], "say one of the two"),
        (["redo", "--lane", "default", "--all", "--yes"], "say one of the two"),
        (["replay", "--delivered", "--lane", "default", "--all"], "say one of the two"),
        (["replay", "--all"], "--all belongs to --delivered"),
        (["resume", "default", "--anyway"], "--anyway belongs to --all"),
        (["purge", "--key", "a", "--json"], "say --yes to do it, or --dry-run"),
        (["cancel", "a", "--json"], "say --yes to do it, or --dry-run"),
        (["redo", "a", "--json"], "say --yes to do it, or --dry-run"),
    ],
    ids=" ".join,
)
def test_two_wishes_at_once_and_half_a_wish_are_refused_by_their_own_names(
    service: Service, command: list[str], says: str
) -> None:
    service.accept(item("a"))
    refused = CliRunner().invoke(app, command)
    assert isinstance(refused.exception, PermanentError), refused.output
    assert says in str(refused.exception)
    assert refused.stdout == ""
    assert service.ledger.states("item") == ["waiting"]


def test_an_action_is_listed_in_words_and_a_problem_without_more_by_its_name(service: Service) -> None:
    service.accept(item("a"), item("b"), item("c"))
    assert "1 item is taken back" in read_command(app, "cancel", "a", "--yes")
    assert "1 item is purged" in read_command(app, "purge", "--key", "b", "--cancel", "--yes")
    with process.database().transaction() as connection:
        actions.note(connection, "cancel", {"ids": [1, 2], "late": True, "batch_id": 7}, By("ann"))
        said = [words.wish(action) for action in actions.actions(connection, limit=3)]
    assert said == ["batch 7, 2 items selected, late", "1 item of one key, with what is on its way", "key a"]
    assert "True" not in read_command(app, "actions")
    assert "canceled: None" not in read_command(app, "items")
    assert words.problem("canceled", None) == "canceled"
    assert words.problem("errored", "overloaded") == "errored: overloaded"
