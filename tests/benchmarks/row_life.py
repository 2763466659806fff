"""What the rows of an item cost, step by step: processor time of Postgres and of the ledger's own Python, by item.

    python -m tests.benchmarks.row_life [--items 20000] [--rounds 3]

The ledger's own functions take items their whole way, in portions as the stages do. It is done again in ledgers whose
table `item` lacks its checks, its triggers or its partial indexes: what each of them costs. The times are those for
which the kernel ran the one session of Postgres and this process, so they say something on a busy machine too.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Annotated, Final
from uuid import uuid4

import orjson
import typer
from rich.console import Console
from rich.table import Table

from overnight_models.ledger import accept as accepting
from overnight_models.ledger.answer import content_hash, key_hash
from overnight_models.ledger.collect import outcomes
from overnight_models.ledger.collect.arrivals import Arrival, Fate, Source
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.database import Database
from overnight_models.ledger.deliver import deliver
from overnight_models.ledger.deliver.due import recorded_and_claimed
from overnight_models.ledger.new_item import NewItem
from overnight_models.ledger.pack import pack
from overnight_models.ledger.rows import execute, fetch_column, fetch_only_value
from overnight_models.ledger.submit import submit
from overnight_models.money.prices import load
from tests.benchmarks import english
from tests.servers import copy_database, running_postgres

_MESSAGES: Final = 4
_OF_A_MESSAGE: Final = 500
_CHUNK: Final = 2_500
_TEXT_BYTES: Final = 600
_CALLBACK: Final = orjson.dumps({"task": "shop.answered", "queue": "shop"})
_NAMES: Final = (
    "INSERT INTO workspace (name, api_workspace_id) VALUES ('default', 'wrkspc_1')",
    "INSERT INTO lane (name) VALUES ('default')",
    "INSERT INTO model (name) VALUES ('claude-haiku-5-5')",
    "INSERT INTO headers (workspace, betas, api_version) VALUES ('default', '', '2026-10-21')",
    "INSERT INTO target (broker, queue) VALUES ('shop', 'shop')",
    "INSERT INTO run (name) VALUES ('bench')",
)
_CHECKS: Final = """
    SELECT format('ALTER TABLE item DROP CONSTRAINT %I', conname)
    FROM pg_constraint WHERE conrelid = 'item'::regclass AND contype = 'c'
"""
_TRIGGERS: Final = "SELECT 'ALTER TABLE item DISABLE TRIGGER USER'"
_PARTIAL_INDEXES: Final = """
    SELECT format('DROP INDEX %s', indexrelid::regclass)
    FROM pg_index WHERE indrelid = 'item'::regclass AND indpred IS NOT NULL
"""
_EMPTY_INDEXES: Final = f"{_PARTIAL_INDEXES} AND indexrelid::regclass::text NOT IN ('item_waiting', 'item_in_batch')"
"""Those in which items without a deadline have no entry; what is never sent in real time, and never held."""
_VARIANTS: Final = {
    "as it is": (),
    "no checks": (_CHECKS,),
    "no triggers": (_TRIGGERS,),
    "no partial indexes": (_PARTIAL_INDEXES,),
    "no empty ones": (_EMPTY_INDEXES,),
    "none of them": (_CHECKS, _TRIGGERS, _PARTIAL_INDEXES),
}
_STEPS: Final = ("accept", "pack", "read for the create", "record", "read for callbacks")

out = Console()


def main(
    items: Annotated[int, typer.Option(help="How many.")] = 20_000,
    rounds: Annotated[int, typer.Option(help="How often each.")] = 3,
) -> None:
    """Measure it and show it."""
    spent: dict[str, list[_Clock]] = {name: [] for name in _VARIANTS}
    # as in a worker
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    with running_postgres() as server:
        for _ in range(rounds):
            for name, changes in _VARIANTS.items():
                database = Database(copy_database(server.url))
                _prepare(database, changes)
                spent[name].append(_live(database, items))
                database.close()
    _show(spent, items)


class _Clock:
    """Processor seconds by step: of a session of Postgres, and of this process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.postgres: dict[str, float] = dict.fromkeys(_STEPS, 0.0)
        self.python: dict[str, float] = dict.fromkeys(_STEPS, 0.0)

    @contextmanager
    def step(self, name: str) -> Iterator[Connection]:
        """A transaction that counts for a step, its commit included."""
        with self._database.transaction() as connection:
            session = Path(f"/proc/{fetch_only_value(connection, int, 'SELECT pg_backend_pid()')}/schedstat")
            before, used = _ran_s(session), time.process_time()
            yield connection
        self.postgres[name] += _ran_s(session) - before
        self.python[name] += time.process_time() - used


def _ran_s(schedstat: Path) -> float:
    """Seconds that the kernel let a process run."""
    return int(schedstat.read_text().split()[0]) / 1e9


def _prepare(database: Database, changes: tuple[str, ...]) -> None:
    with database.transaction() as connection:
        for statement in _NAMES:
            execute(connection, statement)
        for change in changes:
            for statement in fetch_column(connection, str, change):
                execute(connection, statement)


def _live(database: Database, items: int) -> _Clock:
    """All of them, from their messages to what their callbacks are told."""
    clock = _Clock(database)
    for first in range(0, items, _MESSAGES * _OF_A_MESSAGE):
        new = [_new_item(number) for number in range(first, first + _MESSAGES * _OF_A_MESSAGE)]
        with clock.step("accept") as connection:
            accepting.insert_items(connection, (1, "default"), 1, new)
    with clock.step("pack") as connection:
        # without triggers there is no tally that would say it
        waiting = pack.Waiting("default", 1, 1, items, items * _TEXT_BYTES, 0)
        packed = pack.pack(connection, waiting, load(None), max_items=items, max_bytes=250_000_000)
        assert packed.items == items
    with clock.step("read for the create") as connection:
        claim = submit.claim(connection, token="t", owner=1, lease_s=60, queue_limits={"default": 10_000_000})
        assert claim is not None
        ids = [request.item_id for request in submit.requests(connection, claim)]
    source = Source(claim.submission_id, claim.batch_id, "msgbatch_1", only_live=True)
    for first in range(0, items, _CHUNK):
        arrivals = [_arrival(item_id) for item_id in ids[first : first + _CHUNK]]
        with clock.step("record") as connection:
            clear = deliver.targets_in_the_clear(connection)
            recorded = outcomes.record(connection, source, arrivals, max_attempts=3, claim=clear, lease_s=60)
            assert recorded.succeeded == len(arrivals)
        with clock.step("read for callbacks") as connection:
            recorded_and_claimed(connection, source, arrivals, recorded)
    return clock


def _new_item(number: int) -> NewItem:
    text = english.text(number, _TEXT_BYTES)
    params = orjson.dumps(
        {"model": "claude-haiku-5-5", "max_tokens": 1000, "messages": [{"role": "user", "content": text}]}
    )
    key = f"item-{number}"
    return NewItem(
        position=number,
        receipt=str(uuid4()),
        key=key,
        key_hash=key_hash(key),
        content_hash=content_hash(params, None, None, None),
        headers_id=1,
        tenant_id=None,
        model_id=1,
        schema_id=None,
        shape_id=None,
        target_id=1,
        prefix=None,
        params=params,
        size=len(params),
        max_tokens=1000,
        tenant=None,
        trace_id=None,
        callback=_CALLBACK,
    )


def _arrival(item_id: int) -> Arrival:
    usage = b'{"input_tokens":300,"output_tokens":120}'
    text = orjson.dumps(english.text(item_id, _TEXT_BYTES // 2))
    message = b'{"type":"message","model":"claude-haiku-5-5","content":[{"type":"text","text":%b}],"usage":%b}' % (
        text,
        usage,
    )
    return Arrival(
        item_id,
        Fate.SUCCEED,
        message=message,
        usage=usage,
        model="claude-haiku-5-5",
        billed=True,
        input_tokens=300,
        output_tokens=120,
        cost_nano=450_000,
        realtime_nano=900_000,
    )


def _show(spent: dict[str, list[_Clock]], items: int) -> None:
    table = Table("processor us an item, median", *_STEPS, "together")
    as_it_is = spent["as it is"]
    table.add_row("Python", *_medians(as_it_is, lambda clock: clock.python, items))
    for name, clocks in spent.items():
        table.add_row(f"Postgres, {name}", *_medians(clocks, lambda clock: clock.postgres, items))
    out.print(table)


def _medians(clocks: list[_Clock], side: Callable[[_Clock], dict[str, float]], items: int) -> list[str]:
    by_item = [median(side(clock)[step] for clock in clocks) / items * 1e6 for step in _STEPS]
    return [f"{value:.1f}" for value in (*by_item, sum(by_item))]


if __name__ == "__main__":
    typer.run(main)
