"""Pages of catalogs as commands write them, on an `overnight up` of their own: long Chinese texts, problems, no row.

`make axe` looks at them.
"""

from __future__ import annotations

import csv
from contextlib import closing
from pathlib import Path
from typing import Final

from tests.faults.installed import QUICK, Installed

_CATALOG: Final = """
key = "sku"
model = "claude-haiku-5-5"
max_tokens = 400
params.thinking = {{type = "disabled"}}
source.path = "{name}.csv"
prompt.row = "{{{{ name }}}}\\n{{{{ text }}}}"
output.class = "overnight_workers.demo.airports:Described"
sink.path = "{name}.parquet"
"""
_TEXT: Final = "这款厨房用品采用优质不锈钢材料制成适合每天使用并且容易清洗"
_BROKEN: Final = 0.8
"""So many of the answers aren't of their schema, in the run with problems."""


def write_pages(home: Path) -> list[Path]:
    """Run catalogs there, and return every page that they have left."""
    with closing(Installed(home, QUICK, turnaround="1s", environment={"COLUMNS": "200"})) as overnight:
        overnight.start()
        for name, rows in (("none", 0), ("short", 3), ("chinese", 60)):
            file = _declare(home, name, rows)
            if name == "chinese":
                overnight.command("catalog", "try", file, "--rows", "5", "--yes")
                overnight.command(
                    "compare", file, "--models", "claude-haiku-5-5,claude-sonnet-5", "--rows", "8", "--yes"
                )
                overnight.faults("default", {"at": "item", "do": "invalid_output", "rate": _BROKEN})
            overnight.command("enrich", file, "--yes", timeout_s=300)
    pages = sorted(home.glob("*.html"))
    kinds = {page.name.split(".", 1)[1].removesuffix(".html") for page in pages}
    assert kinds == {"tried", "compared", "problems", "report"}, kinds
    return pages


def _declare(home: Path, name: str, rows: int) -> str:
    """A catalog's file with so many rows, each longer than the one before it. Returns its path."""
    with (home / f"{name}.csv").open("w", newline="", encoding="utf-8") as out:
        table = csv.writer(out)
        table.writerow(["sku", "name", "text"])
        for number in range(rows):
            key = "k" * 200 if number == 1 else f"商品编号{number}" * (1 + number % 30)
            table.writerow([key, f"不锈钢电热水壶{number}号", _TEXT * (1 + number) if name == "chinese" else "short"])
    file = home / f"{name}.toml"
    file.write_text(_CATALOG.format(name=name))
    return str(file)
