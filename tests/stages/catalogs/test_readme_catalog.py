"""The catalog that the first page shows is one."""

from __future__ import annotations

import re
from pathlib import Path

from overnight_workers.catalogs.reading import read_catalog

README = Path(__file__).parents[3] / "README.md"


def test_the_catalog_of_the_first_page_can_be_read(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```toml\n(.*?)```", README.read_text(), re.DOTALL)
    (tmp_path / "airports.csv").write_text("iata,name,country\nBER,Berlin Brandenburg,DE\n")
    (tmp_path / "airports.toml").write_text(shown)

    catalog = read_catalog(tmp_path / "airports.toml")

    assert (catalog.name, catalog.key, catalog.schedule) == ("airports", ("iata",), "0 22 * * *")
