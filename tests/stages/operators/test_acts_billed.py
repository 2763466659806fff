"""Acts from the pages, over HTTP, and the bill after them: what was said first is what is done, and is a bound."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import httpx2 as httpx
import pytest

from overnight_models.quantities import NANO_PER_DOLLAR
from overnight_models.wire.outcome import dollars
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, callback, item
from tests.stages.operators.flowers import USER, Running, flower_of, text_of
from tests.waiting import wait_until


@dataclass(frozen=True)
class Acting:
    service: Service
    flower: Running

    def said(self, query: str, pattern: str) -> tuple[str, ...]:
        """What the preview of an act says, by a pattern's groups."""
        page = text_of(self.flower.page(f"/act?{query}"))
        match = re.search(pattern, page)
        assert match, page
        return match.groups()

    def done(self, query: str) -> int:
        """Do it, and wait until it is over. How many items were done, as its page says."""
        with httpx.Client(base_url=self.flower.url, auth=USER, timeout=60) as browser:
            browser.get("/actions")
            fields = dict(httpx.QueryParams(query)) | {"_xsrf": browser.cookies["_xsrf"]}
            answer = browser.post("/act", data=fields)
            assert answer.status_code == 303, text_of(answer.text)
            path = answer.headers["location"]
            wait_until(lambda: "Abort it" not in browser.get(path).text)
            number = re.search(r"([\d,]+) items? done", text_of(browser.get(path).text))
        assert number
        return int(number[1].replace(",", ""))

    def post(self, query: str) -> None:
        """Do what is done at once."""
        with httpx.Client(base_url=self.flower.url, auth=USER, timeout=60) as browser:
            browser.get("/actions")
            fields = dict(httpx.QueryParams(query)) | {"_xsrf": browser.cookies["_xsrf"]}
            answer = browser.post("/act", data=fields)
            assert answer.status_code == 200, text_of(answer.text)

    def noted(self, name: str) -> tuple[int, str]:
        """Of the newest action of this name: how many items, and dollars at the most."""
        row = self.service.ledger.fetch_one(
            f"SELECT items, most_nano FROM action WHERE name = '{name}' ORDER BY id DESC LIMIT 1"
        )
        return row["items"], dollars(row["most_nano"])

    def billed(self) -> Decimal:
        """Dollars, in all."""
        row = self.service.ledger.fetch_one("SELECT coalesce(sum(cost_nano), 0)::bigint AS nano FROM spending")
        return Decimal(row["nano"]) / NANO_PER_DOLLAR


@pytest.fixture
def acting(service: Service, database_url: str, tmp_path: Path) -> Iterator[Acting]:
    service.configure(lanes={"odd": {}})
    with flower_of(service, tmp_path, database_url) as flower:
        yield Acting(service, flower)


def test_what_is_tried_again_is_what_was_counted_and_costs_no_more_than_was_said(acting: Acting) -> None:
    service = acting.service
    service.accept(*(item(f"k{n}", fault="refused:1") for n in range(3)), item("fine"))
    service.finish()
    before = acting.billed()
    items, last, most = acting.said(
        "name=redo&problem=any",
        r"(\d+) items: their last tries were billed \$([\d.]+); another costs \$([\d.]+) at the most",
    )
    assert acting.done("name=redo&problem=any") == int(items) == 3
    (kept,) = service.ledger.fetch_all("SELECT id FROM action")
    assert f"3 that there were when it began, ${most} at the most" in text_of(
        acting.flower.page(f"/actions/{kept['id']}")
    )
    service.finish()
    assert sorted(service.ledger.states("item")) == ["redone"] * 3 + ["succeeded"] * 4
    assert 0 < acting.billed() - before <= Decimal(most)
    assert Decimal(last) <= before


def test_what_is_canceled_is_never_billed_and_what_was_sent_costs_no_more_than_was_said(acting: Acting) -> None:
    service = acting.service
    service.accept(*(item(f"sent{n}") for n in range(2)))
    pack()
    submit()
    service.accept(*(item(f"waits{n}") for n in range(3)))
    unsent, _saved, sent, most = acting.said(
        "name=cancel&lane=default",
        r"(\d+) items not sent yet: canceled and never billed; that saves \$([\d.]+) at the most.*?"
        r"(\d+) items sent: .*? up to \$([\d.]+) all the same",
    )
    assert acting.done("name=cancel&lane=default") == int(unsent) + int(sent)
    service.finish()
    assert service.ledger.states("item").count("canceled") == int(unsent) == 3
    assert service.api.meter()["requests"] == int(sent) == 2
    assert 0 < acting.billed() <= Decimal(most)


def test_a_replay_sends_as_many_as_it_said_and_nothing_is_billed(acting: Acting) -> None:
    service = acting.service
    service.accept(*(item(f"k{n}", callback=callback()) for n in range(3)))
    service.finish()
    deliver()
    before = acting.billed()
    (number,) = acting.said(
        "name=replay&lane=default&delivery=delivered", r"(\d+) outcomes that were delivered; nothing is paid again"
    )
    assert acting.done("name=replay&lane=default&delivery=delivered") == int(number) == 3
    assert service.ledger.states("delivery").count("due") == 3
    assert acting.billed() == before


def test_a_lane_that_goes_on_costs_no_more_than_its_page_said_with_what_was_packed_before(acting: Acting) -> None:
    service = acting.service
    service.accept(*(item(f"packed{n}") for n in range(2)))
    pack()
    acting.post("name=pause&lane=default")
    service.accept(*(item(f"waits{n}") for n in range(3)))
    items, most = acting.said(
        "name=resume&lane=default", r"(\d+) items that aren't sent yet go on: \$([\d.]+) at the most"
    )
    acting.post("name=resume&lane=default")
    assert acting.noted("resume") == (int(items), most)
    service.finish()
    assert service.api.meter()["requests"] == int(items) == 5
    assert 0 < acting.billed() <= Decimal(most)


def test_workspaces_that_are_let_go_cost_no_more_than_their_page_said(acting: Acting) -> None:
    service = acting.service
    service.accept(*(item(f"packed{n}") for n in range(2)))
    pack()
    service.ledger.execute("UPDATE workspace SET held_at = now(), held_reason = 'billing', held_until_resumed = true")
    service.accept(item("waits"))
    items, most = acting.said("name=release", r"Of it (\d+) items that aren't sent yet go on: \$([\d.]+) at the most")
    acting.post("name=release")
    assert acting.noted("release") == (int(items), most)
    service.finish()
    assert service.api.meter()["requests"] == int(items) == 3
    assert 0 < acting.billed() <= Decimal(most)
