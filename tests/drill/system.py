"""A system as a company runs it, under load: servers in pairs, all workers, a product that takes its callbacks."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from overnight_models.embedded_urls import read_urls
from tests.chaos.load import is_at_rest, picture
from tests.chaos.load_books import Books, close_the_books
from tests.chaos.products import Products
from tests.drill.watch import Pager
from tests.faults.installed import Installed
from tests.faults.postgres_servers import Pair
from tests.faults.products import product
from tests.faults.redis_servers import Address, Server
from tests.waiting import wait_until

LANES: Final = ("default", "one")
_QUEUE: Final = "shop"
_LARGEST_RUN: Final = 60
_SILENT_S: Final = 60.0
"""A product's worker that took nothing for so long is started again."""
_FILLS_EVERY_S: Final = 0.2
_DISK_BYTES: Final = 1_500_000_000
_TMP_BYTES: Final = 300_000_000
_TOML: Final = """
[lanes.default]
max_items = 200
max_wait = "1s"
max_attempts = 50
max_deliveries = 1000
ack_within = "30s"

[timing]
poll_every = "2s"
sweep_every = "1s"
create_timeout = "10s"
wire = "3s"
quiet = "8s"
lease = "30s"
"""
_SAVE: Final = """
@app.task(name="shop.save")
@callback(ack=True)
def save(outcome: Outcome):
    with open({book!r}, "a") as book:
        book.write(outcome.delivery_id + "\\n")
"""


class Shop:
    """A product's worker that writes down what came to it, started again when it ends, or took nothing for long.

    It has Celery's own transport: after a failover of Redis it may listen to nothing, and live.
    """

    def __init__(self, home: Path, broker: str) -> None:
        self._home, self._broker = home, broker
        self._book = home / "came"
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._keep)

    def start(self) -> None:
        """Begin to take callbacks."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more."""
        self._enough.set()
        if self._thread.ident is not None:
            self._thread.join()

    def came(self) -> list[str]:
        """The delivery ids of all outcomes that came, repeats included."""
        return self._book.read_text().splitlines() if self._book.exists() else []

    def _keep(self) -> None:
        tasks = _SAVE.format(book=str(self._book))
        while not self._enough.is_set():
            with product(self._home, tasks, broker=self._broker, overnight=self._broker) as worker:
                seen, seen_at = 0, time.monotonic()
                while worker.process.poll() is None and not self._enough.wait(0.5):
                    size = self._book.stat().st_size if self._book.exists() else 0
                    if size != seen:
                        seen, seen_at = size, time.monotonic()
                    elif time.monotonic() - seen_at > _SILENT_S:
                        break


class System:
    """Everything, for as long as the block lasts.

    disks: give Postgres and the workers' temporary files small disks of their own, which can be filled. Needs root.
    """

    def __init__(self, home: Path, seed: int, *, disks: bool) -> None:
        self.home, self.has_disks = home, disks
        self._seed = seed
        self._stack = ExitStack()
        self.temporary = home / "tmp"
        """Where the workers keep their temporary files."""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _start(self, stack: ExitStack) -> None:
        places = [self.home / "first", self.home / "second", self.temporary]
        for place, size in zip(places, (_DISK_BYTES, _DISK_BYTES, _TMP_BYTES), strict=True):
            place.mkdir(parents=True)
            if self.has_disks:
                mount(place, size)
                stack.callback(unmount, place)
        self.postgres = Pair(places[0], places[1])
        stack.callback(self.postgres.stop)
        self.postgres.start()
        self.redis = Server(self.home / "redis-first").start().wait()
        stack.callback(self.redis.stop)
        self.replica = Server(self.home / "redis-second", {"replicaof": f"127.0.0.1 {self.redis.port}"}).start().wait()
        stack.callback(self.replica.stop)
        self.redis_address = Address(self.redis.port)
        stack.callback(self.redis_address.close)
        environment = {
            "OVERNIGHT_DATABASE_URL": self.postgres.url,
            "OVERNIGHT_REDIS_URL": self.redis_address.url,
            "TMPDIR": str(self.temporary),
        }
        self.overnight = Installed(self.home, _TOML, lanes=LANES[1:], environment=environment, flower=True)
        stack.callback(self.overnight.close)
        self.overnight.start()
        self.shop = Shop(self.home, self.redis_address.url)
        stack.callback(self.shop.stop)
        self.shop.start()
        self._products = Products(
            self.overnight, self._seed, lanes=LANES, queue_of=lambda _: _QUEUE, largest=_LARGEST_RUN, ack=True
        )
        stack.callback(self._products.stop)
        self._products.start()
        self.pager = Pager(f"{read_urls(self.overnight.data_dir)['flower_url']}/metrics")
        stack.callback(self.pager.stop)
        self.pager.start()

    def under_way(self) -> int:
        """Items that are accepted and whose outcome isn't acknowledged yet."""
        return self.overnight.number(
            """
            SELECT (SELECT count(*) FROM item WHERE state NOT IN ('succeeded', 'failed', 'canceled', 'redone'))
                 + (SELECT count(*) FROM every_delivery WHERE state NOT IN ('delivered', 'dead')) AS n
            """
        )

    def switch_redis(self) -> None:
        """The replica is the primary from now on, and its address is said so."""
        self.redis, self.replica = self.replica, self.redis
        self.redis_address.leads_to = self.redis.port

    def restore(self) -> None:
        """Postgres has a standby again, for the next failover."""
        if not self.postgres.is_whole:
            self.postgres.mend()

    def come_to_rest(self) -> Books:
        """Products enqueue no more; when all that they had confirmed is done, the books."""
        confirmed = self._products.finish(150)
        wait_until(lambda: is_at_rest(self.overnight), 300, what=lambda: picture(self.overnight))
        return close_the_books(self.overnight, confirmed, LANES, self.shop.came())


def mount(place: Path, size: int) -> None:
    """A disk of that many bytes. Needs root."""
    options = f"size={size},mode=0755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True, capture_output=True)


def unmount(place: Path) -> None:
    """Take the disk away."""
    subprocess.run(["umount", "-l", str(place)], check=False, capture_output=True)


def may_mount(home: Path) -> bool:
    """Whether this user may have disks."""
    place = home / "may-mount"
    place.mkdir()
    try:
        mount(place, 1_000_000)
    except (OSError, subprocess.CalledProcessError):
        return False
    finally:
        unmount(place)
        place.rmdir()
    return True


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Within the block a file takes all that is left of a disk, and what others free there meanwhile."""
    ballast, over = disk / "ballast", threading.Event()

    def fill(file: BinaryIO) -> None:
        size = 0
        while not over.is_set():
            free = (state := os.statvfs(disk)).f_bavail * state.f_frsize
            with suppress(OSError):  # others write there, too
                os.posix_fallocate(file.fileno(), size, free)
                size += free
            filled.set()
            over.wait(_FILLS_EVERY_S)

    filled = threading.Event()
    with ballast.open("wb") as file:
        filling = threading.Thread(target=fill, args=(file,))
        filling.start()
        filled.wait()
        try:
            yield
        finally:
            over.set()
            filling.join()
            ballast.unlink()
