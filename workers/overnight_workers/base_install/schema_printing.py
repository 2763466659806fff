"""`overnight schema NAME` in a base install, which has no command line: what a product's other services are written by.

The words are those of `cli/schema.py`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from overnight_models.wire.schemas import NAMES, schema


def main(words: Sequence[str]) -> None:
    """Print a schema, or write several. words: behind `overnight schema`. Raises SystemExit for what is wrong."""
    parser = argparse.ArgumentParser(
        prog="overnight schema", description="Print the JSON Schema of a message between Overnight and a product."
    )
    parser.add_argument("name", choices=NAMES, nargs="?")
    parser.add_argument("--out", type=Path, help="write NAME.json into this directory; all of them without NAME")
    given = parser.parse_args(words)
    if given.out is None:
        if given.name is None:
            parser.error(f"say which: {', '.join(NAMES)}; or --out DIR for all of them")
        sys.stdout.write(_text(given.name))
        return
    try:
        given.out.mkdir(parents=True, exist_ok=True)
        for name in NAMES if given.name is None else (given.name,):
            path = given.out / f"{name}.json"
            path.write_text(_text(name))
            sys.stdout.write(f"{path}\n")
    except OSError as error:
        parser.error(f"the schemas can't be written: {error}")


def _text(name: str) -> str:
    return json.dumps(schema(name), indent=2, ensure_ascii=False) + "\n"
