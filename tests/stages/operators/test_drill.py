"""The operator's drill: the questions of a night, each answered by clicks from *Now*, and by one command.

`workers/docs/drill.md` shows the same table; it is made of the questions here.
"""

from __future__ import annotations

import html
import json
import re
import shlex
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

import httpx2 as httpx
import psycopg
import pytest

from overnight_models.ledger.answer import key_hash
from overnight_workers.cli import app
from tests.driving import Service, read_command
from tests.stages.operators.flowers import OURS, USER, Running, answers, start, text_of
from tests.stages.operators.planted_rows import PLANTED
from tests.waiting import wait_until

PAGE = Path(__file__).parents[3] / "workers" / "docs" / "drill.md"
NIGHT: Final = f"""
{PLANTED}
UPDATE lane SET paused_by = 'bob', paused_reason = 'a new prompt is tried' WHERE name = 'odd';
INSERT INTO budget (tenant_id, period, cap_nano, strict) VALUES (1, 'month', 4000000, true);
INSERT INTO booking (budget_id, begins, spent_nano, reserved_nano)
    SELECT id, date_trunc('month', now() AT TIME ZONE 'UTC'), 3900000, 0 FROM budget WHERE tenant_id = 1;
INSERT INTO item (id, lane_id, headers_id, model_id, tenant_id, max_tokens, state, size, held_by, held_since,
                  held_reason, reserved_nano)
    SELECT i, 1, 1, 1, 1, 500, 'held', 1000, budget.id, now() - interval '130 min', 'over budget', 1000000
    FROM generate_series(101, 140) i, budget WHERE tenant_id = 1;
INSERT INTO request (item_id, receipt, key, params, enqueued_at)
    SELECT i, gen_random_uuid(), 'late-' || i, '{{}}', now() - interval '130 min' FROM generate_series(101, 140) i;
UPDATE catalog_run SET state = 'sending',
    plan = '{{"send": 2, "rows": 5, "usd": "3.25", "reasons": {{}}, "left": {{}}}}';
INSERT INTO action (name, actor, via, wish, items, done, reason, ended_at)
    VALUES ('redo', 'bob', 'command', '{{"lane": "default", "problem": "expired"}}', 12, 12, 'the API is well',
            now());
"""
"""What the night has left behind: forty items of a tenant are over its budget, and more of everything else."""

Step = str | Mapping[str, str]
"""A click: the text of a link; or the words of the page's filter, sent with its button."""


@dataclass(frozen=True)
class Question:
    """One question, and where its answer stands."""

    asked: str
    steps: tuple[Step, ...]
    """From *Now* on."""
    reads: tuple[str, ...]
    """What the page says then."""
    command: str
    prints: tuple[str, ...]


QUESTIONS: Final = (
    Question(
        "Is anything wrong, and what is to be done?",
        (),
        ("40 items are held by the budget of tenant acme, a month", "wait, or raise it", "Look at the budgets"),
        "overnight status",
        ("40 items are held by the budget of tenant acme, a month",),
    ),
    Question(
        "Which tenant is over its budget, and since when?",
        ("Look at the budgets",),
        ("tenant acme, a month 40 items held, the first of them waits for 2 h 10 min", "$0.000100", "$0.0040"),
        "overnight budget",
        ("tenant acme, a month", "40 over budget, for 2 h 10 min"),
    ),
    Question(
        "What would raising its cap let go?",
        ("Look at the budgets", "Change… tenant acme, a month"),
        ("The cap is $0.0040: $0.0039 are spent", "40 items held"),
        "overnight budget --tenant acme",
        ("tenant acme, a month", "40 over budget"),
    ),
    Question(
        "What would retrying what failed cost?",
        ("Items", {"state": "failed", "lane": "default"}, "Try again…"),
        ("2 items", "another costs", "at the most"),
        "overnight redo --lane default --state failed --dry-run",
        ("2 items", "another costs", "at the most"),
    ),
    Question(
        "Why is a batch unclear, and since when?",
        ("Batches", {"state": "unclear"}, "3"),
        ("unclear", "no usable answer", "sent: its last bytes were let go", "Adopt"),
        "overnight batches --unclear",
        ("no usable answer",),
    ),
    Question(
        "Where is the item of this key, and what happened to it?",
        ("Items", {"key": "sku-1"}, "sku-1"),
        ("succeeded", "packed into batch 1", "Anthropic created msgbatch_a", "dead after 12 tries"),
        "overnight items sku-1",
        ("packed into batch 1", "dead after 12 tries"),
    ),
    Question(
        "Which outcomes did nobody take, and why?",
        ("Deliveries",),
        ("shop", "OperationalError", "Replay"),
        "overnight items --delivery dead",
        ("sku-1", "OperationalError"),
    ),
    Question(
        "Who paused a lane, when and why?",
        ("Lanes",),
        ("odd", "by bob", "a new prompt is tried", "Resume…"),
        "overnight lanes",
        ("odd", "bob", "a new prompt is tried"),
    ),
    Question(
        "What did each tenant cost this week, and what was saved?",
        ("Money", {"by": "tenant", "days": "7"}),
        ("acme", "$0.0100", "$0.0200"),
        "overnight costs --by tenant",
        ("acme", "$0.0100"),
    ),
    Question(
        "When will the run be done that is under way?",
        ("Runs",),
        ("shop-1", "2 rows aren't back", "Done by", "in 95 of 100 cases"),
        "overnight runs",
        ("shop-1", "2 rows aren't back", "in 95 of 100 cases"),
    ),
    Question(
        "Who did what, and why?",
        ("Actions",),
        ("bob", "redo", "lane default, problem expired", "the API is well"),
        "overnight actions",
        ("bob", "redo", "lane default, problem expired", "the API is well"),
    ),
)


class Browser:
    """Somebody who follows links and fills in a filter, as a person does."""

    def __init__(self, flower: Running) -> None:
        self._client = httpx.Client(base_url=flower.url, auth=USER, timeout=30)
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


@contextmanager
def flower_of(service: Service, where: Path, url: str) -> Iterator[Running]:
    servers = {"OVERNIGHT_REDIS_URL": service.redis_url, "OVERNIGHT_DATABASE_URL": url}
    roles = {"OVERNIGHT_ROLES": json.dumps({"operator": [USER[0]]}), "OVERNIGHT_LANES": json.dumps({"odd": {}})}
    flower = start(where, OURS, [f"--basic-auth={':'.join(USER)}"], {**servers, **roles})
    try:
        wait_until(lambda: answers(flower), 120)
        yield flower
    finally:
        flower.process.send_signal(signal.SIGTERM)
        assert flower.process.wait(30) == 0, flower.log.read_text()[-2000:]


def test_each_question_of_a_night_is_answered_by_clicks_and_by_commands(
    service: Service, database_url: str, tmp_path: Path
) -> None:
    service.configure(lanes={"odd": {}})
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(NIGHT.encode())
        connection.execute("INSERT INTO item_key VALUES (1, %s, 1, '')", (key_hash("sku-1"),))
    with flower_of(service, tmp_path, database_url) as flower:
        browser = Browser(flower)
        wait_until(lambda: "tenant acme" in text_of(flower.page("/now")), 30)  # it looks every few seconds
        for question in QUESTIONS:
            began = time.monotonic()
            browser.open("/now")
            for step in question.steps:
                browser.step(step)
            took_s = time.monotonic() - began
            shown = text_of(browser.page)
            assert [words for words in question.reads if words not in shown] == [], (question.asked, shown)
            assert took_s < 10, f"{question.asked}: a person waits no longer"
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
