"""A catalog's recipe of a prompt alone, and what it sends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from overnight_workers.catalogs.reading import parse_catalog
from overnight_workers.catalogs.recipe import Recipe, Request, recipe_of

HEAD = 'key = "id"\nmodel = "claude-haiku-5-5"\nmax_tokens = 100\n'


def recipe(directory: Path, prompt: str, *, before: str = "", source: str = "") -> Recipe:
    text = f'{HEAD}{before}\n[source]\npath = "rows.csv"\n{source}\n[prompt]\n{prompt}\n'
    return recipe_of(parse_catalog(text, directory / "shop.toml"))


def content(request: Request) -> Any:
    return request.params["messages"][0]["content"]
