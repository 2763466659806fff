"""A worker, a beat and a command import what they need: each takes as long to start as its imports take."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOADED = """
import sys
from overnight_workers.app import app
app.loader.import_default_modules()
print(*sorted(name for name in sys.modules if name.split(".")[0] in sys.argv[1:] or name in sys.argv[1:]))
"""
SERVERS = {"OVERNIGHT_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x", "OVERNIGHT_REDIS_URL": "redis://127.0.0.1:1"}


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """What is in memory when a worker's modules are, of what only migrations, pages and catalogs need."""
    for name, value in SERVERS.items():
        monkeypatch.setenv(name, value)
    unwanted = ["alembic", "sqlmodel", "overnight_models.tables", "sqlalchemy.orm", "matplotlib", "typer", "duckdb"]
    done = subprocess.run([sys.executable, "-c", LOADED, *unwanted], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_a_worker_loads_neither_the_tables_nor_what_only_commands_need(imported: set[str]) -> None:
    assert imported == set()
