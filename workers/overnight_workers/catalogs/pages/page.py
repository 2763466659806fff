"""An HTML page from a template: one file, with nothing to fetch, light or dark as its reader likes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from overnight_workers.on_disk import put
from overnight_workers.plan.figure import How

if TYPE_CHECKING:
    from jinja2 import Environment


def write(path: Path, template: str, **values: object) -> None:
    """Write a page in place of the one that is there, whole. template: its name in `templates`, without the end."""
    text = _templates().get_template(f"{template}.html").render(**values)
    put(path, lambda aside: aside.write_text(text, encoding="utf-8"))


@cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("overnight_workers.catalogs.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["count"] = lambda number: f"{number:,}"
    environment.filters["known_by"] = lambda how: How(how).words
    return environment
