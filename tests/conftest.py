"""Real servers for every test: one PostgreSQL, one Redis and one sandbox a session; a database of its own a test."""

from __future__ import annotations

import gc
import logging
import os
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from functools import cache
from hashlib import blake2b
from pathlib import Path

import httpx2._transports.default
import pytest
import redis
import structlog
import typer.testing
from hypothesis import settings as hypothesis_settings

from overnight_models.ledger.database import Database
from overnight_models.ledger.deliver import deliver as deliveries
from overnight_workers.one_machine.embedded import EmbeddedPostgres
from overnight_workers.sandbox.process import Running, running

gc.disable()  # until everything is imported and collected
# The Celery app asks where its servers are when it is imported, which is when tests are collected.
_NOWHERE = {
    "OVERNIGHT_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere",
    "OVERNIGHT_REDIS_URL": "redis://127.0.0.1:1/0",
}
# Two checkouts share no directory of pytest: a session that starts makes it private, and the PostgreSQL of the other,
# which has a user of its own when the tests are run as root, would lose its files.
_TEMPORARY = Path(tempfile.gettempdir()) / f"overnight-pytest-{blake2b(__file__.encode(), digest_size=4).hexdigest()}"
_TEMPORARY.mkdir(exist_ok=True)
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_TEMPORARY))
# A process that is started finds its modules compiled, whatever the environment says: a worker's take 2 s to compile.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
_put = [name for name in _NOWHERE if name not in os.environ]
os.environ.update({name: _NOWHERE[name] for name in _put})

from overnight_workers.settings import Settings, settings  # noqa: E402 - needs them
from tests.configured import Given  # noqa: E402
from tests.driving import Service  # noqa: E402
from tests.kept_sessions import KeptSessions  # noqa: E402
from tests.sandboxes import forked_sandbox  # noqa: E402
from tests.servers import copy_database, empty_database, memory, running_postgres, running_redis  # noqa: E402

# the tree of all commands is made in 50 ms, and is the same each time
typer.testing._get_command = cache(typer.testing._get_command)  # type: ignore[attr-defined]
# and so are the world's certificates: each client of httpx2 reads them in 25 ms, for a server without TLS too
httpx2._transports.default.create_ssl_context = cache(httpx2.create_ssl_context)  # type: ignore[attr-defined]
hypothesis_settings.register_profile("busy", deadline=None)
hypothesis_settings.load_profile("busy")


def pytest_addoption(parser: pytest.Parser) -> None:
    """What writes files of the tests anew."""
    parser.addoption(
        "--write-golden", action="store_true", help="write tests/golden anew from what the ledger executes"
    )


_LONGEST = (
    "test_every_point",
    "test_whole_way_killed",
    "test_whole_way_cut",
    "test_nothing_shows_a_secret",
    "test_upgrade",
    "test_explored",
    "test_runs_killed",
    "test_readmes_run",
    "test_redis_failover",
    "test_kit_service",
    "test_pooler",
    "test_shutdown",
    "test_full_disk",
)
"""Files of twenty seconds and more come first: nobody waits for one of them at the end."""
_LAST = Path(__file__).parent / "unit"
"""Its files take a moment each."""
_WHOLE_UNTIL = 0.8
"""Of the order of files: the last are short."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with whole systems, which mostly wait, come evenly between those that compute: so both run side by side."""
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    longest_first = sorted(
        files.values(), key=lambda of: (of[0].path.stem not in _LONGEST, of[0].path.is_relative_to(_LAST))
    )
    placed = []
    for waits, until in ((True, _WHOLE_UNTIL), (False, 1.0)):
        alike = [of for of in longest_first if any(item.get_closest_marker("whole") for item in of) == waits]
        placed += [(until * number / len(alike), of) for number, of in enumerate(alike)]
    items[:] = [item for _, of in sorted(placed, key=lambda place: place[0]) for item in of]


def pytest_collection_finish() -> None:
    """Tests of others don't inherit what only the imports needed."""
    for name in _put:
        os.environ.pop(name, None)
    # 300,000 objects of libraries and of thousands of tests are there to stay: nobody looks through them again, which
    # was a tenth of all processor time
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    gc.enable()


_MOST_PROCESSOR_S = 15.0
"""Twice what the dearest test takes, on a busy machine."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """A test that takes so much of a processor in this process is for `make long`, or has to be made cheaper."""
    began = time.process_time()
    yield
    spent = time.process_time() - began
    if spent > _MOST_PROCESSOR_S and not item.get_closest_marker("long") and "EXPLORE_FAULTS" not in os.environ:
        pytest.fail(f"it took {spent:.0f} s of a processor; at most {_MOST_PROCESSOR_S:.0f} (tests/README.md)")


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """A command that runs in this process, such as `relay`, may send the logs elsewhere: each test has its own."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    if structlog.is_configured():
        from overnight_workers.telemetry import logs  # imported by whatever logs, and not here for those that don't

        structlog.reset_defaults()
        logs.to_stderr()
        root.handlers[:] = handlers
        root.setLevel(level)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL with one migrated database to copy."""
    with running_postgres(memory()) as server:
        yield server


@pytest.fixture(scope="session")
def postgres(postgres_server: EmbeddedPostgres) -> str:
    """Its URL."""
    return postgres_server.url


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis."""
    with running_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The API: batches end as soon as they are created, and tokens are counted as fast as anybody asks."""
    with running(tmp_path_factory.mktemp("sandbox"), "--instant", "--counts-per-minute", "1000000") as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def emptied_url(postgres: str) -> Iterator[str]:
    """A migrated database that is emptied before each test: copying the template takes longer than most tests."""
    url = copy_database(postgres)
    with KeptSessions(url).offered():
        yield url


@pytest.fixture
def database_url(emptied_url: str) -> str:
    """A migrated database with nothing in it, and nobody else connected to it."""
    empty_database(emptied_url)
    return emptied_url


@pytest.fixture
def fresh_database(postgres: str) -> Iterator[Database]:
    """A ledger whose schema a test may change."""
    database = Database(copy_database(postgres))
    yield database
    database.close()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A ledger without a service around it."""
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture(scope="session")
def redis_client(redis_server: str) -> Iterator[redis.Redis]:
    """Who empties that Redis."""
    with redis.Redis.from_url(redis_server) as client:
        yield client


@pytest.fixture
def redis_url(redis_server: str, redis_client: redis.Redis) -> str:
    """An empty Redis."""
    redis_client.flushall()
    return redis_server


@pytest.fixture
def service(
    tmp_path: Path, database_url: str, redis_url: str, sandbox: Running, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    """The whole service, to be driven stage by stage."""
    service = Service(tmp_path, database_url, redis_url, sandbox, monkeypatch)
    yield service
    service.close()


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Collect hands over nothing itself, so that a test can look at what is due before it is delivered."""
    monkeypatch.setattr(deliveries, "targets_in_the_clear", lambda connection, paced=(): {})


@pytest.fixture
def unhurried(tmp_path: Path, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A service whose batches run for hours."""
    with forked_sandbox(tmp_path / "sandbox", "--turnaround", "9h") as sandbox:
        service = Service(tmp_path, database_url, redis_url, sandbox, monkeypatch)
        yield service
        service.close()


@pytest.fixture
def hasty(service: Service) -> Service:
    """A service whose account may count tokens as fast as it likes."""
    service.configure(workspaces={"default": {"counts_per_minute": 1_000_000}})
    return service


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Given]:
    """Settings from a file's text and from the environment."""
    for name in [name for name in os.environ if name.startswith(("OVERNIGHT_", "ANTHROPIC_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OVERNIGHT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    def read(file: str = "", **environment: str) -> Settings:
        (tmp_path / "overnight.toml").write_text(file)
        for name, value in environment.items():
            monkeypatch.setenv(f"OVERNIGHT_{name.upper()}", value)
        settings.cache_clear()
        return settings()

    yield read
    settings.cache_clear()
