"""Secrets that are planted wherever a company keeps some, and a search for them in whatever can be read."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import quote

from pydantic import BaseModel

from tests.driving import MODEL

SPECIAL: Final = ":/@?#%& ;'\"é"
"""What a password generator of a company puts in."""
MARK: Final = "pl4nt3d"
_FOUND: Final = re.compile(rf"{MARK}[-+]([a-z]+)", re.IGNORECASE)


def secret(of: str) -> str:
    """A secret that says what it is the secret of."""
    return f"{MARK}-{of}{SPECIAL}{MARK}-{of}-end"


def in_base64(of: str) -> str:
    """A secret that is 32 bytes in base64, and says what it is the secret of."""
    return f"{MARK}+{of}+".ljust(43, "A") + "="


def in_url(of: str) -> str:
    """The same, as it stands in a URL."""
    return quote(secret(of), safe="")


def found_in(text: str | bytes) -> set[str]:
    """Whose secrets, or parts of them, can be read there."""
    shown_text = text.decode(errors="replace") if isinstance(text, bytes) else text
    return {word.lower() for word in _FOUND.findall(shown_text)}


def lines_of(text: str | bytes) -> list[str]:
    """The lines that show a secret, cut around it: for the message of a test that fails."""
    shown_text = text.decode(errors="replace") if isinstance(text, bytes) else text
    shown = []
    for line in shown_text.splitlines():
        match = _FOUND.search(line)
        if match is not None:
            shown.append(line[max(0, match.start() - 150) : match.end() + 60])
    return shown


class Named(BaseModel):
    """An answer that the made-up one is not."""

    number: int


def free_text(of: str) -> str:
    return f"{secret(of)}: describe it"


def params(text: str = "Describe a kettle", **more: Any) -> dict[str, Any]:
    """A request. What it says stands first: Postgres quotes the beginning of a value."""
    return {"messages": [{"content": text, "role": "user"}], "model": MODEL, "max_tokens": 256, **more}


def assert_shows_none(shown: dict[str, str]) -> None:
    shown_lines = {where: lines_of(text)[:3] for where, text in shown.items() if found_in(text)}
    assert shown_lines == {}, "\n".join(f"{where}: {line}" for where, lines in shown_lines.items() for line in lines)
