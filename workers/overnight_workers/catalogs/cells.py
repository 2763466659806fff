"""The text of a cell: the one rule by which the same row is the same from CSV, Parquet, JSONL, Excel and Postgres.

Everything is text, and an empty text is null. What a source gives as a number, a date or a yes or no is written in one
way (`text_of` for values of Python, `as_text` for columns of DuckDB). What a catalog declares to be more than text is
brought into the same form by `canonical`, from however the source writes it; a text that can't be read as its type
stays as it is, and is that row's fault when its prompt needs it (`value_of`). Nothing of a cell depends on another.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from overnight_workers.catalogs.faults import BadRow

DECIMALS: Final = re.compile(r"decimal\((\d+)\)")
_PATTERN: Final = re.compile(r"[\[*?]")
_FORMAT: Final = re.compile(r"(date|datetime)\((.+)\)")
_MOST_DIGITS: Final = 4_300
"""Of a number, as Python itself has it for whole ones."""
_YES: Final = ("true", "t", "yes", "y", "on", "1")
_NO: Final = ("false", "f", "no", "n", "off", "0")


def text_of(value: object) -> str:
    """A value of Python as the text of a cell; an empty text stands for null."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return _datetime(value)
    if isinstance(value, (date, time)):
        return _without_zeros(value.isoformat())
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, (Mapping, list, tuple)):
        return to_json(value, separators=(",", ":"))
    if isinstance(value, timedelta):
        return f"{value / timedelta(seconds=1):f}".rstrip("0").rstrip(".")
    return str(value)  # int, float (the shortest digits that are the same number), UUID


def _datetime(value: datetime) -> str:
    """ISO 8601, without zeros at the end of a second's parts: in UTC with a Z where it has a zone."""
    if value.tzinfo is None:
        return _without_zeros(value.isoformat())
    return _without_zeros(value.astimezone(UTC).replace(tzinfo=None).isoformat()) + "Z"


def _without_zeros(iso: str) -> str:
    return iso.rstrip("0").rstrip(".") if "." in iso else iso


class Digits(str):
    """A number of JSON, as it is written."""

    __slots__ = ()


def loads(text: bytes | str) -> object:
    """JSON whose numbers keep their text: 1.10 stays 1.10. Raises ValueError."""
    return json.loads(text, parse_float=Digits, parse_int=Digits, parse_constant=Digits)


def to_json(value: object, *, indent: int | None = None, separators: tuple[str, str] | None = None) -> str:
    """JSON for a model to read: characters and the digits of numbers as they are. Raises TypeError."""
    written = json.dumps(_plain(value), ensure_ascii=False, indent=indent, separators=separators)
    return _NUMBER.sub(r"\1", written)


_NUMBER: Final = re.compile('"\ue000([^"\ue001]+)\ue001"')
"""A number as `_plain` marks it, since json can't be told how to write one."""


def _plain(value: object) -> object:
    if isinstance(value, (Digits, Decimal)):
        return f"\ue000{text_of(value)}\ue001"
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple, Iterator)):
        return [_plain(inner) for inner in value]
    return text_of(value)


def quoted(name: str) -> str:
    """A column's name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def as_text(column: str, kind: str) -> str:
    """DuckDB's SQL for the text of a column by its own type; as `text_of` writes the same value."""
    name, kind = quoted(column), kind.upper()
    if kind == "VARCHAR":
        return f"nullif({name}, '')"
    if kind.startswith(("STRUCT", "MAP", "LIST", "UNION", "JSON", "VARIANT")) or kind.endswith("]"):
        return f"to_json({name})::VARCHAR"
    if kind == "TIMESTAMP WITH TIME ZONE":
        return _in_utc(name)
    if kind.startswith("TIMESTAMP"):
        return _iso(name)
    if kind.startswith("TIME"):
        return _seconds(f"{name}::VARCHAR")
    if kind == "BLOB":
        return f"lower(hex({name}))"
    return f"{name}::VARCHAR"


def _iso(timestamp: str) -> str:
    return _seconds(f"strftime({timestamp}::TIMESTAMP, '%Y-%m-%dT%H:%M:%S.%f')")


def _in_utc(moment: str) -> str:
    return _iso(f"({moment} AT TIME ZONE 'UTC')") + " || 'Z'"


def _seconds(text: str) -> str:
    return f"regexp_replace({text}, '(\\.\\d*?)0+$|\\.$', '\\1').rtrim('.')"


def literal(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def one_file(path: Path) -> str:
    """A file, and only it, as the first arguments of DuckDB's readers.

    Else a bracket in its name is a pattern (findings/duckdb-reads-another-file-than-the-named.sh), and a folder such as
    `night=2026-11-30` is a column (findings/duckdb-a-folder-name-replaces-a-column.sh).
    """
    return f"{named_file(path)}, hive_partitioning = false"


def named_file(path: Path) -> str:
    """A file, and only it, by its name alone, for those of DuckDB's functions that know no partitions."""
    return literal(_PATTERN.sub(r"[\g<0>]", str(path)))


def canonical(column: str, declared: str) -> str:
    """DuckDB's SQL for a column of text that is declared to be of a type: the same form for the same value."""
    name = quoted(column)
    trimmed = f"trim({name})"
    if declared == "integer":
        # 007, +7 and 7.0 are 7
        digits = f"regexp_replace({trimmed}, '^\\+?(-?)0*(\\d+?)(\\.0*)?$', '\\1\\2')"
        return _where(f"regexp_full_match({trimmed}, '[+-]?\\d+(\\.0*)?')", f"if({digits} = '-0', '0', {digits})", name)
    if declared == "decimal":
        digits = f"rtrim(regexp_replace({trimmed}, '^\\+?(-?)0*(\\d*)(\\.\\d*)?$', '\\1\\2\\3'), '.')"
        digits = f"regexp_replace({digits}, '^(-?)(\\.|$)', '\\10\\2')"
        return _where(f"regexp_full_match({trimmed}, '[+-]?(\\d+\\.?\\d*|\\.\\d+)')", digits, name)
    if decimal := DECIMALS.fullmatch(declared):
        return f"coalesce(TRY_CAST({trimmed} AS DECIMAL(38, {decimal[1]}))::VARCHAR, nullif({name}, ''))"
    if declared == "boolean":
        words = [f"lower({trimmed}) IN ({', '.join(map(literal, some))})" for some in (_YES, _NO)]
        return f"CASE WHEN {words[0]} THEN 'true' WHEN {words[1]} THEN 'false' ELSE nullif({name}, '') END"
    kind, form = (formatted[1], formatted[2]) if (formatted := _FORMAT.fullmatch(declared)) else (declared, None)
    if kind == "date":
        read = f"try_strptime({trimmed}, {literal(form)})" if form else _iso_date(trimmed)
        return f"coalesce(strftime({read}, '%Y-%m-%d'), nullif({name}, ''))"
    if kind == "datetime":
        return f"coalesce({_moment(trimmed, form)}, nullif({name}, ''))"
    return f"nullif({name}, '')"


def _where(condition: str, then: str, name: str) -> str:
    return f"CASE WHEN {condition} THEN {then} ELSE nullif({name}, '') END"


def _iso_date(trimmed: str) -> str:
    """A date as ISO has it, alone or with a midnight behind it, as spreadsheets and timestamps give one."""
    plain = f"regexp_replace({trimmed}, '[T ]00:00(:00(\\.0+)?)?(Z|[+-]00(:?00)?)?$', '')"
    return f"CASE WHEN regexp_full_match({plain}, '\\d{{4}}-\\d{{2}}-\\d{{2}}') THEN TRY_CAST({plain} AS DATE) END"


def _moment(trimmed: str, form: str | None) -> str:
    if form is not None:
        read = f"try_strptime({trimmed}, {literal(form)})"
        return _in_utc(read) if "%z" in form else _iso(read)
    with_zone = f"regexp_matches({trimmed}, '\\d(Z|z|[+-]\\d{{2}}(:?\\d{{2}})?)$') AND length({trimmed}) > 10"
    in_utc = _in_utc(f"TRY_CAST({trimmed} AS TIMESTAMPTZ)")
    return f"CASE WHEN {with_zone} THEN {in_utc} ELSE {_iso(f'TRY_CAST({trimmed} AS TIMESTAMP)')} END"


def value_of(column: str, text: str, declared: str | None) -> object:
    """The value of a cell that a template gets: its text, or what it is declared to be. Raises BadRow."""
    if declared is None or declared == "text":
        return text
    try:
        return _read(text, declared.partition("(")[0])
    except (ValueError, InvalidOperation, RecursionError) as error:
        raise BadRow(f"{column} is {text[:40]!r}, which is no {declared}", column=column) from error


def decimal_of(text: str) -> Decimal:
    """A number as it is written. Raises ValueError and InvalidOperation.

    1e999999999 is one of the numbers that it doesn't take: written with all of its digits it fills the memory.
    """
    number = Decimal(text)
    if number.is_finite() and abs(number.adjusted()) > _MOST_DIGITS:
        raise ValueError(text)
    return number


def _read(text: str, declared: str) -> object:
    match declared:
        case "integer":
            return int(text)
        case "decimal":
            return decimal_of(text)
        case "boolean":
            if text not in ("true", "false"):
                raise ValueError(text)
            return text == "true"
        case "date":
            return date.fromisoformat(text)
        case "datetime":
            return datetime.fromisoformat(text)
        case _:
            return json.loads(text, parse_float=decimal_of)
