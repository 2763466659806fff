"""A first catalog file, from a look at the data: what was found out is written down, what is a choice is shown."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from overnight_workers.catalogs import cells
from overnight_workers.catalogs.declaration import KINDS, NAME, DeclaredSource, kind_of
from overnight_workers.catalogs.faults import BadSource
from overnight_workers.catalogs.opened import duck
from overnight_workers.catalogs.sources import dialect, files, opening

if TYPE_CHECKING:
    import duckdb

    from overnight_workers.catalogs.sources.source import Source

MODEL: Final = "claude-haiku-5-5"
_LOOKS_LIKE_KEY: Final = re.compile(r"(.*[_ -])?(id|key|sku|code|number|no|ean|isbn|uuid|iata)", re.IGNORECASE)
_MOST_SHOWN: Final = 4
"""Columns of the first prompt."""
_TYPES: Final = (
    ("integer", r"[+-]?\d+"),
    ("decimal", r"[+-]?\d*\.\d+"),
    ("date", r"\d{4}-\d{2}-\d{2}"),
    ("datetime", r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*"),
)


@dataclass(frozen=True)
class Looked:
    """What a look at the data says."""

    source: DeclaredSource
    doubts: tuple[str, ...]
    columns: tuple[str, ...]
    preview: tuple[tuple[str | None, ...], ...]
    rows: int
    key: tuple[str, ...]
    """A column that no two rows share; empty where there is none."""
    nullable: frozenset[str]
    likely: dict[str, str]
    """Types that all the cells of a column look like; never taken without a person's word."""


def source_of(
    data: str, *, encoding: str | None, separator: str | None, skip_lines: int | None = None
) -> tuple[DeclaredSource, tuple[str, ...]]:
    """The declaration of a file or URL, and its doubts. A path begins from the current directory. Raises BadSource."""
    if kind_of(data) is None:
        place = Path(data)
        fault = (
            "is a directory"
            if place.is_dir()
            else "doesn't say by its name what it is"
            if place.exists()
            else "isn't there"
        )
        raise BadSource([f"{data} {fault}: name a file of rows that ends in {', '.join(KINDS)}"])
    plain = DeclaredSource(path=data, skip_lines=skip_lines)
    if plain.read_as == "jsonl":
        return plain.model_copy(update={"encoding": encoding}), ()
    if plain.read_as != "csv":
        return plain, ()
    seen = dialect.find(
        files.place_of(plain, Path()), encoding=encoding, separator=separator, skip_lines=skip_lines or 0
    )
    said = {
        "separator": seen.separator,
        "encoding": seen.encoding,
        "quote": seen.quote,
        "skip_lines": seen.skip_lines or None,
    }
    return plain.model_copy(update=said), seen.doubts


def look(source: DeclaredSource, doubts: Sequence[str], *, rows: int) -> Looked:
    """Read all of the data once. rows: of the preview. Raises BadSource."""
    with opening.opened(source, Path()) as opened, duck(in_order=True) as connection:
        preview = opened.first(connection, rows)
        with opened.reading():
            counted = _counted(connection, opened)
        every = int(counted[0])
        each = [counted[1 + 7 * number : 8 + 7 * number] for number in range(len(opened.columns))]
        unique = [
            name
            for name, (filled, distinct, *_) in zip(opened.columns, each, strict=True)
            if filled == distinct == every
        ]
        named = [name for name in unique if _LOOKS_LIKE_KEY.fullmatch(name)]
        likely = {}
        for name, (filled, _, longest_zeros, *fits) in zip(opened.columns, each, strict=True):
            kind = next((kind for (kind, _), fit in zip(_TYPES, fits, strict=True) if fit == filled), None)
            if filled and kind is not None and not (kind == "integer" and longest_zeros):
                likely[name] = kind
        return Looked(
            source=source,
            doubts=tuple(doubts),
            columns=opened.columns,
            preview=tuple(preview),
            rows=every,
            key=tuple((named or unique)[:1]),
            nullable=frozenset(n for n, (filled, *_) in zip(opened.columns, each, strict=True) if filled < every),
            likely=likely,
        )


def _counted(connection: duckdb.DuckDBPyConnection, source: Source) -> tuple[int, ...]:
    """The rows; then of each column: cells, different ones, with a zero before, and those that look like each type."""
    parts = ["count(*)"]
    for name in source.columns:
        column = cells.quoted(name)
        parts += [f"count({column})", f"count(DISTINCT {column})"]
        parts.append(f"count(*) FILTER (regexp_full_match({column}, '0\\d+'))")
        parts += [f"count(*) FILTER (regexp_full_match({column}, {cells.literal(form)}))" for _, form in _TYPES]
    ((*counted,),) = connection.execute(f"SELECT {', '.join(parts)} FROM ({source.query})").fetchall()
    return tuple(counted)


def written(looked: Looked, file: Path) -> str:
    """The text of the catalog's file. file: where it will lie, since its paths begin from there."""
    source = looked.source
    assert source.path is not None, "a file's source"
    path = source.path if files.is_url(source.path) else os.path.relpath(source.path, file.parent)
    lines = [
        "# A catalog: a table, what is asked about each of its rows, and where the answers go.",
        f"# See `overnight catalog show {file}`. Every option: `overnight catalog schema`.",
        *_name_lines(file),
        _key_line(looked),
        f"model = {_text(MODEL)}",
        "max_tokens = 1000",
        "",
        "[source]",
        f"path = {_text(Path(path).as_posix() if not files.is_url(path) else path)}",
        *(
            f"{name} = {_text(value) if isinstance(value, str) else value}"
            for name in ("skip_lines", "separator", "encoding", "quote")
            if (value := getattr(source, name)) is not None
        ),
        *_types_lines(looked),
        "",
        "[prompt]",
        *_prompt_lines(looked),
        'system = "Say in one sentence what this is, for a customer. Be concrete."',
        'row = """',
        *(_line_of(name, name in looked.nullable) for name in _shown(looked)),
        '"""',
        "",
        "# The form of the answers: a pydantic class of your code, or a JSON Schema.",
        "# [output]",
        '# class = "products:Description"',
        "",
        "[sink]",
        f"path = {_text(f'{file.stem}-answers.parquet')}",
    ]
    return "\n".join(lines) + "\n"


def _name_lines(file: Path) -> list[str]:
    """The catalog's name, where the file's can't be one: it stands in keys, on pages and in commands."""
    if NAME.fullmatch(file.name.removesuffix(".toml")):
        return []
    name = re.sub(r"[^a-z0-9_.-]+", "-", file.stem.lower()).strip("-._") or "catalog"
    return [f"name = {_text(name)}  # a to z, 0 to 9, _ . and -: choose one that no other catalog has"]


def _key_line(looked: Looked) -> str:
    if looked.key:
        return f"key = {_text(looked.key[0])}  # the columns that tell rows apart"
    return 'key = []  # name the columns that tell rows apart: key = ["shop", "sku"]; no column alone does'


def _types_lines(looked: Looked) -> list[str]:
    if not looked.likely:
        return []
    types = ", ".join(f"{_name(name)} = {_text(kind)}" for name, kind in looked.likely.items())
    return [
        "# Every cell is text. Declare what should be read alike however it is written, or reckoned with:",
        f"# types = {{{types}}}",
    ]


def _prompt_lines(looked: Looked) -> list[str]:
    """What a column in the prompt costs, and those that look as if they cost it every night."""
    changing = [name for name in _shown(looked) if _changes_often(name, looked.likely.get(name))]
    lines = ["# A column in the prompt makes its row new, and paid again, whenever its cell changes."]
    if changing:
        these = "it" if len(changing) == 1 else "them"
        looks = "looks as if it changes" if len(changing) == 1 else "look as if they change"
        named = ", ".join(json.dumps(name, ensure_ascii=False) for name in changing)
        lines.append(f"# {named} {looks} often: take {these} out if the answer doesn't need {these}.")
    return [line.replace("\x7f", "\\u007f") for line in lines]


def _changes_often(name: str, kind: str | None) -> bool:
    """Whether a column's name, or its cells, say that it is of the moment. kind: what its cells look like."""
    words = {word.lower() for word in re.findall(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+", name)}
    return bool(words & _OF_THE_MOMENT) or (kind == "datetime" and not words & _FOR_GOOD)


_OF_THE_MOMENT: Final = frozenset(
    {"price", "prices", "stock", "inventory", "quantity", "qty", "count", "counts", "available", "availability"}
    | {"updated", "modified", "changed", "refreshed", "synced", "seen", "timestamp", "views", "clicks", "visits"}
    | {"sold", "sales", "rank", "ranking", "rating", "ratings", "score", "balance", "discount", "age"}
)
_FOR_GOOD: Final = frozenset({"created", "born", "birth", "founded", "published", "released", "opened", "start"})
"""Words of moments that don't move."""


def _shown(looked: Looked) -> list[str]:
    return [name for name in looked.columns if name not in looked.key][:_MOST_SHOWN] or list(looked.columns[:1])


def _line_of(name: str, nullable: bool) -> str:
    cell = (
        name
        if re.fullmatch(r"[A-Za-z_]\w*", name) and name not in _RESERVED
        else f"row[{json.dumps(name, ensure_ascii=False)}]"
    )
    return f"{name}: {{{{ {cell}{' or ' + json.dumps('unknown') if nullable else ''} }}}}".replace("\\", "\\\\")


_RESERVED: Final = frozenset(
    {"row", "variant", "and", "or", "not", "in", "is", "if", "else", "for", "loop", "range", "dict", "namespace"}
    | {"recursive", "true", "false", "none", "True", "False", "None"}
)
"""What isn't a column where it stands alone in a template."""


def _text(text: str) -> str:
    """A text in TOML."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _name(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)
