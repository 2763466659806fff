"""The catalog of the demo: airports of the package `airportsdata`, and what an answer about each is."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, Field

MODEL: Final = "claude-haiku-5-5"
MAX_TOKENS: Final = 400
DECLARATION: Final = Path(__file__).with_name("airports.toml")
_COLUMNS: Final = ("iata", "name", "city", "subd", "country", "elevation", "tz")
"""Its columns; subd is the state or province, elevation is in feet."""


class Described(BaseModel):
    """What the demo wants to know about an airport."""

    description: str = Field(description="One sentence for a traveller who lands there.", min_length=10, max_length=400)
    category: Literal["hub", "regional", "island", "mountain", "bush", "business"]


def write(directory: Path, rows: int) -> Path:
    """Write so many airports and their catalog's declaration; what was there is replaced. Returns the declaration.

    The airports are spread evenly over the alphabet of IATA codes; the same ones every time.
    """
    import airportsdata

    directory.mkdir(mode=0o700, exist_ok=True)
    known = airportsdata.load("IATA")
    codes = sorted(known)
    step = max(len(codes) / rows, 1.0)
    with (directory / "airports.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator=os.linesep)
        writer.writerow(_COLUMNS)
        for number in range(min(rows, len(codes))):
            airport = known[codes[int(number * step)]]
            writer.writerow([airport[column] for column in _COLUMNS])
    return shutil.copyfile(DECLARATION, directory / DECLARATION.name)
