"""The service in one process, driven stage by stage, against a real Postgres, a real Redis and the sandbox."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import psycopg
import pytest
import redis
import typer
from psycopg import sql
from typer.testing import CliRunner

from overnight_models import routes
from overnight_models.ledger.database import Database
from overnight_models.request.prefix import Prefix
from overnight_workers import held
from overnight_workers.celery_worker import celery_app
from overnight_workers.settings import settings
from overnight_workers.stages.accept.accept import accept
from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.direct.direct import direct
from overnight_workers.stages.measure.measure import measure
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.submit.submit import submit
from tests.kept_sessions import APPLICATION
from tests.service.api import Account, Api
from tests.service.clock import Clock
from tests.service.ledger import Json, Ledger

MODEL = "claude-haiku-5-5"
_END_KEPT = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s"
_salt = ""
_services_of: Counter[str] = Counter()


def params(text: str = "Describe a kettle", *, fault: str | None = None, **more: Any) -> Json:
    """A request. fault: what the sandbox shall do to it, as in `sandbox/marks.py`."""
    params_: Json = {"model": MODEL, "max_tokens": 256, "messages": [{"role": "user", "content": text}], **more}
    return params_ | {"metadata": {"user_id": f"sandbox:{fault}"}} if fault else params_


def name_of_this_test() -> str:
    """Another at each call, and the same in each run of a test: the sandbox answers by what it is asked."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "no test (call)").rpartition(" ")[0]
    _services_of[test] += 1
    return f"t{hashlib.sha256(f'{test} {_services_of[test]}'.encode()).hexdigest()[:12]}"


def text_of(key: str) -> str:
    """What the item of that key asks; another in each test, since the sandbox remembers what it has seen."""
    return f"Describe {key} {_salt}"


def item(key: str, text: str | None = None, *, fault: str | None = None, **more: Any) -> Json:
    """An item as it is on the wire. more: its other fields, or a whole `params`."""
    wire: Json = {"id": str(uuid4()), "key": key, "params": params(text or text_of(key), fault=fault)}
    return wire | more


def put_prefix(service: Service, prefix: Prefix) -> str:
    """A prefix where its producer leaves it; its hash."""
    with redis.Redis.from_url(service.redis_url) as client:
        client.set(routes.PREFIX_KEY.format(prefix.hash), prefix.document)
    return prefix.hash


def callback(queue: Any = "shop", **more: Any) -> Json:
    """A callback as it is on the wire."""
    return {"task": "shop.save", "queue": queue, **more}


def read_command(app: typer.Typer, *words: str) -> str:
    """What an `overnight` command prints, on lines as long as they need to be."""
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, f"{words}: {done.output} {done.exception!r}"
    return done.output


def blocked(service: Service) -> int:
    """How many connections really wait for a lock."""
    waiting = (
        "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return int(service.ledger.fetch_one(waiting)["n"])


def _forget_another_broker(url: str) -> None:
    """Celery keeps its first connections, whatever it is told later: those to a Redis of an earlier test, too."""
    app: Any = celery_app.app
    if app.pool.connection.as_uri(include_password=True).rstrip("/") != url.rstrip("/"):
        app._after_fork()


class Service:
    """One service: its own database and API key; Redis and sandbox are the session's, and clean.

    name: of its workspace at the API; another process of the same service says the same.
    """

    def __init__(
        self,
        tmp_path: Path,
        database_url: str,
        redis_url: str,
        sandbox: Api,
        monkeypatch: pytest.MonkeyPatch,
        name: str = "",
    ) -> None:
        global _salt
        name = name or name_of_this_test()
        _salt = name
        self.database_url, self.redis_url, self.sandbox = database_url, redis_url, sandbox
        self.api = Account(sandbox, name)
        self._env = monkeypatch
        self._others: list[Database] = []
        self._open(database_url)
        empty = tmp_path / "overnight.toml"
        empty.touch()
        for variable, value in {
            "OVERNIGHT_CONFIG": empty,
            "OVERNIGHT_DATA_DIR": tmp_path,
            "OVERNIGHT_DATABASE_URL": database_url,
            "OVERNIGHT_REDIS_URL": redis_url,
            "ANTHROPIC_API_KEY": self.api.key,
        }.items():
            monkeypatch.setenv(variable, str(value))
        self.configure()

    def configure(
        self,
        *,
        lane: Json | None = None,
        lanes: Json | None = None,
        timing: Json | None = None,
        workspaces: Json | None = None,
        brokers: Json | None = None,
        direct: Json | None = None,
        webhooks: Json | None = None,
        links: Json | None = None,
        encryption: Json | None = None,
    ) -> None:
        """Start again with other settings. By default whatever waits is packed at once."""
        here = {"base_url": self.sandbox.url}
        named: dict[str, Json] = {"default": {}, **(workspaces or {})}
        tables = {
            "lanes": {"default": {"max_wait": "0s"} | (lane or {})} | (lanes or {}),
            "timing": {"create_timeout": "20s", "wire": "1s", "quiet": "10s", "lease": "60s"} | (timing or {}),
            "workspaces": {name: here | dict(workspace) for name, workspace in named.items()},
            "brokers": brokers or {},
            "direct": direct or {},
            "webhooks": webhooks or {},
            "links": links or {},
            "encryption": encryption or {},
        }
        for part, value in tables.items():
            self._env.setenv(f"OVERNIGHT_{part.upper()}", json.dumps(value))
        self.restart()

    def other_process(self) -> Database:
        """What another process would have: connections of its own."""
        self._others.append(Database(self.database_url))
        return self._others[-1]

    def restart(self) -> None:
        """A new process would know nothing of the old one's."""
        self._forget()
        settings.cache_clear()
        celery_app.configure()
        _forget_another_broker(self.redis_url)

    def backup(self) -> str:
        """A copy of the database as it is now; its URL."""
        self._leave()
        copy = f"{self.database_url}_backup"
        admin = f"{self.database_url.rpartition('/')[0]}/postgres"
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(_END_KEPT, (APPLICATION,))
            names = [sql.Identifier(url.rpartition("/")[2]) for url in (copy, self.database_url)]
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(names[0]))
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
        self._enter(self.database_url)
        return copy

    def restore(self, backup: str) -> None:
        """Go on with a backup: what came after it never happened, as far as its ledger knows."""
        self._leave()
        self._enter(backup)

    def _leave(self) -> None:
        self._forget()
        self.ledger.close()

    def _enter(self, database_url: str) -> None:
        self.database_url = database_url
        self._env.setenv("OVERNIGHT_DATABASE_URL", database_url)
        self._open(database_url)
        self.restart()

    def _open(self, database_url: str) -> None:
        self.ledger = Ledger(database_url)
        self.clock = Clock(self.ledger)

    def close(self) -> None:
        """End it."""
        self._forget()
        settings.cache_clear()
        for other in self._others:
            other.close()
        self.ledger.close()
        self.api.close()

    def _forget(self) -> None:
        held.close()

    # --- what a product and the beat do ----------------------------------------------------------------------------

    def accept(
        self, *items: Json | str, lane: str = "default", run: str | None = None, message_id: str | None = None
    ) -> Json:
        """Accept one message; its verdict."""
        lines = [wire_item if isinstance(wire_item, str) else orjson.dumps(wire_item).decode() for wire_item in items]
        message_id = message_id or str(uuid4())
        accept(v=1, message_id=message_id, lane=lane, run=run, items="\n".join(lines))
        return self.ledger.verdict(message_id)

    def accept_elsewhere(self, items: Sequence[Json]) -> tuple[int, int]:
        """Accept in another thread: how many were new, how many known."""
        message_id = str(uuid4())
        lines = b"\n".join(orjson.dumps(wire_item) for wire_item in items).decode()
        answer = accept(v=1, message_id=message_id, lane="default", items=lines)
        counts = [int(word) for word in answer.replace(",", "").split() if word.isdecimal()]
        return counts[0], counts[1]

    def round(self) -> None:
        """Everything once, from waiting to recorded."""
        measure()
        pack()
        submit()
        poll()
        collect()
        direct()

    def finish(self) -> None:
        """Rounds until nothing moves, with every pause over."""
        for _ in range(40):
            self.clock.pauses_are_over()
            self.round()
            deliver()
            if not self.ledger.fetch_all(
                "SELECT 1 FROM item WHERE state NOT IN ('succeeded', 'failed', 'canceled', 'redone')"
            ):
                return
        raise AssertionError(f"items don't come home: {self.ledger.states('item')} {self.ledger.states('batch')}")

    def answered(self, *items: Json | str) -> None:
        """These have their outcome, and nobody was told."""
        self.accept(*items)
        self.round()
        assert set(self.ledger.states("delivery")) == {"due"}

    def empty(self, name: str = "shop") -> None:
        """A worker of the product has taken what waits in its queue."""
        with redis.Redis.from_url(self.redis_url) as client:
            client.delete(name)

    def queue(self, name: str = "shop", url: str | None = None) -> list[Json]:
        """The messages that wait in a product's queue, the newest first."""
        with redis.Redis.from_url(url or self.redis_url) as client:
            return [orjson.loads(raw) for raw in client.lrange(name, 0, -1)]
