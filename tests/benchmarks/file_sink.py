"""A file of answers: the most memory and the time that it takes to be written, and to be written over the night after.

    python -m tests.benchmarks.file_sink --rows 150000 --characters 3000 --kind parquet --kind jsonl --kind csv

The second night has answers for every other row. Rows come in no order. Each night is a process of its own; `lines` is
what making the answers costs alone.
"""

from __future__ import annotations

import hashlib
import random
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from tests.benchmarks.catalog import measured

if TYPE_CHECKING:
    from overnight_workers.catalogs.sinks import Answered

_DECLARATION: Final = """
key = "sku"
model = "claude-haiku-5-5"
max_tokens = 200
source.path = "in.csv"
prompt.row = "{{{{ name }}}}"
sink.path = "answers.{kind}"
"""
_STEP: Final = 7_919
"""Rows come so far behind each other: a prime, so that each comes once."""
_TEXT: Final = 1_000_000
out = Console()


def main(
    rows: Annotated[int, typer.Option(help="How many.")] = 150_000,
    characters: Annotated[int, typer.Option(help="Of each answer.")] = 3_000,
    kind: Annotated[list[str] | None, typer.Option(help="Of the file; several times for several.")] = None,
) -> None:
    """Write both nights of each kind."""
    context = get_context("spawn")
    table = Table("file", "night", "processor", "clock", "memory", "bytes", "all of them, in order")
    for ending in kind or ["parquet", "jsonl", "csv"]:
        with tempfile.TemporaryDirectory(prefix="overnight-bench-") as name:
            directory = Path(name)
            (directory / "in.csv").write_text("sku,name\nA,Kettle\n")
            (directory / f"{ending}.toml").write_text(_DECLARATION.format(kind=ending))
            file = directory / f"answers.{ending}"
            for night, every in ((1, 1), (2, 2)):
                deed = partial(_publish, rows, characters, night, every)
                processor, clock, memory = measured(context, deed, directory, ending)
                figures = (f"{processor:.1f} s", f"{clock:.1f} s", f"{memory:.0f} MB", f"{file.stat().st_size:,}")
                table.add_row(ending, str(night), *figures, _hash_of_rows(file))
    out.print(table)


def _publish(rows: int, characters: int, night: int, every: int, directory: Path, kind: str) -> None:
    from overnight_workers.catalogs.memory import Hashes
    from overnight_workers.catalogs.reading import read_catalog
    from overnight_workers.catalogs.sinks import Publication, sink_of

    sink = sink_of(read_catalog(directory / f"{kind}.toml"))
    assert sink is not None
    sink.publish(Publication(night, _answers(rows, characters, night, every), Hashes()))


def _answers(rows: int, characters: int, night: int, every: int) -> Iterator[Answered]:
    from overnight_workers.catalogs.sinks import Answered, Reply

    letters = random.Random(night).choices("abcdefghijklmnopqrstuvwxyz    ", k=_TEXT)
    text = "".join(letters)
    when = datetime(2026, 11, 30, 2, tzinfo=UTC)
    for number in range(0, rows, every):
        row = number * _STEP % rows
        begin = number * 31 % (_TEXT - characters)
        message = {"content": [{"type": "text", "text": text[begin : begin + characters]}]}
        reply = Reply(True, message, None, "claude-haiku-5-5", Decimal("0.00000825"), when)
        yield Answered((f"the-sku-of-{row:08}",), None, f"{row:016x}", None, reply)


def _hash_of_rows(file: Path) -> str:
    """Of every cell in the order of the file, to be held beside that of another build."""
    import duckdb

    scan = {
        "parquet": f"read_parquet('{file}')",
        "csv": f"read_csv('{file}', all_varchar = true, header = true)",
        "jsonl": f"read_json('{file}', format = 'newline_delimited')",
    }[file.suffix[1:]]
    digest = hashlib.md5(usedforsecurity=False)
    with duckdb.connect(config={"threads": 1}) as connection:
        cursor = connection.execute(f"SELECT hash(columns)::VARCHAR FROM (SELECT COLUMNS(*) FROM {scan}) AS columns")
        while group := cursor.fetchmany(10_000):
            digest.update("".join(row[0] for row in group).encode())
    return digest.hexdigest()[:12]


if __name__ == "__main__":
    typer.run(main)
