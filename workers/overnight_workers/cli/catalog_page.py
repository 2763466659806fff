"""What `overnight catalog show` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table
from rich.text import Text

from overnight_models.quantities import several
from overnight_workers.catalogs.declaration import Catalog, DeclaredSource
from overnight_workers.catalogs.faults import BadRow
from overnight_workers.cli.console import OUT

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from overnight_workers.catalogs.recipe import Recipe
    from overnight_workers.catalogs.sources import Source

_RENDERED: Final = 1_000
"""Rows whose prompts are rendered to see whether they can be."""
_MOST_CAUSES: Final = 10
_CELL: Final = 60
_NAMES: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "space"}


def dialect_words(source: DeclaredSource) -> str:
    """A source, and how it is read."""
    below = f", below {several(source.skip_lines, 'line')}" if source.skip_lines else ""
    place = f"{source.path or 'a query'} ({source.read_as}{below})"
    if source.read_as != "csv":
        return place
    separator, quote = source.separator or ",", '"' if source.quote is None else source.quote
    return (
        f"{place}: {source.encoding or 'utf-8'}, separator {_NAMES.get(separator, separator)},"
        f" {f'quotes {quote}' if quote else 'no quotes'}"
    )


def rows_table(columns: Sequence[str], rows: Sequence[Sequence[str | None]]) -> Table:
    """Rows as they are read; a null is told from a text."""
    table = Table(show_edge=False, pad_edge=False)
    for name in columns:
        table.add_column(Text(name), overflow="ellipsis", no_wrap=True, max_width=_CELL)
    for row in rows:
        table.add_row(*(Text("null", style="dim") if cell is None else Text(_one_line(cell)) for cell in row))
    return table


def _one_line(cell: str) -> str:
    return cell.replace("\n", "⏎").replace("\r", "").replace("\t", "⇥")[: _CELL + 1]


def show(file: Path, *, rows: int, prompts: int, all_rows: bool) -> bool:
    """Print how a catalog is read. False where rows have faults. Raises BadCatalog and BadSource."""
    from overnight_workers.catalogs.opened import duck
    from overnight_workers.catalogs.reading import read_catalog
    from overnight_workers.catalogs.recipe import recipe_of
    from overnight_workers.catalogs.sources import open_source

    catalog = read_catalog(file)
    recipe = recipe_of(catalog)
    max_rows = None if all_rows else max(rows, _RENDERED)
    with open_source(catalog, max_rows=max_rows) as source, duck(in_order=True) as connection:
        _print_reading(catalog, recipe, source, source.first(connection, rows))
        faults = [f"key: {fault}" for fault in source.key_faults(connection, catalog.key)]
        seen, wrong = _print_prompts(recipe, source, connection, prompts, max_rows)
    faults += [f"{many:,} of {seen:,} rows: {why}" for why, many in wrong.most_common(_MOST_CAUSES)]
    for fault in faults:
        OUT.print(f"fault: {fault}", style="red", markup=False)
    if not faults:
        of = "" if all_rows else ", of the first rows; --all looks at the rest"
        OUT.print(f"No faults: {seen:,} requests can be sent{of}.", markup=False)
    return not faults


def _print_reading(catalog: Catalog, recipe: Recipe, source: Source, preview: Sequence[Sequence[str | None]]) -> None:
    for name, said in (
        ("catalog", f"{catalog.name}, lane {catalog.lane}"),
        ("source", dialect_words(catalog.source)),
        ("key", ", ".join(catalog.key)),
        ("model", f"{catalog.model}, {catalog.max_tokens:,} tokens at most"),
        ("prompt uses", ", ".join(recipe.columns) or "no column: every row is asked the same"),
        ("variants", ", ".join(name for name in recipe.variants if name is not None) or "none"),
        ("output", _output_words(catalog)),
        ("sink", _sink_words(catalog)),
        ("schedule", f"{catalog.schedule} ({catalog.time_zone})" if catalog.schedule else "none: `overnight enrich`"),
    ):
        OUT.print(f"{name:>12}  {said}", markup=False)
    OUT.print()
    OUT.print(rows_table(source.columns, preview))


def _output_words(catalog: Catalog) -> str:
    declared = catalog.output
    return "text, as it comes" if declared is None else f"{declared.class_ or declared.schema_file}, checked"


def _sink_words(catalog: Catalog) -> str:
    sink = catalog.sink
    if sink is None:
        return "none: answers are in Overnight only"
    return f"{sink.kind} {sink.path or sink.table or sink.task}, published {catalog.publish}"


def _print_prompts(
    recipe: Recipe, source: Source, connection: DuckDBPyConnection, shown: int, max_rows: int | None
) -> tuple[int, Counter[str]]:
    """Print the first prompts. Returns how many were made, and why others can't be."""
    wrong: Counter[str] = Counter()
    seen = 0
    for cells in islice(source.each(connection), max_rows):
        for variant in recipe.variants:
            seen += 1
            try:
                request = recipe.request(cells, variant)
            except BadRow as error:
                wrong[str(error)] += 1
                continue
            if shown > 0:
                shown -= 1
                _print_prompt(request.params, variant)
    return seen, wrong


def _print_prompt(params: Mapping[str, Any], variant: str | None) -> None:
    OUT.print()
    OUT.rule(f"prompt{f' ({variant})' if variant else ''}, {params['model']}", align="left")
    if "system" in params:
        OUT.print(Text("system: ", style="dim") + Text(str(params["system"])))
    content = params["messages"][0]["content"]
    for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
        OUT.print(block["text"] if block["type"] == "text" else _block_words(block), markup=False)


def _block_words(block: Mapping[str, Any]) -> str:
    source = block["source"]
    shown = (
        source.get("url")
        or source.get("file_id")
        or f"{len(source['data']) * 3 // 4:,} bytes of {source['media_type']}"
    )
    return f"[{block['type']}: {shown}]"
