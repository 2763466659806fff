"""`overnight catalog`: a catalog's file, written, explained and looked at."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from overnight_models.errors import PermanentError
from overnight_workers.cli import console

if TYPE_CHECKING:
    from overnight_workers.catalogs.new import Looked

catalog = typer.Typer(
    help="A table, what is asked about each of its rows, and where the answers go.", no_args_is_help=True
)


@catalog.command()
def new(
    data: Annotated[str, typer.Argument(help="A file of rows (CSV, JSON Lines, Parquet, Excel), or a URL of one.")],
    to: Annotated[
        Path | None, typer.Option(help="The file to write; catalogs/NAME.toml where nothing is said.")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="CSV: its encoding, where you know it.")] = None,
    separator: Annotated[str | None, typer.Option(help="CSV: what stands between cells; 'tab' for one.")] = None,
    skip_lines: Annotated[
        int | None, typer.Option(min=1, max=1000, help="CSV, Excel: lines above the names of the columns.")
    ] = None,
    rows: Annotated[int, typer.Option(min=1, max=100, help="Rows to show.")] = 5,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask: what was found out is right.")] = False,
) -> None:
    """Look at data and write a first catalog file for it. Nothing is sent.

    Of a CSV, encoding, separator and quoting are found out, shown with rows as they are read, and written into the
    file: from then on nothing is guessed. Where the file is too short to be sure, you are asked.
    """
    from overnight_workers.catalogs import new as making

    if data.endswith(".toml"):
        raise PermanentError(
            f"{data} is a catalog file, and no data: `overnight catalog show {data}` shows how it is read"
        )
    stem = Path(data.rstrip("/").rpartition("/")[2]).name.partition(".")[0]
    file = to or _free_file(_name(stem))
    if file.exists():
        raise PermanentError(
            f"{file} is there already: `overnight catalog show {file}` shows how it is read."
            " Say --to FILE for another, or remove it"
        )
    separator = "\t" if separator == "tab" else separator
    source, doubts = making.source_of(data, encoding=encoding, separator=separator, skip_lines=skip_lines)
    looked = making.look(source, doubts, rows=rows)
    _show_looked(looked)
    if doubts and not yes:
        _confirm()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(making.written(looked, file), encoding="utf-8")
    console.say(f"{file} is written: edit its prompt, then look at it with `overnight catalog show {file}`")


def _name(stem: str) -> str:
    """A catalog's name from a file's."""
    import re

    return re.sub(r"[^a-z0-9_.-]+", "-", stem.lower()).strip("-._")


def _free_file(name: str) -> Path:
    """Where a first file goes. One whose data has a name without a letter of ASCII goes beside others like it."""
    if name:
        return Path("catalogs") / f"{name}.toml"
    numbered = (Path("catalogs") / f"catalog{number}.toml" for number in ("", *(f"-{n}" for n in range(2, 1_000))))
    return next(file for file in numbered if not file.exists())


def _confirm() -> None:
    """A person's word on what isn't sure."""
    how = "say --encoding or --separator, or --yes if the rows above are right"
    if not sys.stdin.isatty():
        raise PermanentError(f"it isn't sure how the file is written, and nobody can be asked: {how}")
    if not typer.confirm("Are the rows above read as they should be?"):
        raise PermanentError(f"nothing is written: {how}")


def _show_looked(looked: Looked) -> None:
    from overnight_workers.cli.catalog_page import dialect_words, rows_table

    console.OUT.print(dialect_words(looked.source), markup=False)
    console.OUT.print(rows_table(looked.columns, looked.preview))
    console.OUT.print(f"{looked.rows:,} rows, {len(looked.columns)} columns", markup=False)
    for doubt in looked.doubts:
        console.ERR.print(f"not sure: {doubt}", style="yellow", markup=False)


@catalog.command()
def schema() -> None:
    """Print the JSON Schema of catalog files, for editors: completion, and faults while you type.

    `overnight catalog schema > catalogs/schema.json`, and `#:schema schema.json` as a catalog file's first line.
    """
    from overnight_workers.catalogs.declaration import schema as document

    console.as_json(document())


@catalog.command()
def show(
    file: Annotated[Path, typer.Argument(help="The catalog's file.")],
    rows: Annotated[int, typer.Option(min=1, max=100, help="Rows to show.")] = 5,
    prompts: Annotated[int, typer.Option(min=0, max=100, help="Prompts to render.")] = 2,
    all_rows: Annotated[
        bool, typer.Option("--all", help="Check the keys, and render the prompt, of all rows.")
    ] = False,
) -> None:
    """Show how a catalog's file is read: options, first rows, first prompts, every fault. Nothing is sent."""
    from overnight_workers.cli.catalog_page import show as page

    if not page(file, rows=rows, prompts=prompts, all_rows=all_rows):
        raise typer.Exit(1)
