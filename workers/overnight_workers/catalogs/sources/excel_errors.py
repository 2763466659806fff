"""Cells of a workbook that have no value though they aren't empty; calamine gives an empty text for them.

An error (`#DIV/0!`) is one (findings/calamine-reads-error-cells-as-empty.sh), a formula that no program has calculated
yet is the other. A row with such a cell would be asked, and paid, without what the cell should say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from xml.etree import ElementTree
from zipfile import BadZipFile, ZipFile

_CHUNK: Final = 1 << 20
_LONGEST_CELL: Final = 1 << 17
"""Bytes of a cell in XML: a text has 32,767 characters at most, and most of them stand elsewhere."""
_SUSPICIOUS: Final = re.compile(rb"""\bt=["']e["']|</f>\s*(?:<v\s*/>|<v>\s*</v>)?\s*</c>""")
_CELL: Final = re.compile(rb"""\br=["']([A-Z]+[0-9]+)["']""")
_VALUE: Final = re.compile(rb"<v>(.*?)</v>", re.DOTALL)
_IS_TEXT: Final = re.compile(rb"""\bt=["']str["']""")
_MAIN: Final = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATION: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_RELATIONS: Final = "{http://schemas.openxmlformats.org/package/2006/relationships}"


def cells_without_value(file: Path, sheet: str) -> Iterator[tuple[str, str]]:
    """Their places (`G2`) and what stands there instead, in order. Only of .xlsx and .xlsm: others yield nothing."""
    if file.suffix.lower() not in (".xlsx", ".xlsm"):
        return
    try:
        with ZipFile(file) as book, book.open(_part_of(book, sheet)) as part:
            rest = b""
            while chunk := part.read(_CHUNK):
                text = rest + chunk
                end = text.rfind(b"</c>") + len(b"</c>")
                yield from _in(text[:end])
                rest = text[end:][-_LONGEST_CELL:] if end < len(b"</c>") else text[end:]
    except (BadZipFile, KeyError, ElementTree.ParseError):
        return  # calamine says what is wrong with it


def _in(text: bytes) -> Iterator[tuple[str, str]]:
    for match in _SUSPICIOUS.finditer(text):
        begin = text.rfind(b"<c ", 0, match.end())
        end = text.find(b"</c>", begin)
        head = text[begin : text.find(b">", begin)]
        place = _CELL.search(head)
        if begin < 0 or place is None:
            continue
        if match.group().startswith(b"t="):
            value = _VALUE.search(text, begin, end)
            yield place.group(1).decode(), "an error" if value is None else value.group(1).decode(errors="replace")
        elif not _IS_TEXT.search(head):
            yield place.group(1).decode(), "a formula that hasn't been calculated"


def _part_of(book: ZipFile, sheet: str) -> str:
    """The name of a sheet's XML in the file."""
    sheets = ElementTree.fromstring(book.read("xl/workbook.xml")).iter(f"{_MAIN}sheet")
    number = {node.get("name"): node.get(_RELATION) for node in sheets}[sheet]
    relations = ElementTree.fromstring(book.read("xl/_rels/workbook.xml.rels")).iter(f"{_RELATIONS}Relationship")
    target = {node.get("Id"): node.get("Target") or "" for node in relations}[number]
    return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
