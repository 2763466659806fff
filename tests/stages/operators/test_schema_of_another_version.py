"""Commands beside a ledger of another version say what to do, and show no traceback."""

from __future__ import annotations

import os

import pytest
from sqlalchemy import text

from overnight_models.ledger.database import Database
from tests.forking import run_program


@pytest.mark.parametrize("is_empty", [False, True])
def test_the_command_that_mends_it_is_named(fresh_database: Database, redis_url: str, is_empty: bool) -> None:
    with fresh_database.transaction() as connection:
        if is_empty:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        else:
            connection.execute(text("DROP TABLE daily_spending CASCADE"))
    commands = ["costs --by day", "status"] + (["items", "lanes", "runs", "batches", "errors"] if is_empty else [])
    url = fresh_database.url.render_as_string(hide_password=False)
    environment = os.environ | {"OVERNIGHT_DATABASE_URL": url, "OVERNIGHT_REDIS_URL": redis_url}
    for command in commands:
        done = run_program(["overnight", *command.split()], environment=environment)
        assert done.returncode == 1, f"{command}: {done.stdout}"
        said = " ".join(done.stderr.split())
        assert "run `overnight migrate` with the newest version installed" in said, f"{command}: {said}"
