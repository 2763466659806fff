"""What a run leaves without a useful answer: every row as Parquet, and a page with three examples of each cause."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson

from overnight_workers.catalogs.declaration import Catalog
from overnight_workers.catalogs.opened import duck
from overnight_workers.catalogs.sinks import Answered

EXAMPLES: Final = 3
_SHOWN: Final = 600
"""Characters of an answer on the page."""
_VALUES: Final = re.compile(r"'[^']*'|\"[^\"]*\"|\d+(\.\d+)?")
"""What differs from row to row in a sentence about a problem."""
_COLUMNS: Final = {
    "key": "VARCHAR[]",
    "variant": "VARCHAR",
    "cause": "VARCHAR",
    "detail": "VARCHAR",
    "answer": "VARCHAR",
    "request": "VARCHAR",
    "run": "BIGINT",
    "cost_usd": "DECIMAL(18,9)",
}

_PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{{ run }}: problems</title>
<style>body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1c1c1c}
h2{margin-top:2rem;font-size:1.1rem}pre{background:#f4f4f2;padding:.6rem;white-space:pre-wrap;overflow-wrap:anywhere}
dt{font-weight:600}dd{margin:0 0 .5rem}</style>
<h1>{{ run }}: {{ "{:,}".format(total) }} rows have no useful answer</h1>
{% for group in groups %}<h2>{{ "{:,}".format(group.rows) }} x {{ group.cause }}</h2><p>{{ group.told }}</p>
{% for one in group.examples %}<dl><dt>{{ one.key }}</dt><dd>{{ one.detail }}</dd>
{% if one.answer %}<dd><pre>{{ one.answer }}</pre></dd>{% endif %}</dl>{% endfor %}{% endfor %}
</html>
"""


@dataclass
class Group:
    """Rows with one cause."""

    cause: str
    told: str
    """The sentence that they have in common, without what differs from row to row."""
    rows: int = 0
    examples: list[dict[str, str]] = field(default_factory=list)


def write(catalog: Catalog, run_name: str, number: int, left: Iterator[Answered]) -> None:
    """Write both files beside the catalog's declaration; without problems there are none afterwards."""
    table, page = (catalog.directory / f"{catalog.name}.problems.{end}" for end in ("parquet", "html"))
    with tempfile.TemporaryDirectory(prefix="overnight-problems-") as directory:
        lines = Path(directory) / "problems.jsonl"
        groups = _gather(lines, number, left)
        if not groups:
            table.unlink(missing_ok=True)
            page.unlink(missing_ok=True)
            return
        _put(table, lambda aside: _write_table(lines, aside))
        _put(page, lambda aside: aside.write_text(_page(run_name, groups)))


def _put(path: Path, make: Callable[[Path], object]) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}.aside")
    try:
        make(aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _gather(lines: Path, number: int, left: Iterator[Answered]) -> list[Group]:
    groups: dict[tuple[str, str], Group] = {}
    with lines.open("wb") as file:
        for one in left:
            row = _row(one, number)
            file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
            told = _VALUES.sub("…", str(row["detail"]))
            group = groups.setdefault((str(row["cause"]), told), Group(str(row["cause"]), told))
            group.rows += 1
            if len(group.examples) < EXAMPLES:
                answer = str(row["answer"] or "")
                shown = answer[:_SHOWN] + (" …" if len(answer) > _SHOWN else "")
                name = ", ".join(one.key) + (f" ({one.variant})" if one.variant else "")
                group.examples.append({"key": name, "detail": str(row["detail"]), "answer": shown})
    return sorted(groups.values(), key=lambda group: -group.rows)


def _row(one: Answered, number: int) -> dict[str, object]:
    outcome = one.outcome
    return {
        "key": one.key,
        "variant": one.variant,
        "cause": one.problem,
        "detail": one.detail if outcome is None else outcome.detail or "",
        "answer": None if outcome is None else outcome.text,
        "request": one.request,
        "run": number,
        "cost_usd": None if outcome is None or outcome.cost_usd is None else f"{outcome.cost_usd:f}",
    }


def _write_table(lines: Path, table: Path) -> None:
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in _COLUMNS.items())
    with duck() as connection:
        connection.execute(
            f"COPY (SELECT * FROM read_json('{lines}', format = 'newline_delimited', columns = {{{columns}}})"
            f" ORDER BY cause, key) TO '{table.as_posix().replace(chr(39), chr(39) * 2)}' (FORMAT parquet)"
        )


def _page(run_name: str, groups: list[Group]) -> str:
    from jinja2 import Environment

    template = Environment(autoescape=True).from_string(_PAGE)
    return template.render(run=run_name, total=sum(group.rows for group in groups), groups=groups)
