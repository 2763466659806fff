"""An installation: every service of Overnight on this machine, in one data directory, under one supervisor.

`overnight up` keeps one; `overnight demo` and the tests make one of their own.
"""

from __future__ import annotations

import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from celery import Celery
from redis import RedisError

from overnight_models import routes
from overnight_models.embedded_urls import write_urls
from overnight_models.errors import PermanentError
from overnight_models.ledger import schema
from overnight_models.ledger.database import Database, DatabaseUnavailable
from overnight_models.ledger.database_url import shown
from overnight_models.wire.redis_client import redis_client
from overnight_models.wire.redis_place import RedisPlace, read_redis_url
from overnight_workers.one_machine.embedded.postgres import EmbeddedPostgres
from overnight_workers.one_machine.embedded.redis import EmbeddedRedis
from overnight_workers.one_machine.embedded.remembered import remembered_port
from overnight_workers.one_machine.supervision.fork_server import ForkServer
from overnight_workers.one_machine.supervisor import Process, Supervisor
from overnight_workers.settings import settings


class NotThere(PermanentError):
    """A server that the environment names can't be used; the message says which, and what to do."""


@dataclass(frozen=True)
class Worker:
    """One Celery worker: which stages it runs, in how many processes."""

    queues: tuple[str, ...]
    processes: int
    ends_first: bool = False
    """Told to stop, it ends what it has begun: what it sends in real time is paid, whoever waits for it."""


_HANDS_BACK_S: Final = 30.0
_ENDS_FIRST_S: Final = 120.0
"""For answers that are under way; what takes longer may have been billed, and is counted as that."""

WORKERS: Final[Mapping[str, Worker]] = {
    "intake": Worker((routes.ACCEPT, routes.ANSWER), 2),
    "batches": Worker((routes.MEASURE, routes.PACK, routes.POLL, routes.RESCUE), 2),
    "submit": Worker((routes.SUBMIT,), 2),
    "results": Worker((routes.COLLECT,), 2),
    "deliver": Worker((routes.DELIVER,), 1),
    "webhooks": Worker((routes.WEBHOOKS,), 1),
    "direct": Worker((routes.DIRECT,), 2, ends_first=True),
    "catalogs": Worker((routes.CATALOGS,), 1),
}
"""By kind of work, so that what waits for the API or a broker keeps nothing else waiting."""


class Installation:
    """The services, and where they answer.

    database_url, redis_url: servers to use; without them the embedded ones are started.
    sandbox: play the API on this machine instead of calling Anthropic's.
    sandbox_options: as `overnight sandbox` takes them.
    environment: more variables for every service.
    app: the Celery app that workers and beat run.
    copies: how many of each worker and of the beat.
    relays: names of those that run here, as in `[relays.NAME]`.
    say: takes news for the console.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        database_url: str = "",
        redis_url: str = "",
        sandbox: bool,
        sandbox_options: Sequence[str] = (),
        flower: bool = True,
        environment: Mapping[str, str] | None = None,
        app: str = "overnight_workers.app",
        copies: int = 1,
        relays: Sequence[str] = (),
        say: Callable[[str], object] = print,
    ) -> None:
        self.data_dir = data_dir
        self.urls: dict[str, str] = {"database_url": database_url, "redis_url": redis_url}
        self._sandbox = sandbox
        self._sandbox_options = sandbox_options
        self._flower = flower
        self._more = dict(environment or {})
        self._app = app
        self._copies = ["", *(f"-{number}" for number in range(2, copies + 1))]
        self._relays = tuple(relays)
        self._say = say
        self._fork_server = ForkServer(data_dir / "run")
        self._answering: tuple[float, frozenset[str]] = (0.0, frozenset())

    @property
    def environment(self) -> dict[str, str]:
        """What a process of this installation is told: the servers, and the sandbox if there is one."""
        variables = {
            "OVERNIGHT_DATA_DIR": str(self.data_dir),
            "OVERNIGHT_DATABASE_URL": self.urls["database_url"],
            "OVERNIGHT_REDIS_URL": self.urls["redis_url"],
        }
        if self._sandbox:
            variables |= {"ANTHROPIC_BASE_URL": self.urls["sandbox_url"], "ANTHROPIC_API_KEY": "sk-sandbox-default"}
        return variables | self._more

    @property
    def _redis_place(self) -> RedisPlace:
        """Where Redis is; how it is verified is told by the same variables as to the workers."""
        return read_redis_url(
            self.urls["redis_url"],
            ca_file=os.environ.get("OVERNIGHT_REDIS_CA", ""),
            master_name=os.environ.get("OVERNIGHT_REDIS_MASTER", ""),
        )

    def start(self, supervisor: Supervisor) -> None:
        """Start everything, servers first; returns when everything answers."""
        self.start_servers(supervisor)
        self.start_workers(supervisor)

    def start_workers(self, supervisor: Supervisor) -> None:
        """Start what needs the servers."""
        write_urls(self.data_dir, self.urls)
        os.environ.update(self.environment)
        self._say("bringing the database's schema up to date")
        database = Database(self.urls["database_url"])
        schema.migrate(database)
        database.close()
        wanted = {name: worker for name, worker in WORKERS.items() if name != "webhooks" or settings().webhooks}
        processes = [self._worker(name + copy, worker) for copy in self._copies for name, worker in wanted.items()]
        processes += [self._beat(copy) for copy in self._copies]
        processes += [self._command(f"relay-{name}", "relay", name) for name in self._relays]
        processes += [self._command("links", "links")] if settings().links.url else []
        if self._flower:
            processes.append(self._start_flower())
        self._say("starting the workers")
        supervisor.start(*processes)
        write_urls(self.data_dir, self.urls)

    def start_servers(self, supervisor: Supervisor) -> None:
        """Start Postgres, Redis and the sandbox, those that aren't given."""
        self._require_given_servers()
        postgres = EmbeddedPostgres(self.data_dir / "postgres")
        redis = EmbeddedRedis(self.data_dir / "redis")
        servers = [] if self.urls["database_url"] else [postgres.process()]
        servers += [] if self.urls["redis_url"] else [redis.process()]
        servers += [self._start_sandbox()] if self._sandbox else []
        if servers:
            self._say(f"starting {', '.join(server.name for server in servers)}")
        # beside the servers: what it imports takes as long as a new database
        supervisor.start(*servers, self._start_fork_server())
        self.urls["database_url"] = self.urls["database_url"] or postgres.url
        self.urls["redis_url"] = self.urls["redis_url"] or redis.url

    def _require_given_servers(self) -> None:
        """Servers that the environment names must be there, and fit.

        Raises NotThere or SharedSession before anything is started.
        """
        if self.urls["redis_url"]:
            with redis_client(self._redis_place, timeout_s=5, connect_timeout_s=5) as client:
                try:
                    client.ping()
                except RedisError as error:
                    raise NotThere(_nobody_at("OVERNIGHT_REDIS_URL", self._redis_place.shown, error)) from error
        if url := self.urls["database_url"]:
            database = Database(url, presence_url=os.environ.get("OVERNIGHT_PRESENCE_URL"))
            try:
                database.owner()
            except DatabaseUnavailable as error:
                where = shown(database.url)
                raise NotThere(_nobody_at("OVERNIGHT_DATABASE_URL", where, error)) from error
            finally:
                database.close()

    def _start_fork_server(self) -> Process:
        return Process(
            name="fork-server",
            argv=self._fork_server.argv(),
            env={"PYTHONUNBUFFERED": "1"},
            ready=self._fork_server.answers,
        )

    def _start_sandbox(self) -> Process:
        home = self.data_dir / "sandbox"
        home.mkdir(parents=True, exist_ok=True)
        port = remembered_port(home / "port")
        url = self.urls["sandbox_url"] = f"http://127.0.0.1:{port}"
        return Process(
            name="sandbox",
            argv=[
                *[sys.executable, "-m", "overnight_workers.sandbox", "--port", str(port)],
                *["--data-dir", str(home), *self._sandbox_options],
            ],
            ready=lambda: _answers(f"{url}/sandbox/meter"),
        )

    def _start_flower(self) -> Process:
        port = remembered_port(self.data_dir / "flower-port")
        url = self.urls["flower_url"] = f"http://127.0.0.1:{port}"
        return self._service(
            "flower", ["flower", "--address=127.0.0.1", f"--port={port}"], ready=lambda: _answers(f"{url}/healthcheck")
        )

    def _worker(self, name: str, worker: Worker) -> Process:
        return self._service(
            name,
            [
                *["worker", "-n", f"{name}@%h", "-Q", ",".join(worker.queues), "-c", str(worker.processes)],
                *["--without-gossip", "--without-mingle", "--loglevel", "INFO"],
            ],
            ready=lambda: name in self._workers_that_answer(),
            ends_first=worker.ends_first,
        )

    def _beat(self, copy: str) -> Process:
        return self._service(f"beat{copy}", ["beat", "-s", str(self.data_dir / f"beat-schedule{copy}")])

    def _command(self, name: str, *words: str) -> Process:
        """A process of the command `overnight`."""
        return Process(
            name=name,
            argv=[sys.executable, "-c", "from overnight_workers.command import main; main()", *words],
            env={**self.environment, "PYTHONUNBUFFERED": "1"},
        )

    def _service(
        self, name: str, arguments: list[str], ready: Callable[[], bool] | None = None, *, ends_first: bool = False
    ) -> Process:
        # a worker that is told to stop hands its work back in seconds instead of finishing it first
        signals = {} if ends_first else {"REMAP_SIGTERM": "SIGQUIT"}
        return Process(
            name=name,
            argv=[sys.executable, "-m", "celery", "-A", self._app, *arguments],
            env={**self.environment, **signals, "PYTHONUNBUFFERED": "1"},
            ready=ready,
            grace_seconds=_ENDS_FIRST_S if ends_first else _HANDS_BACK_S,
            fork_server=self._fork_server,
        )

    def _workers_that_answer(self) -> frozenset[str]:
        asked_at, names = self._answering
        if time.monotonic() - asked_at > 0.5:
            app = Celery(set_as_current=False)
            app.conf.update(self._redis_place.celery())
            replies = app.control.ping(timeout=0.5, limit=len(WORKERS) * len(self._copies)) or []
            names = frozenset(node.split("@")[0] for reply in replies for node in reply)
            self._answering = (time.monotonic(), names)
        return names


def _nobody_at(variable: str, where: str, error: Exception) -> str:
    return (
        f"{variable} names a server at {where}, and it can't be used ({error})."
        f" Start it, correct {variable}, or unset it: then `up` starts a server of its own"
    )


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False
