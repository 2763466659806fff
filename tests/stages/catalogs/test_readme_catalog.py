"""The catalog that the first page shows is the demo's, and all of its rows can be asked about."""

from __future__ import annotations

import re
from pathlib import Path

from overnight_workers.catalogs.opened import opened
from overnight_workers.catalogs.reading import read_catalog
from overnight_workers.catalogs.recipe import recipe_of
from overnight_workers.demo import airports

README = Path(__file__).parents[3] / "README.md"


def test_the_first_page_shows_the_catalog_of_the_demo_in_ten_lines() -> None:
    (shown,) = re.findall(r"```toml\n(.*?)```", README.read_text(), re.DOTALL)

    assert shown == airports.DECLARATION.read_text()
    assert shown.count("\n") == 10


def test_every_airport_of_the_demo_becomes_a_request(tmp_path: Path) -> None:
    catalog = read_catalog(airports.write(tmp_path, 7000))
    recipe = recipe_of(catalog)

    with opened(catalog, recipe) as source:
        source.connection.execute(f"CREATE TABLE every AS SELECT {source.rows.hash} AS n, 0 AS beside FROM source")
        rows = list(source.rows.read(source.connection, "SELECT n, beside FROM every"))
        requests = [recipe.request(row.cells, row.variant) for row in rows]
        faults = source.key_faults()

    assert (catalog.name, catalog.key, catalog.schedule) == ("airports", ("iata",), "0 22 * * *")
    assert len(requests) == len({row.key for row in rows}) == 7000
    assert faults == []


def test_a_second_demo_begins_with_the_same_airports(tmp_path: Path) -> None:
    airports.write(tmp_path, 5)
    first = (tmp_path / "airports.csv").read_text()
    airports.write(tmp_path, 5)

    assert (tmp_path / "airports.csv").read_text() == first
    assert first.count("\n") == 6
