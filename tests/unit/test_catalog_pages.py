"""Pages of catalogs, as whoever has no mouse or no eyes reads them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from overnight_workers.catalogs.pages import page

TEMPLATES = sorted((Path(page.__file__).parent / "templates").glob("*.html"))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.stem)
def test_what_scrolls_sideways_is_reached_by_tab_and_has_a_name_and_no_column_is_headed_by_nothing(
    template: Path,
) -> None:
    written = template.read_text()
    boxes = re.findall(r'<div class="wide[^"]*"([^>]*)>', written)
    assert [box for box in boxes if 'role="region" tabindex="0" aria-label="' not in box] == []
    assert re.findall(r"<th[^>]*></th>", written) == []
