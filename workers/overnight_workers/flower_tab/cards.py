"""Tables on narrow screens: each cell says its column, so that the style sheet can show a row as a card.

It is done to the finished page, so that a table says its columns once, at its head. Cards are no tables to a browser:
the roles keep them tables for those who hear the page.
"""

from __future__ import annotations

import re
from html import escape, unescape
from typing import Final

from overnight_workers.flower_tab.shown import DASH

_TABLE: Final = re.compile(r"<table>.*?</table>", re.DOTALL)
_COLUMN: Final = re.compile(r'<th scope="col"[^>]*>(.*?)</th>', re.DOTALL)
_ROW: Final = re.compile(r"<tr[ >].*?</tr>", re.DOTALL)
_CELL: Final = re.compile(r"<(?P<tag>td|th)(?P<said>[^>]*)>(?P<text>.*?)</(?P=tag)>", re.DOTALL)
_SPAN: Final = re.compile(r'colspan="(\d+)"')
_MARKUP: Final = re.compile(r"<[^>]*>")
_ROLES: Final = {
    "table": "table",
    "thead": "rowgroup",
    "tbody": "rowgroup",
    "tr": "row",
    'th scope="col"': "columnheader",
    'th scope="row"': "rowheader",
    "td": "cell",
}
_BEGINS: Final = re.compile(rf"<({'|'.join(_ROLES)})((?: [^>]*)?)>")


def labelled(page: str) -> str:
    """A page of ours whose tables say in each cell which column it is in, and whether nothing stands in it."""
    return _TABLE.sub(lambda table: _labelled(table[0]), page)


def _labelled(table: str) -> str:
    columns = [_text(column) for column in _COLUMN.findall(table)]
    head, body_begins, body = table.partition("<tbody>")
    body = _ROW.sub(lambda row: _row(row[0], columns), body)
    table = head + body_begins + body
    return _BEGINS.sub(lambda begins: f'<{begins[1]}{begins[2]} role="{_ROLES[begins[1]]}">', table)


def _row(row: str, columns: list[str]) -> str:
    column = 0

    def cell(match: re.Match[str]) -> str:
        nonlocal column
        label = columns[column] if column < len(columns) else ""
        span = _SPAN.search(match["said"])
        column += int(span[1]) if span else 1
        said = match["said"]
        if match["tag"] == "td":
            said += f' data-label="{escape(label)}"'
            said += " data-blank" if _text(match["text"]) in ("", DASH) and "<input" not in match["text"] else ""
        return f"<{match['tag']}{said}>{match['text']}</{match['tag']}>"

    return _CELL.sub(cell, row)


def _text(markup: str) -> str:
    return unescape(" ".join(_MARKUP.sub(" ", markup).split()))
