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
    """What is in memory when a worker's modules are, of what only migrations, pages, catalogs and tests need."""
    for name, value in SERVERS.items():
        monkeypatch.setenv(name, value)
    unwanted = ["alembic", "sqlmodel", "overnight_models.tables", "sqlalchemy.orm", "matplotlib", "typer", "duckdb"]
    unwanted += ["anthropic", "polars", "jinja2"]
    done = subprocess.run([sys.executable, "-c", LOADED, *unwanted], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_a_worker_loads_neither_the_tables_nor_what_only_commands_need(imported: set[str]) -> None:
    assert imported == set()


THE_FORK_SERVER = """
import sys
from importlib import import_module
from pathlib import Path
from overnight_workers.one_machine.supervision import fork_server
for module in (*fork_server._LIBRARIES, *fork_server._OURS):
    import_module(module)
print(*sys.modules, Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""


def test_the_process_that_workers_are_forked_from_loads_nothing_that_they_do_without() -> None:
    """What it has imported is in the memory of each of them: of 150 MB, which is what a busy one may have."""
    done = subprocess.run([sys.executable, "-c", THE_FORK_SERVER], capture_output=True, text=True, check=True)
    *loaded, peak_kb = done.stdout.split()
    unwanted = {"alembic", "sqlmodel", "overnight_models.tables", "sqlalchemy.orm", "anthropic", "polars", "jinja2"}
    assert not unwanted.intersection(loaded)
    assert int(peak_kb) < 120_000


THE_COMMAND_LINE = """
import sys
import overnight_workers.cli
print(*sorted(name for name in sys.modules if name.split(".")[0] in sys.argv[1:] or name in sys.argv[1:]))
"""


def test_a_command_loads_no_library_before_it_is_known_which_one_it_is() -> None:
    """Each command pays for what all of them import: what one of them needs stands in its own function."""
    unwanted = ["sqlalchemy", "psycopg", "redis", "celery", "kombu", "anthropic", "httpx2", "structlog", "duckdb"]
    unwanted += ["overnight_models.ledger", "overnight_workers.settings", "overnight_workers.process"]
    done = subprocess.run(
        [sys.executable, "-c", THE_COMMAND_LINE, *unwanted], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


COMMANDS_THAT_READ = """
import contextlib, sys
from overnight_workers.cli import app
for command in ("budget", "actions", "errors", "costs", "items", "batches", "runs"):
    with contextlib.suppress(Exception, SystemExit):
        app([command], standalone_mode=False)
print(*sorted(name for name in sys.modules if name in sys.argv[1:]), file=sys.stderr)
"""


def test_a_command_that_only_asks_the_ledger_loads_nothing_of_workers_and_redis(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where Postgres is away they end at their first question, with all of that loaded that they need for it."""
    for name, value in SERVERS.items():
        monkeypatch.setenv(name, value)
    unwanted = ["redis", "celery", "kombu", "opentelemetry", "anthropic", "httpx2", "psutil", "duckdb"]
    wanted = ["sqlalchemy", "overnight_models.ledger.database"]
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS_THAT_READ, *unwanted, *wanted], capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[-1].split() == sorted(wanted)
