"""Everything that a person may read of an installation: what commands print, pages, events, files, logs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urljoin

import httpx2
from celery import Celery

_RUN_ALL: Final = """
import json, sys, traceback
from functools import cache
import typer.testing
from typer.testing import CliRunner
from overnight_models.errors import OvernightError
from overnight_workers import held
from overnight_workers.cli import app

typer.testing._get_command = cache(typer.testing._get_command)  # the tree of commands, once and not for each
for words in json.load(sys.stdin):
    done = CliRunner().invoke(app, words, input="n\\n")
    error = done.exception
    told = done.output
    if isinstance(error, OvernightError):
        told += f"overnight: {error}"
    elif error is not None and not isinstance(error, SystemExit):
        told += "TRACEBACK " + "".join(traceback.format_exception(error))
    print(json.dumps([" ".join(words), done.exit_code, told]), flush=True)
    held.close()
"""
_MOST_PAGES: Final = 60


def printed(commands: Sequence[Sequence[str]], environment: Mapping[str, str], where: Path) -> dict[str, str]:
    """What `overnight` prints for each of these, all of them run in one process; by the words of the command."""
    done = subprocess.run(
        [sys.executable, "-c", _RUN_ALL],
        input=json.dumps(commands).encode(),
        env={**os.environ, **environment},
        cwd=where,
        capture_output=True,
        timeout=300,
        check=False,
    )
    shown = {words: text for words, _, text in (json.loads(line) for line in done.stdout.splitlines())}
    assert len(shown) == len(commands), done.stderr.decode()
    return shown | {"standard error of all": done.stderr.decode()}


@contextmanager
def events(app: Celery) -> Iterator[list[dict[str, Any]]]:
    """Celery's events, all that come while the block lasts."""
    seen: list[dict[str, Any]] = []
    over = threading.Event()
    ready = threading.Event()

    def listen() -> None:
        with app.connection_for_read() as connection:
            receiver = app.events.Receiver(connection, handlers={"*": seen.append})
            while not over.is_set():
                try:
                    for _ in receiver.consume(limit=None, timeout=0.5, wakeup=not ready.is_set()):
                        ready.set()
                except TimeoutError:
                    ready.set()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    ready.wait(60)
    try:
        yield seen
    finally:
        over.set()
        thread.join(60)


def pages(url: str, begin: Sequence[str]) -> dict[str, str]:
    """Pages of a site as a reader sees them and as they were sent, from these on wherever its links lead."""
    waiting = list(begin)
    seen: dict[str, str] = {}
    while waiting and len(seen) < _MOST_PAGES:
        path = waiting.pop(0)
        if path in seen:
            continue
        answer = httpx2.get(url + path, timeout=60, follow_redirects=True)
        seen[path] = f"{answer.text}\n{unescape(unquote(answer.text))}"
        if "html" in answer.headers.get("content-type", ""):
            for link in re.findall(r'(?:href|data-url)="([^"#]+)"', answer.text):
                there = urljoin(path, unescape(link)).split("#")[0]
                if there.startswith("/") and not there.startswith(("/static", "/logout")):
                    waiting.append(there)
    return seen
