"""The dialect of a CSV file, found out once: encoding, separator, quoting. It is a guess that says its doubts.

A short file is read in many ways without any error: a few Chinese words are Korean ones too, and a French name is a
Czech one. So nothing is guessed at night: a person confirms, and the catalog's file keeps it.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from overnight_workers.catalogs.sources.files import opened

_LOOKED_AT: Final = 1 << 20
"""Bytes that are looked at for everything but UTF-8, which all of them have to be."""
_SEPARATORS: Final = (",", ";", "\t", "|")
_FOR_EXCEL: Final = re.compile(r"sep=(.)\r?\n")
_ROWS: Final = 500
_MANY: Final = 400
"""Bytes that aren't ASCII, from which on an encoding of two bytes a character is hardly mistaken for another."""
_FEW_ROWS: Final = 4
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_TWO_BYTES: Final = ("gb18030", "big5", "shift_jis", "euc_jp", "cp949")
_ONE_BYTE: Final = ("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp437")


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written, as far as can be said."""

    encoding: str
    separator: str
    quote: str
    """Empty for none."""
    skip_lines: int
    """Above the names: 1 where the first line only tells Excel the separator (`sep=;`)."""
    doubts: tuple[str, ...]
    """Sentences for a person who knows the file; empty where it is plain."""


def find(place: str, *, encoding: str | None = None, separator: str | None = None, skip_lines: int = 0) -> Dialect:
    """Look at a file. The others are what a person has said. Raises BadSource when it can't be opened."""
    with opened(place) as file:
        beginning = file.read(_LOOKED_AT)
        codec, doubts = (encoding, []) if encoding is not None else _encoding(beginning, _is_utf8(beginning, file))
    text = beginning.decode("utf-8-sig" if codec == "utf-8" else codec, errors="replace")
    if len(beginning) == _LOOKED_AT:
        text = text.rpartition("\n")[0]  # the last line is cut off
    for_excel = _FOR_EXCEL.match(text)
    if for_excel is not None:
        skip_lines, separator = max(skip_lines, 1), separator or for_excel[1]
    text = "".join(islice(io.StringIO(text, newline=""), skip_lines, None))
    if separator is None:
        separator, more = _separator(text)
        doubts += more
    quote, more = _quote(text, separator)
    return Dialect(codec, separator, quote, skip_lines, tuple(doubts + more))


def _is_utf8(beginning: bytes, rest: object) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(beginning)
        while chunk := rest.read(_LOOKED_AT):  # type: ignore[attr-defined]
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _encoding(beginning: bytes, is_utf8: bool) -> tuple[str, list[str]]:
    for bom, name in _BOMS:
        if beginning.startswith(bom):
            return name, []
    if (wide := _utf16(beginning)) is not None:
        return wide, []
    if is_utf8:
        return "utf-8", []
    possible = [name for name in (*_TWO_BYTES, *_ONE_BYTE) if _can_be(beginning, name)]
    if not possible:
        return "cp1252", [
            "encoding: none that is known reads all of it; cp1252 is taken, with signs for what it hasn't"
        ]
    best = _likeliest(beginning, possible)
    high = sum(byte > 127 for byte in beginning)
    if best in _TWO_BYTES and high >= _MANY and _fit(beginning, best) > _SURE:
        return best, []
    others = [name for name in possible if name != best and _words(beginning, name) != _words(beginning, best)]
    shown = "; ".join(f"as {name}: {', '.join(_words(beginning, name))}" for name in (best, *others[:3]))
    return best, [f"encoding: {best} is taken, and others read it too. {shown}"]


def _utf16(beginning: bytes) -> str | None:
    """UTF-16 without a mark: no other encoding has zeros, and this one has them in one half of ASCII's characters."""
    low, high = beginning[0::2].count(0), beginning[1::2].count(0)
    if low == high:
        return None
    return "utf-16-le" if high > low else "utf-16-be"


def _can_be(beginning: bytes, name: str) -> bool:
    try:
        codecs.getincrementaldecoder(name)().decode(beginning)  # it may be cut off within a character
    except UnicodeDecodeError:
        return False
    return True


_SURE: Final = 0.9


def _likeliest(beginning: bytes, possible: Sequence[str]) -> str:
    two_bytes = [name for name in possible if name in _TWO_BYTES]
    if two_bytes:
        # all of Korean can be read as Chinese, and hardly any Chinese as Korean
        best = max(
            two_bytes, key=lambda name: (_fit(beginning, name) > _SURE and name == "cp949", _fit(beginning, name))
        )
        if _fit(beginning, best) > _SURE:
            return best
    if "cp1252" in possible and _is_western(beginning):
        return "cp1252"
    from charset_normalizer import from_bytes

    match = from_bytes(
        beginning, cp_isolation=[name for name in possible if name not in _TWO_BYTES] or list(possible)
    ).best()
    return match.encoding if match is not None else possible[0]


def _is_western(beginning: bytes) -> bool:
    """Whether all characters beyond ASCII are those of Western Europe, if it is read as cp1252."""
    return all(char in _WESTERN for char in beginning.decode("cp1252", errors="replace") if ord(char) > 127)


_WESTERN: Final = (
    "àáâãäåæçèéêëìíîïñòóôõöøùúûüÿœßÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜŒ€£§°«»„“”…²³ºª¿¡\u2018\u2019\u2013\u2014\xa0\xb4\xb7"
)


def _fit(beginning: bytes, name: str) -> float:
    """The share of characters beyond ASCII that are everyday ones in texts of that encoding."""
    text = codecs.getincrementaldecoder(name)(errors="replace").decode(beginning)
    beyond = [char for char in text if ord(char) > 127]
    return sum(map(_EVERYDAY[name], beyond)) / len(beyond) if beyond else 0.0


def _is_level_one(char: str) -> bool:
    """Of the 3,755 characters that a Chinese text is nearly all of, or Chinese punctuation."""
    try:
        first = char.encode("gb2312")[0]
    except UnicodeEncodeError:
        return False
    return 0xB0 <= first <= 0xD7 or char in _PUNCTUATION


def _is_big5_one(char: str) -> bool:
    try:
        return 0xA4 <= char.encode("big5")[0] <= 0xC6 or char in _PUNCTUATION
    except UnicodeEncodeError:
        return False


def _is_hangul(char: str) -> bool:
    """Korean is nearly all syllables; Chinese read as Korean has Chinese characters between them."""
    return "가" <= char <= "힣" or char in _PUNCTUATION


def _is_japanese(char: str) -> bool:
    return "ぁ" <= char <= "ヿ" or "一" <= char <= "龥" or char in _PUNCTUATION


_PUNCTUATION: Final = (
    "\uff0c\u3002\u3001\uff1b\uff1a\uff1f\uff01\u201c\u201d\u2018\u2019\uff08\uff09"
    "\u300a\u300b\u300c\u300d\u3010\u3011\u00b7\u2026\u2014\uffe5\u3000\uff5e\uff05"
)
"""Of Chinese, Japanese and Korean."""
_EVERYDAY: Final = {
    "gb18030": _is_level_one,
    "big5": _is_big5_one,
    "shift_jis": _is_japanese,
    "euc_jp": _is_japanese,
    "cp949": _is_hangul,
}


def _words(beginning: bytes, name: str) -> list[str]:
    """The first words beyond ASCII, as they would be read."""
    text = codecs.getincrementaldecoder(name)(errors="replace").decode(beginning)
    return list(dict.fromkeys(re.findall(r"[^\s,;|\"']*[^\x00-\x7f][^\s,;|\"']*", text)))[:3]


def _separator(text: str) -> tuple[str, list[str]]:
    counts = {separator: _widths(text, separator) for separator in _SEPARATORS}
    even = {separator: widths[0] for separator, widths in counts.items() if len(set(widths)) == 1 and widths[0] > 1}
    rows = max(len(widths) for widths in counts.values())
    if even:
        best = max(even, key=lambda separator: even[separator])
    else:
        best = max(_SEPARATORS, key=lambda separator: _agreement(counts[separator]))
    if all(set(widths) == {1} for widths in counts.values()):
        return ",", ["separator: there seems to be one column only"]
    doubts = []
    named = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
    if not even:
        widths = Counter(counts[best]).most_common(2)
        said = " and ".join(f"{many:,} of {width} cells" for width, many in widths)
        doubts.append(f"separator: with {named[best]} rows aren't alike: {said}")
    elif len(even) > 1:
        others = ", ".join(f"{named[other]} ({even[other]} cells)" for other in even if other != best)
        doubts.append(f"separator: {named[best]} is taken ({even[best]} cells a row); it could be {others}")
    elif rows < _FEW_ROWS:
        doubts.append(f"separator: {named[best]} is taken, by {rows} rows only")
    return best, doubts


def _widths(text: str, separator: str) -> list[int]:
    """How many cells the first rows have."""
    widths = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
            if row:
                widths.append(len(row))
            if len(widths) >= _ROWS:
                break
    except csv.Error:
        return [1]
    return widths or [1]


def _agreement(widths: Sequence[int]) -> tuple[float, int]:
    """How many rows have the width that is there most often; a width of one cell is no agreement."""
    ((width, many),) = Counter(widths).most_common(1)
    return (many / len(widths) if width > 1 else 0.0, width)


def _quote(text: str, separator: str) -> tuple[str, list[str]]:
    """What stands around cells: at the beginning of one, and at its end."""
    edge = re.escape(separator)
    quoted_cells = {}
    for quote in ('"', "'"):
        quoted_cells[quote] = len(
            re.findall(rf"(?:^|{edge}){quote}(?:[^{quote}]|{quote}{quote})*{quote}(?={edge}|\r?$)", text, re.MULTILINE)
        )
    if quoted_cells["'"] and not quoted_cells['"']:
        return "'", ["quoting: cells stand between single quotes, it seems"]
    if '"' in text and not quoted_cells['"']:
        return "", ["quoting: double quotes stand inside of cells only, and are taken for text"]
    return '"', []
