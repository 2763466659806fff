"""An HTML page from a template: one file, with nothing to fetch, light or dark as its reader likes."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


def write(path: Path, template: str, **values: object) -> None:
    """Write a page in place of the one that is there, whole. template: its name in `templates`, without the end."""
    text = _templates().get_template(f"{template}.html").render(**values)
    put(path, lambda aside: aside.write_text(text, encoding="utf-8"))


def put(path: Path, make: Callable[[Path], object]) -> None:
    """Put a file in the place of the one that is there: written aside, synced, renamed; nobody else may read it.

    make: writes the file at the path that it gets.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.aside")
    try:
        aside.touch(mode=0o600)
        make(aside)
        aside.chmod(0o600)  # whoever writes it may have put another file there
        _sync(aside)
        aside.replace(path)
        _sync(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
    return environment
