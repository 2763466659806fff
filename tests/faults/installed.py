"""A whole installation in real processes, to be attacked from outside, and the books that must be right afterwards."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import psycopg
import redis

from overnight_models import routes
from overnight_models.embedded_urls import read_urls
from overnight_models.errors import OvernightError
from overnight_models.ledger.documents import delivery_id
from overnight_producers import Overnight
from overnight_producers.receipts import Confirmation
from overnight_workers.one_machine.supervision.process_table import Entry
from tests.faults.asked_postgres import AskedPostgres
from tests.faults.orders import Json, Meter, Order, delivery_of, items_of, paced
from tests.faults.processes import OVERNIGHT, Processes
from tests.sums import assert_sums_are_right
from tests.waiting import wait_until

UNDER_WAY: Final = "state IN ('claimed', 'sending', 'unclear', 'open')"

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
{more}

[workspaces.{lane}]
api_key_env = "KEY_OF_{lane}"
tier = "scale"
"""

_numbers = count(1)


class Installed(Processes):
    """`overnight up` in a data directory of its own.

    toml: its overnight.toml.
    lanes: more lanes like the default one, each with a workspace of its own.
    roads: by lane, what more it says.
    up: the command that keeps it up.
    environment: more variables for its processes.
    apis: lanes whose workspace is at an API of its own, and where that answers.
    flower: Flower too.
    """

    def __init__(
        self,
        home: Path,
        toml: str = QUICK,
        *,
        lanes: Sequence[str] = (),
        roads: Mapping[str, str] | None = None,
        turnaround: str = "2s",
        up: Sequence[str] = (*OVERNIGHT, "up"),
        environment: Mapping[str, str] | None = None,
        apis: Mapping[str, str] | None = None,
        flower: bool = False,
    ) -> None:
        config = home / "overnight.toml"
        keys = {f"KEY_OF_{lane}": f"sk-sandbox-{lane}" for lane in lanes}
        variables = {"OVERNIGHT_CONFIG": str(config), **keys, **(environment or {})}
        super().__init__(home, up=up, turnaround=turnaround, environment=variables, flower=flower)
        self._lanes = tuple(lanes)
        self._apis = dict(apis or {})
        self._roads = dict(roads or {})
        config.write_text(toml + "".join(self._lane(lane) for lane in lanes))
        self._sending = ThreadPoolExecutor(24)
        self._taken: dict[str, list[bytes]] = {}
        self._postgres = AskedPostgres(lambda: read_urls(self.data_dir)["database_url"])

    def _lane(self, lane: str) -> str:
        written = _LANE.format(lane=lane, more=self._roads.get(lane, ""))
        return written + f'base_url = "{self._apis[lane]}"\n' if lane in self._apis else written

    def close(self) -> None:
        """End it, whatever state a test left it in."""
        self._sending.shutdown(wait=False, cancel_futures=True)
        self._postgres.end()
        super().close()

    @contextlib.contextmanager
    def frozen(self, *these: Entry) -> Iterator[None]:
        """See `Processes`. Nobody waits for a Postgres that is one of them: a new session is given up after 5 s."""
        self._postgres.end()
        with super().frozen(*these):
            yield

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
        (submitter,) = [
            who
            for who in self.children("submit")
            if any(str(link.readlink()) == socket for link in Path(f"/proc/{who.pid}/fd").iterdir())
        ]
        return submitter

    # --- the servers -----------------------------------------------------------------------------------------------

    def rows(self, statement: str, *values: object) -> list[Json]:
        """The rows of one statement, though Postgres may be killed at any time."""
        return self._postgres.rows(statement, *values)

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
        workspaces = httpx2.get(f"{url}/sandbox/meter", timeout=60, verify=False).json()["workspaces"]
        metered = workspaces.get(workspace, {})
        bill = metered.get("bill", [])
        return Meter(
            creates=metered.get("creates_accepted", 0),
            requests=metered.get("requests_accepted", 0),
            billed=sum(row["requests"] for row in bill),
            nanodollars=sum(row["nanodollars"] for row in bill),
        )

    def billed_twice(self) -> int:
        """Requests that the API billed more than once, in whatever workspace."""
        return int(
            httpx2.get(f"{self._sandbox_url}/sandbox/meter", timeout=60, verify=False).json()["requests_billed_twice"]
        )

    def faults(self, lane: str, *rules: Json) -> None:
        """What more goes wrong at the API from now on, in this lane's workspace."""
        workspace = f"wrkspc_sandbox_{lane}"
        placed = [rule | {"workspace": workspace} for rule in rules]
        answer = httpx2.post(f"{self._api(lane)}/sandbox/faults", json=placed, timeout=60, verify=False)
        assert answer.status_code == 200, answer.text

    def faults_are_over(self) -> None:
        """Nothing goes wrong any more."""
        for url in (self._sandbox_url, *self._apis.values()):
            wait_until(partial(_are_taken_back, f"{url}/sandbox/faults"))

    def fired(self, lane: str) -> list[int]:
        """How often each of this lane's faults has happened."""
        workspace = f"wrkspc_sandbox_{lane}"
        rules = httpx2.get(f"{self._api(lane)}/sandbox/faults", timeout=60, verify=False).json()["rules"]
        return [rule["fired"] for rule in rules if rule.get("workspace") == workspace]

    def stranger(self, workspace: str, requests: int) -> None:
        """Somebody else creates a batch of that size."""
        wish = {"workspace": workspace, "requests": requests}
        answer = httpx2.post(f"{self._sandbox_url}/sandbox/strangers", json=wish, timeout=60, verify=False)
        assert answer.status_code == 200, answer.text

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
                paced(items_of(order.run, order.items, order.queue, bytes_each), order.items, paced_s),
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
            "SELECT delivery.state, count(*) AS n FROM every_delivery delivery JOIN item ON item.id = delivery.item_id"
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
            every_s=0.05,
        )

    def picture(self, order: Order) -> str:
        """Where everything is: for the message of a test that fails."""
        try:
            submissions = self.rows("SELECT * FROM submission WHERE state <> 'done' ORDER BY id")
            return (
                f"items {self.states(order)}, deliveries {self.deliveries(order)}, batches {self.batches(order)},"
                f" submissions {submissions}, {self.output.read_text()[-3000:]}"
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
                   count(*) FILTER (WHERE outcome.message IS NOT NULL OR outcome.body_group IS NOT NULL) AS answered,
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
        # the last outcome is handed over a moment before its batch is closed
        wait_until(
            lambda: not self.number(f"SELECT count(*) FROM submission WHERE {UNDER_WAY}"),
            timeout_s,
            what=lambda: self.rows(f"SELECT * FROM submission WHERE {UNDER_WAY}"),
        )


def _are_taken_back(url: str) -> bool:
    """Its faults are; False while an API that was killed isn't up again."""
    with contextlib.suppress(httpx2.TransportError):
        httpx2.delete(url, timeout=60, verify=False)
        return True
    return False
