"""The operator's drill: the questions of a night, each answered by clicks from *Now*, and by one command.

`workers/docs/drill.md` shows the same table; it is made of the questions here.
"""

from __future__ import annotations

import html
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urljoin

import httpx2 as httpx
import psycopg
import pytest

from overnight_workers.cli import app
from tests.driving import Service, read_command
from tests.stages.operators.flowers import USER, Running, flower_of, text_of
from tests.stages.operators.night import NIGHT, PAGE, QUESTIONS, Step
from tests.waiting import wait_until


class Browser:
    """Somebody who follows links and fills in a filter, as a person does."""

    def __init__(self, flower: Running) -> None:
        self._client = httpx.Client(base_url=flower.url, auth=USER, timeout=60)
        self._at = "/now"
        self.page = ""

    def open(self, path: str) -> None:
        self._at = urljoin(self._at, path)
        answer = self._client.get(self._at)
        assert answer.status_code == 200, (self._at, text_of(answer.text))
        self.page = answer.text

    def step(self, step: Step) -> None:
        if isinstance(step, str):
            self.open(self._link(step))
            return
        form = re.search(r'<form class="(?:asked|buttons)" method="get" action="([^"]+)"', self.page)
        assert form, f"no filter on {self._at}"
        for name in step:
            assert f'name="{name}"' in self.page, f"no {name} on {self._at}"
        self.open(f"{form[1]}?{httpx.QueryParams(dict(step))}")

    def _link(self, text: str) -> str:
        """Where a link with this text leads; more words after its own are in its row."""
        word, _, row = text.partition("… ")
        for match in re.finditer(r'<a [^>]*?href="([^"]+)"[^>]*>(.*?)</a>', self.page, re.DOTALL):
            shown = text_of(match[2])
            if shown == text or (row and shown == f"{word}…" and row in html.unescape(match[0])):
                return html.unescape(match[1])
        raise AssertionError(f"no link {text!r} on {self._at}: {text_of(self.page)}")

    def close(self) -> None:
        self._client.close()


def test_each_question_of_a_night_is_answered_by_clicks_and_by_commands(
    service: Service, database_url: str, tmp_path: Path
) -> None:
    service.configure(lanes={"odd": {}})
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(NIGHT.encode())
    with flower_of(service, tmp_path, database_url) as flower:
        browser = Browser(flower)
        wait_until(lambda: "tenant acme" in text_of(flower.page("/now")))  # it looks every few seconds
        for question in QUESTIONS:
            browser.open("/now")
            for step in question.steps:
                browser.step(step)
            shown = text_of(browser.page)
            assert [words for words in question.reads if words not in shown] == [], (question.asked, shown)
        browser.close()
    for question in QUESTIONS:
        printed = " ".join(read_command(app, *shlex.split(question.command)[1:]).split())
        assert [words for words in question.prints if words not in printed] == [], (question.asked, printed)


def table() -> str:
    """The questions as the page shows them."""
    rows = ["| question | in Flower, from *Now* | clicks | by command |", "|---|---|---|---|"]
    for question in QUESTIONS:
        said = [f"*{step}*" if isinstance(step, str) else _filter(step) for step in question.steps]
        where = ", then ".join(said) or "it stands there"
        rows.append(f"| {question.asked} | {where} | {len(question.steps)} | `{question.command}` |")
    return "\n".join(rows)


def _filter(step: Mapping[str, str]) -> str:
    return " ".join(f"{name} `{value}`" for name, value in step.items()) + " *Show*"


def test_the_page_of_the_drill_shows_these_questions(pytestconfig: pytest.Config) -> None:
    if pytestconfig.getoption("--write-golden"):
        before, _, _ = PAGE.read_text().partition("| question |")
        PAGE.write_text(f"{before}{table()}\n")
    assert table() in PAGE.read_text(), "--write-golden writes it anew"
