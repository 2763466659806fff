"""What is wrong with a catalog: its file, its source, one of its rows.

PermanentError
├── BadCatalog    the file's declaration (every fault, with its line)
├── BadSource     the data can't be read as it is declared (lines or rows named)
│   └── NotSetHere    this process lacks an environment variable that has a database's URL; another may have it
└── BadRow        one row can't become a request; the others can
    └── TooLong       its prompt has more tokens than the catalog takes
"""

from __future__ import annotations

from collections.abc import Sequence

from overnight_models.errors import PermanentError


def in_a_line(error: PermanentError) -> str:
    """What is wrong, where there is one line for it: lists of runs, schedules, alarms."""
    faults = error.faults if isinstance(error, BadCatalog | BadSource) else str(error).splitlines()
    return "; ".join(fault.strip() for fault in faults)


class BadCatalog(PermanentError):
    """A catalog file is wrong; every fault is listed at once.

    faults: one sentence each, beginning with file, line and place: `catalogs/x.toml:12: prompt.row: …`.
    """

    def __init__(self, file: str, faults: Sequence[str]) -> None:
        self.file = file
        self.faults = list(faults)
        super().__init__(f"{file} has faults:\n" + "\n".join(f"  - {fault}" for fault in self.faults))


class BadSource(PermanentError):
    """The data of a catalog can't be read as its file declares it. Nothing was sent.

    faults: one sentence each, with the lines or rows that it is about.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = list(faults)
        super().__init__("\n".join(self.faults))


class NotSetHere(BadSource):
    """An environment variable with a database's URL isn't set in this process; another process may have it."""


class BadRow(PermanentError):
    """One row can't become a request; the others are untouched.

    column: whose cell is the reason; None where no single one is.
    """

    def __init__(self, why: str, *, column: str | None = None) -> None:
        self.column = column
        super().__init__(why)


class TooLong(BadRow):
    """The prompt of one row has more tokens than `max_input_tokens`. tokens: how many, as estimated."""

    def __init__(self, why: str, tokens: int) -> None:
        self.tokens = tokens
        super().__init__(why)
