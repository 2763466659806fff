"""The product: an ordinary Celery app with a queue of its own, which writes what comes back to a CSV file.

celery -A overnight_workers.demo.product worker -Q airports.save
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from celery import Celery

from overnight_producers import Item, Outcome, callback
from overnight_workers.demo.catalog import Airport, Enriched, params

COLUMNS: Final = ("iata", "name", "country", "category", "description", "problem", "cost_usd", "delivery_id")

app = Celery("airports", broker=os.environ.get("OVERNIGHT_REDIS_URL", "redis://127.0.0.1:6379/0"), set_as_current=False)
app.conf.update(
    task_routes={"airports.save": {"queue": "airports.save"}},
    task_ignore_result=True,
    task_acks_late=True,
    broker_connection_retry_on_startup=True,
    # it shares Overnight's Redis, and not its bookkeeping
    broker_transport_options={
        "unacked_key": "airports:unacked",
        "unacked_index_key": "airports:unacked_index",
        "unacked_mutex_key": "airports:unacked_mutex",
    },
    worker_prefetch_multiplier=64,
)


@app.task(name="airports.save")
@callback
def save(outcome: Outcome, *, iata: str, name: str, country: str) -> str:
    """Append one airport's row. The same delivery may come twice: its row is written once."""
    if outcome.delivery_id in _written():
        return "known"
    answer = outcome.parse(Enriched) if outcome.ok else None
    row = (
        iata,
        name,
        country,
        answer.category if answer else "",
        answer.description if answer else "",
        outcome.problem or "",
        "unknown" if outcome.cost_usd is None else f"{outcome.cost_usd:f}",
        outcome.delivery_id,
    )
    with csv_file().open("a", newline="") as file:
        csv.writer(file).writerow(row)
    _written().add(outcome.delivery_id or "")
    return iata


def items(catalog: list[Airport]) -> Iterator[Item]:
    """The catalog as items: keyed by airport, each with its own callback."""
    for airport in catalog:
        yield Item(
            key=f"airport:{airport['iata']}",
            params=params(airport),
            output=Enriched,
            callback=save.s(iata=airport["iata"], name=airport["name"], country=airport["country"]),
        )


def csv_file() -> Path:
    """Where the rows go."""
    return Path(os.environ.get("AIRPORTS_CSV", "airports.csv"))


def rows() -> list[dict[str, str]]:
    """The rows so far."""
    try:
        with csv_file().open(newline="") as file:
            return list(csv.DictReader(file, fieldnames=COLUMNS))
    except FileNotFoundError:
        return []


@cache
def _written() -> set[str]:
    """Deliveries that have their row: read once, kept by the one process that writes."""
    return {row["delivery_id"] for row in rows()}
