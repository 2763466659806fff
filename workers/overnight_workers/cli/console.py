"""What the commands print with: results to stdout, news and errors to stderr, NO_COLOR honoured (by rich)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import orjson
import typer
from rich.console import Console

from overnight_models.quantities import money

# into a file or a pipe nothing is cut to the width of a terminal that isn't there
OUT: Final = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
ERR: Final = Console(stderr=True, highlight=False)


def say(news: str) -> None:
    """News for a person."""
    ERR.print(news, markup=False)


def fail(error: str) -> None:
    """What went wrong, and what to do about it."""
    ERR.print("overnight:", style="bold red", end=" ")
    ERR.print(error, markup=False)


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C in what stands within ends the command with a word and not with a traceback."""
    try:
        yield
    except KeyboardInterrupt:
        say("stopped; nothing of it is left running")
        raise typer.Exit(130) from None


def billed(nano: int, unpriced: int) -> str:
    """A sum of money, and how many answers aren't in it because their model has no price."""
    if not unpriced:
        return money(nano)
    return f"{money(nano)} + {unpriced:,} unknown" if nano else "unknown"


def as_json(document: object) -> None:
    """A document for a script. Money in it is dollars as exact decimal strings, in names that end in `_usd`."""
    sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE, default=str))
    sys.stdout.flush()


__all__ = ["ERR", "OUT", "as_json", "billed", "fail", "interruptible", "money", "say"]
