"""What the commands print with: results to stdout, news and errors to stderr, NO_COLOR honoured (by rich)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import orjson
import typer
from rich.console import Console

from overnight_models.errors import PermanentError
from overnight_models.quantities import billed, money

# into a file or a pipe nothing is cut to the width of a terminal that isn't there; texts between colons are no emoji
# (findings/rich-makes-pictures-of-texts-between-colons.sh)
OUT: Final = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else 200)
ERR: Final = Console(stderr=True, highlight=False, emoji=False)


def say(news: str) -> None:
    """News for a person."""
    ERR.print(news, markup=False)


def fail(error: str) -> None:
    """What went wrong, and what to do about it."""
    from overnight_workers import redaction

    ERR.print("overnight:", style="bold red", end=" ")
    ERR.print(redaction.text(error), markup=False)


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C in what stands within ends the command with a word and not with a traceback."""
    try:
        yield
    except KeyboardInterrupt:
        say("stopped; nothing of it is left running")
        raise typer.Exit(130) from None


def ask(question: str, *, default: bool = False) -> bool:
    """A person's word, where `--yes` isn't said. Raises PermanentError where nobody is there to answer."""
    try:
        return typer.confirm(question, default=default)
    except typer.Abort as error:
        if sys.stdin.isatty():  # Ctrl-C, or Ctrl-D
            raise
        raise PermanentError("nobody can be asked here: say --yes to do it") from error


def as_json(document: object) -> None:
    """A document for a script; a list as JSON Lines, one a row.

    Money in it is dollars as exact decimal strings, in names that end in `_usd`.
    """
    rows, indent = (document, 0) if isinstance(document, list) else ([document], orjson.OPT_INDENT_2)
    for row in rows:
        sys.stdout.buffer.write(orjson.dumps(row, option=indent | orjson.OPT_APPEND_NEWLINE, default=str))
    sys.stdout.flush()


@contextmanager
def progress(label: str, items: int) -> Iterator[Callable[[int], None]]:
    """Shows on a terminal how many of so many items are done, beside what the command prints. Yields who is told."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=ERR, transient=True, disable=not ERR.is_terminal) as bar:
        task = bar.add_task(label, total=items)
        yield lambda done: bar.update(task, completed=done)


__all__ = ["ERR", "OUT", "as_json", "billed", "fail", "interruptible", "money", "progress", "say"]
