"""What a run leaves without a useful answer: every row as Parquet, and a page with three examples of each cause."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson

from overnight_models import exact_json
from overnight_models.ledger import prefixes
from overnight_models.ledger.bodies.encryption import NoKey
from overnight_models.wire.answer import whole_text
from overnight_workers import on_disk, process
from overnight_workers.catalogs import trying
from overnight_workers.catalogs.cells import literal
from overnight_workers.catalogs.declaration import Catalog
from overnight_workers.catalogs.opened import WRITING, duck
from overnight_workers.catalogs.pages import page
from overnight_workers.catalogs.report.document import Cause
from overnight_workers.catalogs.runs.causes import PLAIN, Plain
from overnight_workers.catalogs.scratch import scratch
from overnight_workers.catalogs.sinks import Answered
from overnight_workers.catalogs.sinks.ranges import Lines, OrderedRows

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


@dataclass
class Group:
    """Rows with one cause."""

    cause: str
    said: str
    """The sentence that they have in common, without what differs from row to row."""
    rows: int = 0
    examples: list[dict[str, str]] = field(default_factory=list)
    items: list[int | None] = field(default_factory=list)
    """Of the examples."""
    prompts: list[str] = field(default_factory=list)
    """Of the examples; empty where nothing was sent, or it isn't kept."""

    @property
    def plain(self) -> Plain | None:
        """What the cause means, and what to do."""
        return PLAIN.get(self.cause)


def write(catalog: Catalog, run_name: str, number: int, left: Iterator[Answered]) -> list[Cause]:
    """Write both files beside the catalog's declaration; without problems there are none afterwards.

    Returns the problems by cause, the most frequent first.
    """
    table, html = (catalog.directory / f"{catalog.name}.problems.{end}" for end in ("parquet", "html"))
    with scratch() as directory:
        lines = directory / "problems.jsonl"
        groups, longest = _gather(lines, number, left)
        if not groups:
            table.unlink(missing_ok=True)
            html.unlink(missing_ok=True)
            return []
        total = sum(group.rows for group in groups)
        on_disk.put(table, lambda aside: _write_table(Lines(lines, total, longest), aside))
        _read_prompts(groups)
        page.write(html, "problems", run=run_name, total=total, groups=groups, table=table.name)
    return [Cause(group.cause, group.said, group.rows, group.examples) for group in groups]


def _gather(lines: Path, number: int, left: Iterator[Answered]) -> tuple[list[Group], int]:
    """Write the lines. Returns the groups, and the bytes of the longest line."""
    groups: dict[tuple[str, str], Group] = {}
    longest = 0
    with lines.open("wb") as file:
        for answered in left:
            row = _row(answered, number)
            longest = max(longest, file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)))
            said = _VALUES.sub("…", str(row["detail"]))
            group = groups.setdefault((str(row["cause"]), said), Group(str(row["cause"]), said))
            group.rows += 1
            if len(group.examples) < EXAMPLES:
                answer = str(row["answer"] or "")
                shown = answer[:_SHOWN] + (" …" if len(answer) > _SHOWN else "")
                name = ", ".join(answered.key) + (f" ({answered.variant})" if answered.variant else "")
                group.examples.append({"key": name, "detail": str(row["detail"]), "answer": shown})
                group.items.append(answered.item_id)
    return sorted(groups.values(), key=lambda group: -group.rows), longest


def _read_prompts(groups: list[Group]) -> None:
    """What was asked of the examples; without it where a key isn't there, or it can't be read."""
    ids = [item_id for group in groups for item_id in group.items if item_id is not None]
    texts: Mapping[int, bytes] = {}
    with suppress(NoKey), process.database().transaction() as connection:
        texts = prefixes.read_asked(connection, ids).texts
    for group in groups:
        asked = [texts.get(item_id or 0) for item_id in group.items]
        prompts = ["" if text is None else trying.asked(exact_json.loads(text)) for text in asked]
        group.prompts = [prompt[:_SHOWN] + (" …" if len(prompt) > _SHOWN else "") for prompt in prompts]


def _row(answered: Answered, number: int) -> dict[str, object]:
    reply = answered.reply
    return {
        "key": answered.key,
        "variant": answered.variant,
        "cause": answered.problem,
        "detail": answered.detail if reply is None else reply.detail or "",
        "answer": None if reply is None else whole_text(reply.content),
        "request": answered.request,
        "run": number,
        "cost_usd": None if reply is None or reply.cost_usd is None else f"{reply.cost_usd:f}",
    }


def _write_table(lines: Lines, table: Path) -> None:
    none = ", ".join(f"NULL::{kind} AS {name}" for name, kind in _COLUMNS.items())
    with duck(in_order=True, memory=WRITING) as connection:
        connection.execute("SET threads = 1")  # each of them has buffers of its own
        rows = OrderedRows(connection, f"SELECT {none} WHERE false", lines, ("cause", "key"), _COLUMNS)
        in_order = rows.in_order("SELECT * FROM came")
        form = f"FORMAT parquet, ROW_GROUP_SIZE {rows.of_row_group}"
        connection.execute(f"COPY ({in_order}) TO {literal(str(table))} ({form})")
