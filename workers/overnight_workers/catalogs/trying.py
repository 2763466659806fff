"""Try: some rows of a catalog are asked before all of them, to be looked at by a person.

They are ordinary items under the keys that a run uses, so that a run has their answers for nothing if nothing changes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from overnight_models import routes
from overnight_models.embedded_urls import read_urls
from overnight_models.ledger import answer, documents
from overnight_models.ledger.documents import ItemRow
from overnight_models.ledger.money import history
from overnight_models.ledger.operators import item_views
from overnight_models.quantities import several, spoken
from overnight_models.states import ITEM
from overnight_models.wire.outcome import Outcome
from overnight_models.wire.policy import Policy
from overnight_producers import Confirmation, Item, Overnight
from overnight_workers import process
from overnight_workers.catalogs import validating
from overnight_workers.catalogs.cells import quoted
from overnight_workers.catalogs.declaration import Catalog
from overnight_workers.catalogs.faults import BadRow, BadSource
from overnight_workers.catalogs.opened import Opened
from overnight_workers.catalogs.rows import Row, item_key
from overnight_workers.catalogs.sinks.answered import cost_of
from overnight_workers.roads.turnaround import SURE, Turnarounds
from overnight_workers.settings import settings

_CONFIRM_S: Final = 60.0
_ANTHROPIC: Final = "https://api.anthropic.com"
_SOON_S: Final = 30.0
"""A deadline that no batch meets."""


@dataclass(frozen=True)
class Chosen:
    """Rows that are tried, and those that can't be sent."""

    items: list[Item]
    names: Mapping[str, str]
    """What each item's row is called: the cells of its key."""
    bad: list[tuple[str, str]]
    """Rows by name, and why they can't become a request."""
    rows: int
    """Of the source, times the variants."""


@dataclass(frozen=True)
class Tried:
    """One row and what came back. Money in dollars."""

    name: str
    prompt: str
    answer: str
    problem: str | None
    detail: str | None
    tokens_in: int
    tokens_out: int
    cost_usd: Decimal | None
    via: str


def run_name(catalog: Catalog) -> str:
    """The run that tried rows belong to; a run of the catalog has a number in this place."""
    return f"{catalog.name}-tried"


def compared_run_name(catalog: Catalog) -> str:
    """The run that compared rows belong to."""
    return f"{catalog.name}-compared"


def choose(catalog: Catalog, source: Opened, rows: int) -> Chosen:
    """So many rows, from the shortest to the longest tenth, the same ones each time. Raises BadSource for bad keys."""
    total = choose_rows(source, rows)
    return requested(catalog, source, total)


def choose_rows(source: Opened, rows: int) -> int:
    """Make the table `tried` of so many rows, by their hash `n`. Returns how many rows there are in all.

    Raises BadSource for bad keys.
    """
    rules, connection = source.rows, source.connection
    lengths = " + ".join(f"length(coalesce({quoted(name)}, ''))" for name in rules.recipe.columns) or "0"
    connection.execute(f"CREATE OR REPLACE TABLE sized AS SELECT {rules.hash} AS n, {lengths} AS size {rules.source}")
    ((total, keys),) = connection.execute("SELECT count(*), count(DISTINCT n) FROM sized").fetchall()
    if keys < total:
        raise BadSource([*source.key_faults(), "nothing was sent: each row needs a key of its own"])
    # of as many groups of like length as rows are wanted, the one whose hash is least: a draw, and always the same;
    # of the last group only the longest tenth of all rows, which few rows would miss
    longest = total - max(total // 10, 1)
    connection.execute(f"""
        CREATE OR REPLACE TABLE tried AS SELECT min(n) AS n, min_by(size, n) AS size
        FROM (
            SELECT n, size, ntile({rows}) OVER (ORDER BY size, n) AS tile, row_number() OVER (ORDER BY size, n) AS place
            FROM sized
        ) WHERE tile < {min(rows, total)} OR place > {longest} GROUP BY tile
    """)
    return int(total)


def requested(catalog: Catalog, source: Opened, total: int) -> Chosen:
    """The table `tried` as items, in order of their lengths. total: rows that there are in all."""
    items: list[tuple[int, Item]] = []
    names: dict[str, str] = {}
    bad = []
    for row in source.rows.read(source.connection, "SELECT n, size FROM tried"):
        try:
            item = _item(catalog, source, row)
        except BadRow as error:
            bad.append((name_of(row), str(error)))
            continue
        items.append((row.beside, item))
        names[item.key or ""] = name_of(row)
    items.sort(key=lambda pair: (pair[0], pair[1].key or ""))
    return Chosen([item for _, item in items], names, sorted(bad), total)


def _item(catalog: Catalog, source: Opened, row: Row) -> Item:
    request = source.rows.recipe.request(row.cells, row.variant)
    return Item(
        params=request.params,
        key=item_key(catalog.name, row, request),
        output=request.output,
        betas=request.betas,
        cuttable=request.cuttable,
        trace_id=row.key_text,
        if_known="deliver",
    )


def name_of(row: Row) -> str:
    """What a row is called: the cells of its key."""
    return ", ".join(row.key) + (f" ({row.variant})" if row.variant else "")


def in_real_time(catalog: Catalog, *, batch: bool) -> bool:
    """Whether rows that are tried go in real time: where their lane may, since a person waits for them.

    batch: in a batch all the same, where the lane has both roads.
    """
    road = settings().lane(catalog.lane).road
    return road == "direct" or (road == "by_deadline" and not batch)


def urgent(items: Sequence[Item]) -> list[Item]:
    """The same, wanted sooner than any batch ends."""
    soon = datetime.now(UTC) + timedelta(seconds=_SOON_S)
    return [replace(item, deadline=soon) for item in items]


def batch_words(catalog: Catalog, items: int) -> str:
    """How long a batch of so many rows may take, for a person who waits: packed as its lane does, then as others."""
    lane = settings().lane(catalog.lane)
    with process.database().transaction() as connection:
        past = history.turnarounds(connection)
    times = Turnarounds(past, items)
    packed_s = 0.0 if items >= lane.max_items else _max_wait_s(catalog.lane)
    sent = f"is sent within {spoken(packed_s)} and " if packed_s >= 1.0 else ""
    if times.is_learned:
        half, sure = (times.sure_s(items, confidence) for confidence in (0.5, SURE))
        surely = "" if math.isinf(sure) else f", {spoken(sure)} in 95 of 100 cases"
        likely = "longer than any before it" if math.isinf(half) else f"{spoken(half)} as likely as not"
        return f"in a batch, which {sent}may take {likely}{surely} ({times.basis})"
    if past:
        took = sorted(batch.took_s for batch in past)
        between = spoken(took[0]) if took[0] == took[-1] else f"{spoken(took[0])} to {spoken(took[-1])}"
        so_far = several(len(past), "batch", "batches")
        return f"in a batch, which {sent}may take as long as the {so_far} so far: {between}"
    if not _is_anthropics(settings().workspaces[lane.workspace].base_url):
        return (
            f"in a batch, which {sent}takes nobody knows how long: none has ended yet at the API of this installation"
        )
    half, sure = (times.sure_s(items, confidence) for confidence in (0.5, SURE))
    return (
        f"in a batch, which {sent}may take {spoken(half)} as likely as not, {spoken(sure)} in 95 of 100 cases"
        f" ({times.basis})"
    )


def _max_wait_s(lane: str) -> float:
    """For how long its workers let an item wait: they may have other settings than this command."""
    import redis

    try:
        published = process.redis_client().get(routes.POLICY_KEY)
        rules = Policy.load(published).lanes.get(lane) if isinstance(published, bytes) else None
    except (redis.RedisError, ValueError, KeyError):
        rules = None
    wait_s = None if rules is None else rules.max_wait_s
    return settings().lane(lane).max_wait if wait_s is None else wait_s


def _is_anthropics(base_url: str | None) -> bool:
    """Whether public reports about batches are about the API at this address."""
    sandbox = read_urls(settings().data_dir).get("sandbox_url")
    return (
        urlsplit(base_url or os.environ.get("ANTHROPIC_BASE_URL") or sandbox or _ANTHROPIC).hostname
        == urlsplit(_ANTHROPIC).hostname
    )


def send(catalog: Catalog, items: Sequence[Item], run: str) -> Confirmation:
    """Hand them over and see them into Postgres. Those that are known cost nothing."""
    return Overnight(settings().redis_url or None).enqueue_confirmed(
        iter(items), lane=catalog.lane, run=run, timeout=_CONFIRM_S
    )


def unfinished(catalog: Catalog, items: Sequence[Item]) -> int:
    """How many of them have no outcome yet."""
    keys = [item.key or "" for item in items]
    with process.database().transaction() as connection:
        states = answer.states(connection, catalog.lane, keys)
    return len(keys) - sum(n for state, n in states.items() if state in ITEM.final)


def outcomes(catalog: Catalog, items: Sequence[Item]) -> dict[str, Outcome]:
    """What came back, by key. An answer that the declared class doesn't take is invalid from now on."""
    rows: list[ItemRow] = []
    with process.database().transaction() as connection:
        for item in items:
            rows += item_views.items(connection, item_views.Wanted(lane=catalog.lane, key=item.key, final=True))
    if (class_ := validating.class_of(catalog)) is not None:
        validating.note_faults(class_, rows)
    return {row.key: Outcome.read(orjson.loads(orjson.dumps(documents.document(row)))) for row in rows}


def tried(catalog: Catalog, chosen: Chosen) -> list[Tried]:
    """What came back, in the order in which they were chosen."""
    came_back = outcomes(catalog, chosen.items)
    return [
        _tried(chosen.names[item.key or ""], item.params, came_back[item.key or ""])
        for item in chosen.items
        if item.key in came_back
    ]


def _tried(name: str, params: Mapping[str, object], outcome: Outcome) -> Tried:
    return Tried(
        name,
        asked(params),
        outcome.text or "; ".join(f"calls {call['name']}" for call in outcome.tool_calls),
        outcome.problem,
        outcome.detail,
        tokens_in(outcome),
        tokens_out(outcome),
        cost_of(outcome),
        outcome.via,
    )


def tokens_in(outcome: Outcome) -> int:
    """All tokens that went in, read from a cache or not."""
    counters = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    return sum(int((outcome.usage or {}).get(counter) or 0) for counter in counters)


def tokens_out(outcome: Outcome) -> int:
    """All tokens that came out, thoughts included."""
    return int((outcome.usage or {}).get("output_tokens") or 0)


def asked(params: Mapping[str, Any]) -> str:
    """The texts of a request's messages, and what else is in them, for a person to read."""
    parts: list[str] = []
    for message in params.get("messages", ()):
        content = message.get("content")
        blocks: Sequence[Mapping[str, object]] = (
            [{"type": "text", "text": content}] if isinstance(content, str) else content or ()
        )
        parts += [str(block["text"]) if block.get("type") == "text" else f"[{block.get('type')}]" for block in blocks]
    return "\n".join(parts)
