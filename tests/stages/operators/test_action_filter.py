"""Actions by who, what, when and target: the same words on the command line and in the URL of the page."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from overnight_models.ledger.operators import actions
from overnight_models.ledger.operators.actions import ActionFilter, By
from overnight_workers import process
from overnight_workers.cli import app
from overnight_workers.operators import action_filter
from overnight_workers.operators.filters import UnknownName
from tests.driving import Service, read_command


@pytest.fixture
def acted(service: Service) -> Service:
    """What two people did, the first of it two days ago."""
    with process.database().transaction() as connection:
        actions.note(connection, "budget", {"tenant": "acme", "period": "day"}, By("ada"), most_nano=5)
        actions.note(connection, "pause", {"lane": "default"}, By("ada"))
        actions.note(connection, "pause", {"lane": "acme"}, By("bob", via="flower"))
        actions.note(connection, "decide", {"batch": 17, "never_created": True}, By("bob"))
        actions.note(connection, "release", {"workspaces": ["default", "tight"], "anyway": False}, By("bob"))
    service.ledger.execute("UPDATE action SET began_at = now() - interval '2 days' WHERE name = 'budget'")
    return service


def acts(*options: str) -> list[str]:
    return [json.loads(line)["name"] for line in read_command(app, "actions", "--json", *options).splitlines()]


def test_each_word_narrows_actions_down_and_all_of_them_together(acted: Service) -> None:
    assert acts() == ["release", "decide", "pause", "pause", "budget"]
    assert acts("--who", "ada") == ["pause", "budget"]
    assert acts("--act", "pause") == ["pause", "pause"]
    assert acts("--act", "pause", "--who", "bob") == ["pause"]
    assert acts("--since", "1d", "--who", "ada") == ["pause"]
    assert acts("--until", "1d") == ["budget"]
    assert "No such action." in read_command(app, "actions", "--who", "nobody")


def test_a_target_is_whatever_a_wish_names_also_a_number_or_one_of_several(acted: Service) -> None:
    assert acts("--target", "acme") == ["pause", "budget"], "a lane and a tenant"
    assert acts("--target", "default") == ["release", "pause"]
    assert acts("--target", "17") == ["decide"]
    assert acts("--target", "1") == []
    assert acts("--target", "period") == [], "the name of a field is no target"


def test_what_can_not_be_said_says_what_can(acted: Service) -> None:
    with pytest.raises(UnknownName, match=r"nobody does 'explode': people do redo, cancel.*--since is an age"):
        action_filter.read({"act": "explode", "since": "soon"}, spoken_as=lambda word: f"--{word}")
    with pytest.raises(UnknownName, match="zero byte"):
        action_filter.read({"target": "a\0b"})


def test_a_url_bears_the_moment_and_reads_as_the_same_filter() -> None:
    read = action_filter.read({"who": "ada", "act": "pause", "target": "default", "since": "2h", "until": ""})
    assert read.since is not None
    assert abs(datetime.now(UTC) - timedelta(hours=2) - read.since) < timedelta(minutes=1)
    written = action_filter.written(read)
    assert written["since"].endswith("Z")
    again = action_filter.read(written)
    assert action_filter.written(again) == written
    assert action_filter.read({}) == ActionFilter()
