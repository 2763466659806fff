"""Servers as companies give them: an owner of one database without superuser, and a user of Redis with an ACL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from psycopg import sql
from sqlalchemy import make_url
from typer.testing import CliRunner

from overnight_models.ledger.database import Database
from overnight_models.ledger.schema import migrate
from overnight_workers.cli import app
from overnight_workers.sandbox.process import Running
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.rescue import sweep
from tests.driving import Service, callback, item

PASSWORD = "s3cret"


@pytest.fixture
def owner_url(postgres: str) -> Iterator[str]:
    """A database whose owner may do nothing else: no superuser, no role of PostgreSQL's own."""
    names = [sql.Identifier("plain_owner")]
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}").format(*names, PASSWORD)
        )
        admin.execute(sql.SQL("CREATE DATABASE owned OWNER {}").format(*names))
        url = make_url(postgres).set(username="plain_owner", password=PASSWORD, database="owned")
        yield url.render_as_string(hide_password=False)
        admin.execute("DROP DATABASE owned WITH (FORCE)")
        admin.execute(sql.SQL("DROP ROLE {}").format(*names))


@pytest.fixture
def acl_url(redis_url: str) -> Iterator[str]:
    """A user who may use every key and channel, and nothing that administers the server but INFO."""
    with redis.Redis.from_url(redis_url) as admin:
        rights = ("on", f">{PASSWORD}", "~*", "&*", "+@all", "-@admin", "-@dangerous", "+info")
        admin.execute_command("ACL", "SETUSER", "overnight", *rights)
        yield f"redis://overnight:{PASSWORD}@{redis_url.rpartition('@')[2]}"
        admin.execute_command("ACL", "DELUSER", "overnight")


def test_an_owner_without_superuser_and_a_user_with_an_acl_are_enough(
    owner_url: str, acl_url: str, sandbox: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(owner_url)
    migrate(database)
    database.close()
    service = Service(tmp_path, owner_url, acl_url, sandbox, monkeypatch)
    try:
        service.accept(item("a", callback=callback()), item("b"))
        sweep()
        service.finish()
        deliver()
        assert service.ledger.states("item") == ["succeeded", "succeeded"]
        assert service.ledger.states("delivery") == ["delivered"]
        assert service.api.meter()["requests"] == 2
        with redis.Redis.from_url(acl_url) as client:
            assert client.acl_whoami() == "overnight"
            assert client.llen("shop") == 1
        said = CliRunner().invoke(app, ["doctor"]).output
        assert "NOPERM" not in said
        assert "permission denied" not in said
    finally:
        service.close()
