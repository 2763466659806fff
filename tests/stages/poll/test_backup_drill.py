"""The backup drill of `workers/docs/backups.md`, with PostgreSQL's own programs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from typer.testing import CliRunner

from overnight_workers.cli import app
from overnight_workers.one_machine.embedded import EmbeddedPostgres
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.rescue import sweep
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, callback, item
from tests.sums import assert_sums_are_right


def dump(server: EmbeddedPostgres, url: str, file: Path) -> None:
    """`pg_dump` of a ledger that is in use."""
    run(server, "pg_dump", "--format=custom", f"--file={file}", url)


def restore(server: EmbeddedPostgres, file: Path, name: str) -> str:
    """`createdb` and `pg_restore`; the URL of the copy."""
    with psycopg.connect(server.url, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = f"{server.url.rpartition('/')[0]}/{name}"
    run(server, "pg_restore", "--exit-on-error", "--no-owner", f"--dbname={url}", str(file))
    return url


def run(server: EmbeddedPostgres, program: str, *words: str) -> None:
    path = Path(server.argv()[0]).parent / program
    done = subprocess.run([str(path), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def say(*words: str) -> str:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def dumped(service: Service, postgres_server: EmbeddedPostgres, tmp_path: Path) -> Path:
    """A backup of a ledger with one batch open at the API and one packed; both, and a later item, are sent after it."""
    service.accept(item("open", callback=callback()), item("open too"))
    pack()
    submit()
    service.accept(item("packed", callback=callback()))
    pack()
    file = tmp_path / "ledger.dump"
    dump(postgres_server, service.database_url, file)
    service.accept(item("later"))
    pack()
    submit()
    assert service.api.meter()["requests"] == 4
    return file


def test_a_restored_dump_waits_for_a_word_and_pays_nothing_twice(
    service: Service, postgres_server: EmbeddedPostgres, dumped: Path
) -> None:
    service.restore(restore(postgres_server, dumped, "restored_from_a_dump"))
    sweep()
    for _ in range(3):
        service.round()
    assert service.api.meter()["creates"] == 3, "nothing is sent before a person's word"
    assert "it is in another database" in CliRunner().invoke(app, ["doctor"]).output
    say("resume", "--all")
    service.ledger.execute(
        "UPDATE deployment SET moved_at = moved_at - interval '32 s'"
    )  # what was under way is listed
    service.clock.quiet_is_over()
    service.finish()
    deliver()
    assert service.api.meter()["requests"] == 4, "what the dump had forgotten was found"
    assert {key: service.ledger.item(key)["state"] for key in ("open", "open too", "packed")} == {
        "open": "succeeded",
        "open too": "succeeded",
        "packed": "succeeded",
    }
    assert service.ledger.states("delivery") == ["delivered", "delivered"]
    billed = service.ledger.fetch_one("SELECT sum(cost_nano)::bigint AS nano FROM bill")["nano"]
    assert billed == service.api.meter()["nano"], "the answer of the item that is forgotten is billed too"
    assert_sums_are_right(service.ledger.fetch_all)
