"""What the machine itself needs for the same bytes: the floor under the pipeline's time, whatever the code above it.

    python -m tests.benchmarks.floor --items 100000 [--json FILE]

Three things can't be left out by what keeps every item in Postgres and hands every outcome to a Redis: the rows
by COPY, the JSON decoded once on its way in and once on its way out, the messages pushed. Each is done here alone, in
the largest portions, with one index a table and nothing looked up, updated or checked.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final
from uuid import uuid4

import orjson
import psycopg
import redis
import typer
from rich.console import Console
from rich.table import Table

from tests.benchmarks import work
from tests.benchmarks.service import Service, running

_CONFIG: Final = "[lanes.default]\n"
_AT_ONCE: Final = 2500
_MESSAGE_BYTES: Final = 2300

out = Console()


def main(
    items: Annotated[int, typer.Option(help="How many.")] = 100_000,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures there.")] = None,
) -> None:
    """Measure each, in seconds of processor: this process and the server's."""
    with running(_CONFIG) as service:
        requests = [orjson.dumps(work.params(number)) for number in range(_AT_ONCE)]
        results = [orjson.dumps({"custom_id": f"t_{n}", "result": _result()}) for n in range(_AT_ONCE)]
        rounds = items // _AT_ONCE
        measured = {
            "COPY of requests": _spent(service, "postgres", lambda: _copied(service, requests, rounds)),
            "COPY of answers": _spent(service, "postgres", lambda: _copied(service, results, rounds)),
            "JSON of requests": _spent(service, None, lambda: _decoded(requests, rounds)),
            "JSON of answers": _spent(service, None, lambda: _decoded(results, rounds)),
            "LPUSH of messages": _spent(service, "redis", lambda: _pushed(service, rounds)),
        }
    table = Table("", "seconds of processor", "items/s of one core")
    for name, seconds in (measured | {"together": sum(measured.values())}).items():
        table.add_row(name, f"{seconds:.2f}", f"{items / seconds:,.0f}")
    out.print(table)
    if json_file is not None:
        json_file.write_text(json.dumps({"items": items, "cpu_seconds": measured}, indent=2))


def _spent(service: Service, server: str | None, work_done: Callable[[], None]) -> float:
    before = service.cpu_seconds()[server] if server else 0.0
    began = time.process_time()
    work_done()
    own = time.process_time() - began
    return own + (service.cpu_seconds()[server] - before if server else 0.0)


def _result() -> dict[str, object]:
    usage = {"input_tokens": 300, "output_tokens": 30, "cache_read_input_tokens": 0, "service_tier": "batch"}
    content = [{"type": "text", "text": "word " * 20}]
    message = {"id": f"msg_{uuid4().hex}", "type": "message", "role": "assistant", "model": "claude-haiku-5-5"}
    return {"type": "succeeded", "message": message | {"content": content, "stop_reason": "end_turn", "usage": usage}}


def _copied(service: Service, documents: list[bytes], rounds: int) -> None:
    table = f"floor_{uuid4().hex}"
    with psycopg.connect(service.database_url) as connection:
        connection.execute(f"CREATE TABLE {table} (id bigint PRIMARY KEY, document text)")
        for number in range(rounds):
            first = number * len(documents)
            rows = b"".join(b"%d\t%b\n" % (first + n, document) for n, document in enumerate(documents))
            with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
                copy.write(rows)
            connection.commit()
        connection.execute(f"DROP TABLE {table}")


def _decoded(documents: list[bytes], rounds: int) -> None:
    for _ in range(rounds):
        for document in documents:
            orjson.loads(document)


def _pushed(service: Service, rounds: int) -> None:
    with redis.Redis.from_url(service.redis_url) as client:
        for _ in range(rounds):
            client.lpush("floor", *(b"x" * _MESSAGE_BYTES for _ in range(_AT_ONCE)))


if __name__ == "__main__":
    typer.run(main)
