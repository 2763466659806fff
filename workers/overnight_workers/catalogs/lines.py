"""On which line of a TOML file each key stands: what `tomllib` doesn't say."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Final

Path = tuple[str | int, ...]
"""Names of tables and keys, and positions in lists of tables, as pydantic's `loc` has them."""

_HEADER: Final = re.compile(r"\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(#.*)?$")
_KEY: Final = re.compile(
    r"""\s*((?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*'))*)\s*="""
)
_TOKEN: Final = re.compile(r"\"\"\"|'''|\"(?:[^\"\\]|\\.)*\"|'[^']*'|#.*|[\[\]{}]")


def lines_of(text: str) -> dict[Path, int]:
    """Every table and key of a TOML text that can be read, with its line, counted from 1."""
    lines: dict[Path, int] = {(): 1}
    table: Path = ()
    counted: dict[Path, int] = {}
    inside = _Inside()
    for number, line in enumerate(text.split("\n"), start=1):
        if inside.is_value:
            inside.go_on(line)
            continue
        header = _HEADER.fullmatch(line)
        if header is not None and "=" not in _without_texts(header[2]):
            names = _names(header[2])
            table = _table(names, is_list=header[1] == "[[", counted=counted)
            lines.setdefault(tuple(names), number)
            lines.setdefault(table, number)
            continue
        key = _KEY.match(line)
        if key is not None:
            path = table
            for name in _names(key[1]):
                path = (*path, name)
                lines.setdefault(path, number)
            inside.go_on(line[key.end() :])
    return lines


def line_of(path: Sequence[str | int], lines: Mapping[Path, int]) -> int:
    """The line of a path; of what it stands in, where it has none of its own (a key that is missing, a list's part)."""
    for length in range(len(path), -1, -1):
        line = lines.get(tuple(path[:length]))
        if line is not None:
            return line
    return 1


class _Inside:
    """Whether a value goes on in the next line: a text of many lines, a list, an inline table."""

    def __init__(self) -> None:
        self._quotes: str | None = None
        self._depth = 0

    @property
    def is_value(self) -> bool:
        return self._quotes is not None or self._depth > 0

    def go_on(self, line: str) -> None:
        rest = line
        while rest:
            if self._quotes is not None:
                end = self._end(rest)
                if end is None:
                    return
                self._quotes, rest = None, rest[end:]
                continue
            token = _TOKEN.search(rest)
            if token is None:
                return
            if token[0] in ('"""', "'''"):
                self._quotes = token[0]
            elif token[0] in "[{":
                self._depth += 1
            elif token[0] in "]}":
                self._depth -= 1
            rest = rest[token.end() :]

    def _end(self, rest: str) -> int | None:
        """Behind the quotes that end the text of many lines."""
        assert self._quotes is not None, "asked inside of one only"
        escape = r"(?:\\.|[^\\])*?" if self._quotes == '"""' else r".*?"
        quotes = re.match(f"{escape}{self._quotes}", rest)
        return None if quotes is None else quotes.end()


def _names(dotted: str) -> list[str]:
    """The names of a dotted key."""
    try:
        document: object = tomllib.loads(f"{dotted} = 0")
    except tomllib.TOMLDecodeError:
        return [dotted]
    names = []
    while isinstance(document, dict):
        ((name, document),) = document.items()
        names.append(name)
    return names


def _table(names: Sequence[str], *, is_list: bool, counted: dict[Path, int]) -> Path:
    """The path of a table's header; of a list of tables, with the position of this one."""
    path: Path = ()
    for position, name in enumerate(names):
        path = (*path, name)
        is_last = position == len(names) - 1
        if is_last and is_list:
            counted[path] = counted.get(path, -1) + 1
        if path in counted:
            path = (*path, counted[path])
    return path


def _without_texts(text: str) -> str:
    return re.sub(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'", "", text)
