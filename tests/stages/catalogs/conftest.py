"""A catalog beside a driven service: a table, its declaration, and runs that are taken step by step."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from overnight_models.ledger.catalogs.runs import Run
from overnight_workers.catalogs.declaration import Catalog
from overnight_workers.catalogs.reading import read_catalog
from overnight_workers.catalogs.runs import advancing, planning
from overnight_workers.catalogs.runs.beginning import begin
from overnight_workers.catalogs.runs.taken import Wish
from tests.driving import MODEL, Service
from tests.stages.product.conftest import answering, taking_in

Rows = dict[str, dict[str, str]]
DECLARATION = """
key = "sku"
model = "{model}"
max_tokens = 200

[source]
path = "in.csv"

[prompt]
row = "{prompt}"

[output]
schema_file = "answer.json"

[sink]
path = "{sink}"
{gone}
{more}
"""
SCHEMA = """{"type": "object", "additionalProperties": false, "required": ["title", "stars"],
  "properties": {"title": {"type": "string"}, "stars": {"type": "integer"}}}"""


@dataclass
class Enriched:
    """One catalog of one service."""

    service: Service
    directory: Path
    declared: dict[str, str] = field(
        default_factory=lambda: {
            "model": MODEL,
            "prompt": "Describe {{ name }} of {{ maker }}",
            "sink": "out.csv",
            "gone": "",
            "more": "",
        }
    )

    def declare(self, **changes: str) -> None:
        """Write the declaration, with some of it changed."""
        self.declared |= changes
        (self.directory / "answer.json").write_text(SCHEMA)
        (self.directory / "shop.toml").write_text(DECLARATION.format(**self.declared))

    def write(self, rows: Rows) -> None:
        """Write the source: by key, the other cells."""
        with (self.directory / "in.csv").open("w", newline="") as file:
            names = ["sku", *next(iter(rows.values()), {"name": ""})]
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows({"sku": key, **cells} for key, cells in rows.items())

    def read(self) -> Catalog:
        """Its declaration, read."""
        return read_catalog(self.directory / "shop.toml")

    def plan(self, **wish: Any) -> dict[str, Any]:
        """What a run that began now would send."""
        return planning.made(read_catalog(self.directory / "shop.toml"), Wish(**wish))[1]

    def begin(self, **wish: Any) -> Run:
        """Begin a run."""
        return begin(read_catalog(self.directory / "shop.toml"), Wish(**wish))

    def finish(self, run: Run, *, until: str = "") -> Run:
        """Take steps until it is over, asks, or is in that state."""
        for _ in range(60):
            taken = advancing.take(run.id, "a test")
            assert taken is not None
            step = advancing.advance(taken)
            run = advancing.read(run.id)
            if step.is_over or run.state in ("asking", until):
                return run
            if step.wait_s:
                # not to the end: what a budget holds stays where it is
                self.service.clock.pauses_are_over()
                self.service.round()
        raise AssertionError(f"the run doesn't end: {run}")

    def run(self, **wish: Any) -> Run:
        """A whole run."""
        return self.finish(self.begin(**wish))

    def published(self) -> list[dict[str, str]]:
        """The sink's rows."""
        with (self.directory / "out.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    @property
    def sent(self) -> int:
        """Requests that the API has taken."""
        return int(self.service.api.meter()["requests"])


def shop(number: int, **changes: Mapping[str, str]) -> Rows:
    """So many rows; changes: of some of them, other cells. Their texts are of this test alone."""
    from tests.driving import text_of

    rows = {f"A{at}": {"name": text_of(f"kettle {at}"), "maker": "Acme", "price": "1.10"} for at in range(number)}
    for key, cells in changes.items():
        rows[key] = rows[key] | dict(cells)
    return rows


@pytest.fixture
def catalog(service: Service, tmp_path: Path) -> Iterator[Enriched]:
    """A catalog of a service that answers."""
    directory = tmp_path / "catalogs"
    directory.mkdir()
    enriched = Enriched(service, directory)
    enriched.declare()
    with answering(service.redis_url), taking_in(service):
        yield enriched
