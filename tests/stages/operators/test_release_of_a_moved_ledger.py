"""Releasing a ledger that moved: what goes then is said first and recorded, also of workspaces that weren't held."""

from __future__ import annotations

import re

import pytest

from overnight_models.ledger.operators.actions import By
from overnight_models.ledger.rows import execute
from overnight_models.wire.outcome import dollars
from overnight_workers import process
from overnight_workers.operators import steering
from overnight_workers.stages.pack.pack import pack
from tests.driving import Service, item

_GOING = r"(\d+) items that aren't sent yet go on: \$([\d.]+) at the most"


@pytest.fixture
def moved(service: Service) -> Service:
    """Two items lie in a batch that isn't sent, three wait, and the ledger is in another database than it was."""
    service.accept(*(item(f"packed{n}") for n in range(2)))
    pack()
    service.accept(*(item(f"waits{n}") for n in range(3)))
    with process.database().transaction() as connection:
        execute(connection, "UPDATE deployment SET moved_at = now(), moved_why = 'it moved', word_wanted = true")
    return service


def said(begins: str) -> tuple[str, str]:
    """How many items go, and for how much, as it is said before it is done."""
    (line,) = (line for line in steering.held() if line.startswith(begins))
    match = re.search(_GOING, line)
    assert match, line
    number, most = match.groups()
    return number, most


def noted(service: Service) -> tuple[str, str]:
    row = service.ledger.fetch_one(
        "SELECT items, most_nano FROM action WHERE name = 'release' ORDER BY id DESC LIMIT 1"
    )
    return str(row["items"]), dollars(row["most_nano"])


def test_a_word_lets_all_go_that_is_not_sent(moved: Service) -> None:
    of_all = said("this ledger lives in another database")
    assert of_all[0] == "5"
    assert of_all == said("workspace default waits for a look")
    assert "this ledger may send: its original doesn't run any more" in steering.release(By("ada"))
    assert noted(moved) == of_all


def test_sending_without_a_look_is_recorded_with_what_goes(moved: Service) -> None:
    steering.release(By("ada"))
    of_workspace = said("workspace default waits for a look")
    assert "workspace default is sent to without a look" in steering.release(By("ada"), anyway=True)
    assert noted(moved) == of_workspace
    assert steering.held() == []
