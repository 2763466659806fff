"""The operator's drill, by the clock: each question answered in Chromium by clicks, and by its command.

    python -m tests.drill.questions [--write]

Waiting is counted, from the click until the page that says the answer has loaded, and from a command's start until it
has ended, beside its processor time; reading isn't. `--write` puts the table into workers/docs/drill.md. Needs
chromium.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

import psycopg

from tests.browser import Browser, running_browser
from tests.servers import copy_database, running_postgres, running_redis
from tests.stages.operators.flowers import OURS, answers, start
from tests.stages.operators.night import NIGHT, PAGE, QUESTIONS, Question, Step
from tests.waiting import wait_until

_ROUNDS: Final = 3
_BEGINS: Final = "| asked |"
_ENDS: Final = "\n\n"
_LEAVE: Final = "window.leaves = true"
_ARRIVED: Final = "window.leaves === undefined && document.readyState === 'complete'"
_CLICK: Final = """
((text, row) => {
    const said = link => link.textContent.trim().replace(/\\s+/g, ' ');
    [...document.querySelectorAll('.overnight a')].find(
        link => said(link) === text && (row === null || link.outerHTML.includes(row))).click();
})(%s, %s)
"""
_ASK: Final = """
(words => {
    const form = [...document.querySelectorAll('.overnight form')].find(form => form.elements[Object.keys(words)[0]]);
    for (const [name, word] of Object.entries(words)) form.elements[name].value = word;
    form.querySelector('button').click();
})(%s)
"""
_MINUTES: Final = re.compile(r"\d+ min")
_TEXT: Final = "document.querySelector('.overnight').innerText.replace(/\\s+/g, ' ').replaceAll('\u2013', '-')"


class Measured(NamedTuple):
    """How long somebody waits for the answer to a question."""

    question: Question
    flower_s: float
    command_s: float
    processor_s: float
    """Of the command, on all processors."""


def main() -> int:
    """Ask all of them, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="Put the table into workers/docs/drill.md.")
    options = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="overnight-drill-")))
        directory.chmod(0o755)
        database_url = copy_database(stack.enter_context(running_postgres()).url)
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(NIGHT.encode())
        servers = {
            "OVERNIGHT_REDIS_URL": stack.enter_context(running_redis(directory)),
            "OVERNIGHT_DATABASE_URL": database_url,
            "OVERNIGHT_ROLES": json.dumps({"operator": ["ann"]}),
            "OVERNIGHT_LANES": json.dumps({"odd": {}}),
        }
        flower = start(directory, OURS, ["--basic-auth=ann:secret"], servers)
        stack.callback(flower.process.wait)
        stack.callback(flower.process.terminate)
        wait_until(lambda: answers(flower), 60)
        clicked = asyncio.run(_click_all(flower.url.replace("//", "//ann:secret@"), directory / "browser"))
        measured = [
            Measured(question, took_s, *_by_command(question, servers, directory))
            for question, took_s in zip(QUESTIONS, clicked, strict=True)
        ]
    print(table(measured))
    if options.write:
        _write(table(measured))
    return 0


async def _click_all(url: str, profile: Path) -> list[float]:
    """How long each takes in Flower, the fastest of some rounds: the browser has the style sheet by then."""
    async with running_browser(profile) as browser:
        return [min([await _by_clicks(browser, url, question) for _ in range(_ROUNDS)]) for question in QUESTIONS]


async def _by_clicks(browser: Browser, url: str, question: Question) -> float:
    began = time.monotonic()
    await browser.open(f"{url}/now", width=1400, theme="light")
    for step in question.steps:
        await _click(browser, step)
    took_s = time.monotonic() - began
    shown = await browser.value(_TEXT)
    _assert_says(shown, question.reads)
    return took_s


async def _click(browser: Browser, step: Step) -> None:
    await browser.value(_LEAVE)
    if isinstance(step, Mapping):
        await browser.value(_ASK % json.dumps(dict(step)))
    else:
        word, _, row = step.partition("… ")  # more words after a link's own are in its row
        await browser.value(_CLICK % (json.dumps(f"{word}…" if row else step), json.dumps(row or None)))
    for _ in range(1000):
        if await browser.value(_ARRIVED):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"nothing comes after {step}")


def _by_command(question: Question, servers: Mapping[str, str], directory: Path) -> tuple[float, float]:
    """How long the command takes as a process, from its start to its end, and how much of a processor; the least."""
    program = Path(sys.executable).parent / "overnight"
    took, used = [], []
    for _ in range(_ROUNDS):
        began, before = time.monotonic(), _processor_s()
        done = subprocess.run(
            [program, *shlex.split(question.command)[1:]],
            env={**os.environ, **servers, "COLUMNS": "300"},
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
        )
        took.append(time.monotonic() - began)
        used.append(_processor_s() - before)
        _assert_says(" ".join(done.stdout.split()), question.prints)
    return min(took), min(used)


def _processor_s() -> float:
    """What processes that were waited for have used so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _assert_says(text: str, wanted: Sequence[str]) -> None:
    """Ages go on meanwhile."""
    said = _MINUTES.sub("min", text)
    assert [words for words in wanted if _MINUTES.sub("min", words) not in said] == [], text


def table(measured: list[Measured]) -> str:
    """What was measured, as the page shows it."""
    rows = [f"{_BEGINS} clicks | in Flower | by command | its processor time |", "|---|---:|---:|---:|---:|"]
    rows += [
        f"| {part.question.asked} | {len(part.question.steps)} | {part.flower_s:.1f} s | {part.command_s:.1f} s"
        f" | {part.processor_s:.1f} s |"
        for part in measured
    ]
    return "\n".join(rows)


def _write(measured: str) -> None:
    before, begins, after = PAGE.read_text().partition(_BEGINS)
    assert begins, "the page has no such table yet"
    PAGE.write_text(f"{before}{measured}{_ENDS}{after.partition(_ENDS)[2]}")


if __name__ == "__main__":
    sys.exit(main())
