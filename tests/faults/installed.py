"""A whole installation in real processes, to be attacked from outside, and the books that must be right afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import orjson
import psycopg
import redis
from psycopg.rows import dict_row

from overnight_models import routes
from overnight_models.embedded_urls import read_urls
from overnight_models.errors import OvernightError
from overnight_models.ledger.documents import delivery_id
from overnight_producers import Item, Overnight, task
from overnight_producers.receipts import Confirmation
from overnight_workers.sandbox.process import Running
from overnight_workers.supervision import process_table
from overnight_workers.supervision.process_table import Entry
from tests.sums import assert_sums_are_right

Json = dict[str, Any]

MODEL: Final = "claude-haiku-5-5"
OVERNIGHT: Final = [sys.executable, "-c", "from overnight_workers.cli import main; main()"]
UNFINISHED: Final = "('waiting', 'held', 'batched', 'direct', 'racing')"
SERVERS: Final = frozenset({"postgres", "redis", "sandbox"})

QUICK: Final = """
[lanes.default]
max_items = 100
max_wait = "300ms"

[lanes.whole]
max_items = 100
max_wait = "1m"

[timing]
poll_every = "500ms"
sweep_every = "500ms"
create_timeout = "4s"
wire = "500ms"
quiet = "2s"
lease = "8s"
"""
"""Patience in seconds, so that what is lost comes home while a test waits."""

_LANE: Final = """
[lanes.{lane}]
workspace = "{lane}"
max_items = 100
max_wait = "300ms"
max_attempts = 20

[workspaces.{lane}]
api_key_env = "KEY_OF_{lane}"
"""

TROUBLES: Final[dict[str, list[Json]]] = {
    "none": [],
    "create_answer_lost": [{"at": "create", "do": "lose_answer", "count": 1}],
    "create_answered_too_late": [{"at": "create", "do": "delay", "seconds": 6, "count": 1}],
    "create_529_though_accepted": [{"at": "create", "do": "status", "status": 529, "accepted": True, "count": 1}],
    "create_500_though_accepted": [{"at": "create", "do": "status", "status": 500, "accepted": True, "count": 1}],
    "create_529": [{"at": "create", "do": "status", "status": 529, "count": 1}],
    "create_closed_after_body": [{"at": "create", "do": "close_after_body", "count": 1}],
    "create_closed_during_body": [{"at": "create", "do": "close_during_body", "count": 1}],
    "create_closed_before_body": [{"at": "create", "do": "close_before_body", "count": 1}],
    "create_429": [{"at": "create", "do": "status", "status": 429, "count": 1}],
    "create_429_with_retry_after": [{"at": "create", "do": "status", "status": 429, "retry_after": 2, "count": 2}],
    "retrieve_404_for_seconds": [
        {"at": "create", "do": "lose_answer", "count": 1},
        {"at": "retrieve", "do": "missing", "seconds": 9},
    ],
    "listed_late": [
        {"at": "create", "do": "lose_answer", "count": 1},
        {"at": "list", "do": "late", "seconds": 4},
    ],
    "list_500": [{"at": "list", "do": "status", "status": 500, "rate": 0.5, "count": 6}],
    "results_cut_mid_line": [{"at": "results", "do": "cut_mid_line", "count": 2}],
    "results_cut_at_line": [{"at": "results", "do": "cut_at_line", "count": 2}],
    "results_reset": [{"at": "results", "do": "reset", "count": 2}],
    "results_stalled": [{"at": "results", "do": "stall", "seconds": 3, "count": 2}],
    "results_404_for_seconds": [{"at": "results", "do": "missing", "seconds": 4}],
    "items_expired": [{"at": "item", "do": "expired", "rate": 0.2}],
    "items_errored": [{"at": "item", "do": "errored", "type": "overloaded_error", "rate": 0.2}],
}
"""What the API may do (`sandbox/faults.py`), each in a lane and workspace of that name."""

CLOCKS: Final = {"clock_ahead": "7m", "clock_behind": "-7m"}
"""Lanes whose workspace is at an API with another clock."""

_numbers = count(1)


def wait_until(condition: Callable[[], object], timeout_s: float = 60.0, *, what: Callable[[], object] = str) -> None:
    """Look until it is so. A server that was killed has no answer, which is no answer. what: said when it isn't so."""
    deadline = time.monotonic() + timeout_s
    while not _so(condition):
        assert time.monotonic() < deadline, f"not so within {timeout_s:g} s: {what()}"
        time.sleep(0.02)


def _so(condition: Callable[[], object]) -> bool:
    try:
        return bool(condition())
    except (psycopg.OperationalError, redis.RedisError, httpx2.HTTPError):
        return False


@dataclass(frozen=True)
class Meter:
    """What the API accepted and billed in one workspace."""

    creates: int
    requests: int
    billed: int
    nanodollars: int


@dataclass
class Order:
    """Items under one run, being enqueued by a product in the background."""

    run: str
    lane: str
    workspace: str
    """As the API calls it."""
    queue: str
    items: int
    meter: Meter
    """What the API had accepted and billed before."""
    began: float
    confirmed: Future[Confirmation]

    @property
    def age_s(self) -> float:
        """Since its first item was handed over."""
        return time.monotonic() - self.began


class Installed:
    """`overnight up` in a data directory of its own.

    toml: its overnight.toml.
    lanes: more lanes like the default one, each with a workspace of its own.
    up: the command that keeps it up.
    environment: more variables for its processes.
    apis: lanes whose workspace is at an API of its own, and where that answers.
    """

    def __init__(
        self,
        home: Path,
        toml: str = QUICK,
        *,
        lanes: Sequence[str] = (),
        turnaround: str = "2s",
        up: Sequence[str] = (*OVERNIGHT, "up"),
        environment: Mapping[str, str] | None = None,
        apis: Mapping[str, str] | None = None,
    ) -> None:
        self.data_dir = home / "data"
        self.told = home / "up.out"
        self._config = home / "overnight.toml"
        self._lanes = tuple(lanes)
        self._apis = dict(apis or {})
        self._config.write_text(toml + "".join(self._lane(lane) for lane in lanes))
        self._turnaround = turnaround
        self._command = up
        self._more = dict(environment or {})
        self._up: subprocess.Popen[bytes] | None = None
        self._sending = ThreadPoolExecutor(24)
        self._taken: dict[str, list[bytes]] = {}

    def _lane(self, lane: str) -> str:
        written = _LANE.format(lane=lane)
        return written + f'base_url = "{self._apis[lane]}"\n' if lane in self._apis else written

    # --- the processes ---------------------------------------------------------------------------------------------

    @property
    def environment(self) -> dict[str, str]:
        """What its processes and commands are told."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("OVERNIGHT_", "ANTHROPIC_"))}
        # without byte code on disk every process compiles the SDK anew: seconds each
        clean.pop("PYTHONDONTWRITEBYTECODE", None)
        keys = {f"KEY_OF_{lane}": f"sk-sandbox-{lane}" for lane in self._lanes}
        told = {"OVERNIGHT_CONFIG": str(self._config), "OVERNIGHT_DATA_DIR": str(self.data_dir)}
        return clean | keys | told | self._more

    def start(self) -> None:
        """`overnight up`, until it says that it is ready."""
        up = [*self._command, "--data-dir", str(self.data_dir), "--turnaround", self._turnaround, "--no-flower"]
        with self.told.open("wb") as out:
            self._up = subprocess.Popen(up, env=self.environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        wait_until(lambda: b"ready after" in self.told.read_bytes() or not self.is_up, 180, what=self.told.read_text)
        assert self.is_up, self.told.read_text()

    @property
    def is_up(self) -> bool:
        """Whether its supervisor runs."""
        return self._up is not None and self._up.poll() is None

    def stop(self) -> None:
        """Ask it to stop; then nothing of it may be left."""
        everybody = self.everybody()
        assert self._up is not None
        self._up.terminate()
        assert self._up.wait(60) == 0
        self._up = None
        assert [who for who in everybody if process_table.is_alive(who)] == []

    def close(self) -> None:
        """End it, whatever state a test left it in."""
        self._sending.shutdown(wait=False, cancel_futures=True)
        if self.is_up:
            self.stop()

    def pids(self) -> dict[str, int]:
        """The leaders of its processes by name."""
        record = json.loads((self.data_dir / "run" / "processes.json").read_bytes())
        return {name: pid for name, pid, *_ in record["processes"]}

    def processes(self, *names: str) -> list[Entry]:
        """Processes with all their children; those that are between two lives are left out."""
        pids = self.pids()
        leaders = [process_table.entry(pids[name]) for name in names if name in pids]
        return [who for leader in leaders if leader for who in process_table.family(leader.pid, leader.started)]

    def children(self, name: str) -> list[Entry]:
        """The pool of one worker."""
        leader = self.pids()[name]
        return [who for who in self.processes(name) if who.pid != leader]

    def everybody(self) -> list[Entry]:
        """Every process of it, the supervisor too."""
        up = None if self._up is None else process_table.entry(self._up.pid)
        return [*([up] if up else []), *self.processes(*self.pids())]

    def kill(self, *names: str) -> None:
        """`kill -9` to these and all their children at once."""
        for who in self.processes(*names):
            process_table.send(who, signal.SIGKILL)

    def kill_workers(self) -> None:
        """`kill -9` to every Celery process."""
        self.kill(*self.workers())

    def workers(self) -> list[str]:
        """The names of everything that isn't a server."""
        return [name for name in self.pids() if name not in SERVERS]

    def kill_everything(self) -> None:
        """What the out-of-memory killer would do on its worst day."""
        everybody = self.everybody()
        for who in everybody:
            process_table.send(who, signal.SIGKILL)
        assert self._up is not None
        self._up.wait(30)
        self._up = None
        wait_until(lambda: not [who for who in everybody if process_table.is_alive(who)], 10)

    @contextlib.contextmanager
    def frozen(self, *these: Entry) -> Iterator[None]:
        """SIGSTOP, and SIGCONT at the end: they keep all that they hold, and go on as if no time had passed."""
        for who in these:
            process_table.send(who, signal.SIGSTOP)
        try:
            yield
        finally:
            for who in these:
                process_table.send(who, signal.SIGCONT)

    def sender(self) -> Entry:
        """The process that is sending a create at this moment: who holds its owner's lock, by the connection's port."""
        server = urlsplit(read_urls(self.data_dir)["database_url"]).port
        port = self.number(
            """
            SELECT client_port FROM submission
            JOIN pg_locks ON locktype = 'advisory' AND objid = submission.owner::bigint::oid
            JOIN pg_stat_activity ON pg_stat_activity.pid = pg_locks.pid
            WHERE submission.state = 'sending'
            """
        )
        (socket,) = [
            f"socket:[{fields[9]}]"
            for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
            if (fields := line.split())[1].endswith(f":{port:04X}") and fields[2].endswith(f":{server:04X}")
        ]
        (found,) = [
            who
            for who in self.children("submit")
            if any(str(link.readlink()) == socket for link in Path(f"/proc/{who.pid}/fd").iterdir())
        ]
        return found

    def command(self, *words: str, timeout_s: float = 120.0) -> str:
        """Run an `overnight` command; what it printed."""
        done = subprocess.run(
            [*OVERNIGHT, *words], env=self.environment, capture_output=True, text=True, timeout=timeout_s, check=False
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def logged(self, *levels: str) -> list[Json]:
        """What the workers wrote at these levels, oldest first."""
        found = []
        for name in self.workers():
            for line in (self.data_dir / "log" / f"{name}.log").read_bytes().splitlines():
                with contextlib.suppress(ValueError):
                    document = orjson.loads(line)
                    if isinstance(document, dict) and document.get("level") in levels:
                        found.append(document | {"worker": name})
        return sorted(found, key=lambda one: str(one.get("timestamp")))

    # --- the servers -----------------------------------------------------------------------------------------------

    def rows(self, statement: str, *values: object) -> list[Json]:
        """The rows of one statement, from a connection of its own: Postgres may be killed at any time."""
        url = read_urls(self.data_dir)["database_url"]
        with psycopg.connect(url, autocommit=True, row_factory=dict_row, connect_timeout=5) as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def number(self, statement: str, *values: object) -> int:
        """The only number of one statement."""
        (row,) = self.rows(statement, *values)
        (value,) = row.values()
        return int(value or 0)

    @contextlib.contextmanager
    def redis(self) -> Iterator[redis.Redis]:
        """Overnight's Redis."""
        with redis.Redis.from_url(read_urls(self.data_dir)["redis_url"], socket_timeout=5) as client:
            yield client

    def flush_redis(self, *queues: str) -> None:
        """FLUSHALL. What a product would have taken from its own queues by then is read in the same instant."""
        with self.redis() as client, client.pipeline() as pipe:
            for queue in queues:
                pipe.lrange(queue, 0, -1)
            pipe.flushall()
            for queue, taken in zip(queues, pipe.execute()[: len(queues)], strict=True):
                self._taken.setdefault(queue, []).extend(taken)

    def cut_redis(self) -> int:
        """Every client loses its connection; the server goes on. Returns how many there were."""
        with self.redis() as client:
            cut: Any = client.client_kill_filter(_type="normal", skipme=True)
        return int(cut)

    def cut_postgres(self) -> int:
        """Everybody loses their connection, in the middle of whatever they do. Returns how many there were."""
        cut = self.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return len(cut)

    def meter(self, workspace: str) -> Meter:
        """What the API accepted and billed."""
        url = self._api(workspace.removeprefix("wrkspc_sandbox_"))
        found = httpx2.get(f"{url}/sandbox/meter", timeout=30).json()["workspaces"].get(workspace, {})
        bill = found.get("bill", [])
        return Meter(
            creates=found.get("creates_accepted", 0),
            requests=found.get("requests_accepted", 0),
            billed=sum(row["requests"] for row in bill),
            nanodollars=sum(row["nanodollars"] for row in bill),
        )

    def billed_twice(self) -> int:
        """Requests that the API billed more than once, in whatever workspace."""
        return int(httpx2.get(f"{self._sandbox_url}/sandbox/meter", timeout=30).json()["requests_billed_twice"])

    def faults(self, lane: str, *rules: Json) -> None:
        """What more goes wrong at the API from now on, in this lane's workspace."""
        workspace = f"wrkspc_sandbox_{lane}"
        placed = [rule | {"workspace": workspace} for rule in rules]
        answer = httpx2.post(f"{self._api(lane)}/sandbox/faults", json=placed, timeout=30)
        assert answer.status_code == 200, answer.text

    def faults_are_over(self) -> None:
        """Nothing goes wrong any more."""
        for url in (self._sandbox_url, *self._apis.values()):
            httpx2.delete(f"{url}/sandbox/faults", timeout=30)

    def fired(self, lane: str) -> list[int]:
        """How often each of this lane's faults has happened."""
        workspace = f"wrkspc_sandbox_{lane}"
        rules = httpx2.get(f"{self._api(lane)}/sandbox/faults", timeout=30).json()["rules"]
        return [rule["fired"] for rule in rules if rule.get("workspace") == workspace]

    def stranger(self, workspace: str, requests: int) -> None:
        """Somebody else creates a batch of that size."""
        wish = {"workspace": workspace, "requests": requests}
        assert httpx2.post(f"{self._sandbox_url}/sandbox/strangers", json=wish, timeout=30).status_code == 200

    def _api(self, lane: str) -> str:
        return self._apis.get(lane) or self._sandbox_url

    @property
    def _sandbox_url(self) -> str:
        return read_urls(self.data_dir)["sandbox_url"]

    # --- what products do ------------------------------------------------------------------------------------------

    def order(self, items: int, *, lane: str = "default", paced_s: float = 0.0, bytes_each: int = 0) -> Order:
        """Let a product enqueue so many items and see them confirmed, in the background."""
        name = f"order-{next(_numbers)}-{os.getpid()}"
        workspace = f"wrkspc_sandbox_{lane if lane in self._lanes else 'default'}"
        order = Order(name, lane, workspace, f"shop-{name}", items, self.meter(workspace), time.monotonic(), Future())
        order.confirmed = self._sending.submit(self._send, order, paced_s, bytes_each)
        return order

    def _send(self, order: Order, paced_s: float, bytes_each: int) -> Confirmation:
        overnight = Overnight(read_urls(self.data_dir)["redis_url"])
        try:
            return overnight.enqueue_confirmed(
                _paced(items_of(order.run, order.items, order.queue, bytes_each), order.items, paced_s),
                lane=order.lane,
                run=order.run,
                timeout=120,
            )
        finally:
            overnight.close()

    def states(self, order: Order) -> dict[str, int]:
        """Its items by state, counted one by one."""
        rows = self.rows(
            "SELECT item.state, count(*) AS n FROM item JOIN run ON run.id = item.run_id"
            " WHERE run.name = %s GROUP BY item.state",
            order.run,
        )
        return {row["state"]: row["n"] for row in rows}

    def batches(self, order: Order) -> list[str]:
        """The states of its batches."""
        rows = self.rows(
            "SELECT DISTINCT batch.id, batch.state FROM batch JOIN item ON item.batch_id = batch.id"
            " JOIN run ON run.id = item.run_id WHERE run.name = %s ORDER BY batch.id",
            order.run,
        )
        return [row["state"] for row in rows]

    def deliveries(self, order: Order) -> dict[str, int]:
        """Its deliveries by state."""
        rows = self.rows(
            "SELECT delivery.state, count(*) AS n FROM delivery JOIN item ON item.id = delivery.item_id"
            " JOIN run ON run.id = item.run_id WHERE run.name = %s GROUP BY delivery.state",
            order.run,
        )
        return {row["state"]: row["n"] for row in rows}

    def finish(self, order: Order, timeout_s: float = 90.0) -> None:
        """Wait until every item is confirmed, final and delivered."""
        deadline = time.monotonic() + timeout_s
        confirmation = order.confirmed.result(timeout_s)
        assert (confirmation.accepted + confirmation.known, confirmation.rejected) == (order.items, ())
        wait_until(
            lambda: self.deliveries(order) == {"delivered": order.items},
            max(1.0, deadline - time.monotonic()),
            what=lambda: self.picture(order),
        )

    def picture(self, order: Order) -> str:
        """Where everything is: for the message of a test that fails."""
        try:
            submissions = self.rows("SELECT * FROM submission WHERE state <> 'done' ORDER BY id")
            return (
                f"items {self.states(order)}, deliveries {self.deliveries(order)}, batches {self.batches(order)},"
                f" submissions {submissions}, {self.told.read_text()[-3000:]}"
            )
        except (OvernightError, psycopg.Error) as error:
            return str(error)

    # --- the books -------------------------------------------------------------------------------------------------

    def delivered(self, order: Order) -> list[str]:
        """The delivery ids of all messages that its product got, repeats included."""
        return self.messages(order.queue)

    def messages(self, queue: str) -> list[str]:
        """The delivery ids of all messages that ever came into a product's queue."""
        with self.redis() as client:
            waiting: Any = client.lrange(queue, 0, -1)
        return [delivery_of(message) for message in (*self._taken.get(queue, []), *waiting)]

    def assert_books_are_right(self, order: Order, *, repeats: bool = True) -> Json:
        """Every item final once, paid once, delivered; the ledger's numbers are the API's own.

        A request that the API reported as errored or expired was sent again, and wasn't billed: an attempt each.
        repeats: deliveries may have come more than once.
        """
        assert self.states(order) == {"succeeded": order.items}
        (own,) = self.rows(
            """
            SELECT count(*) AS items, count(DISTINCT outcome.item_id) AS outcomes,
                   count(*) FILTER (WHERE outcome.message IS NOT NULL) AS answered,
                   sum(bill.cost_nano)::bigint AS cost_nano, count(bill.item_id) AS bills,
                   sum(outcome.attempts)::bigint AS attempts,
                   count(*) FILTER (WHERE NOT bill.kept) AS doubles
            FROM item JOIN run ON run.id = item.run_id
            LEFT JOIN outcome ON outcome.item_id = item.id LEFT JOIN bill ON bill.item_id = item.id
            WHERE run.name = %s
            """,
            order.run,
        )
        assert own["items"] == own["outcomes"] == own["answered"] == own["bills"] == order.items
        assert own["doubles"] == 0
        assert_sums_are_right(self.rows)
        now, before = self.meter(order.workspace), order.meter
        assert now.requests - before.requests == own["attempts"]
        assert now.billed - before.billed == order.items
        assert now.nanodollars - before.nanodollars == own["cost_nano"]
        got = self.delivered(order)
        receipts = self.rows(
            "SELECT receipt FROM request JOIN item ON item.id = request.item_id JOIN run ON run.id = item.run_id"
            " WHERE run.name = %s",
            order.run,
        )
        assert set(got) == {delivery_id(row["receipt"]) for row in receipts}
        assert repeats or len(got) == order.items
        return {
            "items": order.items,
            "accepted": now.requests - before.requests,
            "creates": now.creates - before.creates,
            "billed": now.billed - before.billed,
            "nanodollars": own["cost_nano"],
            "delivered": len(set(got)),
            "repeats": len(got) - len(set(got)),
            "seconds": round(order.age_s, 1),
        }

    def assert_nothing_is_stuck(self, timeout_s: float = 40.0) -> None:
        """What killed workers had taken goes back when its time is over, and is done or known; then all is empty."""
        with self.redis() as client:
            taken: Any = client.zrange("overnight:unacked_index", 0, -1)
            old: Json = dict.fromkeys(taken, 0)
            if old:
                # as if the visibility timeout were over for all of them
                client.zadd("overnight:unacked_index", old)
            wait_until(
                lambda: not any(client.hexists("overnight:unacked", name) for name in old),
                timeout_s,
                what=lambda: client.hgetall("overnight:unacked"),
            )
            wait_until(
                lambda: not any(client.llen(queue) for queue in (routes.ACCEPT, routes.SUBMIT, routes.COLLECT)),
                timeout_s,
                what=lambda: {queue: client.llen(queue) for queue in routes.QUEUES},
            )
        unfinished = self.rows(
            "SELECT state, count(*) FROM submission WHERE state IN ('claimed', 'sending', 'unclear', 'open')"
            " GROUP BY state"
        )
        assert unfinished == []


_shared: list[Installed] = []
_others: list[Running] = []


def shared(home: Callable[[], Path]) -> Iterator[Installed]:
    """One installation for the short tests of all modules: starting it takes longer than most of them."""
    if not _shared:
        place = home()
        _others.extend(
            Running(place / lane, "--turnaround", "2s", f"--clock-offset={offset}") for lane, offset in CLOCKS.items()
        )
        apis = {lane: other.url for lane, other in zip(CLOCKS, _others, strict=True)}
        _shared.append(Installed(place, lanes=[*TROUBLES, *CLOCKS], apis=apis))
    if not _shared[0].is_up:
        _shared[0].start()
    yield _shared[0]
    _shared[0].close()
    for other in _others:
        other.stop()


def items_of(run: str, items: int, queue: str, bytes_each: int = 0) -> Iterator[Item]:
    """So many different requests."""
    more = "x" * bytes_each
    for number in range(items):
        yield Item(
            key=f"{run}-{number}",
            params={
                "model": MODEL,
                "max_tokens": 256,
                "messages": [{"role": "user", "content": f"Describe article {number} of {run}{more}"}],
            },
            callback=task("shop.save", queue=queue),
        )


def write_file(path: Path, items: Iterable[Item]) -> Path:
    """As `overnight enqueue` reads it."""
    lines = [orjson.dumps({"key": one.key, "params": one.params, "callback": one.callback}) for one in items]
    path.write_bytes(b"\n".join(lines))
    return path


def delivery_of(message: bytes) -> str:
    """The delivery id in a callback's message."""
    envelope = orjson.loads(message)
    document = orjson.loads(envelope["body"])
    found = document[0][0]["delivery_id"]
    assert found == envelope["headers"]["id"]
    return str(found)


def _paced(items: Iterator[Item], number: int, seconds: float) -> Iterator[Item]:
    """A product that has its items only bit by bit."""
    began = time.monotonic()
    for position, item in enumerate(items):
        ahead_s = seconds * position / number - (time.monotonic() - began)
        if ahead_s > 0.05:
            time.sleep(ahead_s)  # this is a product's own pace, and nothing that a test waits for
        yield item
