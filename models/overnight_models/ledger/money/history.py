"""History: what earlier items of a lane came to, and how long batches took; what estimates are learned from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from overnight_models import exact_json
from overnight_models.ledger import prefixes
from overnight_models.ledger.answer import content_hash, key_hash
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.prefixes import asked_request
from overnight_models.ledger.rows import fetch_all
from overnight_models.wire.message import ItemLine


@dataclass(frozen=True)
class Answers:
    """Billed answers by one model to requests of one kind that came together."""

    group_id: int
    """The batch that they came with; of a catalog's answers the run."""
    model: str
    """As the answers named it: a dated id, for some."""
    answers: int
    input_tokens: int
    """Uncached ones only, as the API counts."""
    output_tokens: int
    output_squares: float
    """Sum of the squares of the answers' output tokens."""
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    cache_read_tokens: int
    cost_nano: int
    schema: bytes | None = None
    """The hash of the schema that they had to fit; None where there was none."""
    scale: int = 0
    """Binary digits of the most that each of them could have."""
    of_catalog: bool = False
    """A catalog's rows: their prompt is that of a recipe, and says more about their length than their lane does."""
    items: int | None = None
    """Items that they were of, where some were asked more than once; None: as many as answers."""


@dataclass(frozen=True)
class Turnaround:
    """How long one batch took at Anthropic."""

    items: int
    took_s: float
    """A second at least."""
    created_at: datetime


@dataclass(frozen=True)
class Billed:
    """What one item was billed."""

    tokens_in: int
    """Cached ones included."""
    tokens_out: int
    cost_nano: int


SUMS: Final = """
    count(*) AS answers, sum(bill.input_tokens)::bigint AS input_tokens,
    sum(bill.output_tokens)::bigint AS output_tokens,
    sum(bill.output_tokens::float * bill.output_tokens) AS output_squares,
    sum(bill.cache_write_5m_tokens)::bigint AS cache_write_5m_tokens,
    sum(bill.cache_write_1h_tokens)::bigint AS cache_write_1h_tokens,
    sum(bill.cache_read_tokens)::bigint AS cache_read_tokens, coalesce(sum(bill.cost_nano), 0)::bigint AS cost_nano
"""
"""What `Answers` has of many outcomes, which are called `bill`."""

_SCALE: Final = "char_length(ltrim(item.max_tokens::bit(32)::text, '0'))"
"""Python's `int.bit_length`."""


def answers(connection: Connection, lane: str, *, max_items: int = 50_000) -> list[Answers]:
    """The answers of a lane's latest batches, up to about so many items, added up by what they came with.

    A batch may hold requests of several kinds: runs, prefixes, schemas and `max_tokens` of other scales are told apart.
    """
    return fetch_all(
        connection,
        Answers,
        f"""
        SELECT batch_id AS group_id, model, answers, input_tokens, output_tokens, output_squares,
               cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens, cost_nano,
               output_schema.hash AS schema, scale,
               coalesce(run.name LIKE '%-tried' OR run.name LIKE '%-compared' OR run.name IN (
                   SELECT catalog.name || '-' || number FROM catalog_run JOIN catalog ON catalog.id = catalog_id
               ), false) AS of_catalog
        FROM (
            SELECT item.batch_id, item.run_id, item.schema_id, {_SCALE} AS scale, bill.model, {SUMS}
            FROM (
                SELECT id, sum(items) OVER (ORDER BY id DESC) - items AS newer FROM batch
                WHERE lane_id = (SELECT id FROM lane WHERE name = :lane) AND state = 'collected'
            ) latest
            -- not the view: of that the planner would read all, and then look which are wanted
            JOIN item ON item.batch_id = latest.id JOIN whole_outcome AS bill ON bill.item_id = item.id AND bill.billed
            WHERE latest.newer < :max_items
            GROUP BY item.batch_id, item.run_id, item.prefix_id, item.schema_id, {_SCALE}, bill.model
        ) each
        LEFT JOIN output_schema ON output_schema.id = schema_id LEFT JOIN run ON run.id = run_id
        ORDER BY batch_id, run_id, schema_id, scale, model
        """,
        lane=lane,
        max_items=max_items,
    )


class _BilledKey(NamedTuple):
    """What the item of one key was billed."""

    key: str
    tokens_in: int
    tokens_out: int
    cost_nano: int


def answers_of(connection: Connection, lane: str, keys: Sequence[str]) -> dict[str, Billed]:
    """What each of these keys' items was billed; those without a billed answer are left out."""
    rows = fetch_all(
        connection,
        _BilledKey,
        """
        SELECT request.key, sum(output_tokens)::bigint AS tokens_out,
               coalesce(sum(cost_nano), 0)::bigint AS cost_nano,
               sum(input_tokens + cache_write_5m_tokens + cache_write_1h_tokens
                   + cache_read_tokens)::bigint AS tokens_in
        FROM item_key JOIN lane ON lane.id = item_key.lane_id JOIN bill ON bill.item_id = item_key.item_id
        JOIN request ON request.item_id = item_key.item_id
        WHERE lane.name = :lane AND key_hash = ANY(:hashes) GROUP BY request.key
        """,
        lane=lane,
        hashes=[key_hash(key) for key in keys],
    )
    return {row.key: Billed(row.tokens_in, row.tokens_out, row.cost_nano) for row in rows}


class _KnownKey(NamedTuple):
    """A key that is in a lane."""

    key_hash: bytes
    item_id: int
    content_hash: bytes


class _Asked(NamedTuple):
    """What an item asks."""

    item_id: int
    prefix_id: int | None
    document: str | None
    """Its prefix's."""
    model_why: str | None


def known(connection: Connection, lane: str, items: Iterable[ItemLine]) -> dict[str, bool]:
    """Which of these items' keys are in the lane, and whether with the same content: then it is the same item."""
    by_hash = {key_hash(item["key"]): item for item in items}
    rows = fetch_all(
        connection,
        _KnownKey,
        """
        SELECT key_hash, item_id, content_hash FROM item_key JOIN lane ON lane.id = item_key.lane_id
        WHERE lane.name = :lane AND key_hash = ANY(:hashes)
        """,
        lane=lane,
        hashes=list(by_hash),
    )
    there = {row.item_id: (by_hash[bytes(row.key_hash)], bytes(row.content_hash)) for row in rows}
    differing = {item_id: item for item_id, (item, content) in there.items() if _content_hash(item) != content}
    same = {item["key"]: True for item, _ in there.values()}
    return same | {differing[item_id]["key"]: False for item_id in differing.keys() - _reordered(connection, differing)}


def _content_hash(item: ItemLine) -> bytes:
    return content_hash(exact_json.dumps(item.get("params")), item.get("betas"), item.get("output"))


def _reordered(connection: Connection, items: Mapping[int, ItemLine]) -> set[int]:
    """Those whose fields only stand in another order: to accept they are the same item."""
    plain = [item_id for item_id, item in items.items() if not item.get("betas") and not item.get("output")]
    if not plain:
        return set()
    rows = fetch_all(
        connection,
        _Asked,
        """
        SELECT item_id, prefix_id, document, model_why FROM request JOIN item ON item.id = item_id
        LEFT JOIN prefix ON prefix.id = prefix_id WHERE item_id = ANY(:ids)
        """,
        ids=plain,
    )
    texts = prefixes.read_asked(connection, plain).texts
    return {
        row.item_id
        for row in rows
        if row.item_id in texts
        and asked_request(_document(connection, row), texts[row.item_id].decode(), row.model_why)
        == items[row.item_id].get("params")
    }


def _document(connection: Connection, row: _Asked) -> str | None:
    if row.prefix_id is None or row.document is None:
        return None
    return prefixes.whole(connection, row.prefix_id, row.document)


class LengthsOf(NamedTuple):
    """What the latest answers of one model had, added up."""

    model_id: int
    answers: int
    bytes: int
    input_tokens: int
    """Without those read from a cache."""
    output_tokens: int
    max_tokens: int


def lengths(connection: Connection, *, latest: int = 5_000) -> list[LengthsOf]:
    """What the latest billed answers had, by model: from this is learned how long prompts and answers are."""
    return fetch_all(
        connection,
        LengthsOf,
        """
        SELECT item.model_id, count(*) AS answers, sum(item.size)::bigint AS bytes,
               sum(told.input_tokens + told.cache_write_5m_tokens + told.cache_write_1h_tokens)::bigint AS input_tokens,
               sum(told.output_tokens)::bigint AS output_tokens, sum(item.max_tokens)::bigint AS max_tokens
        FROM (
            SELECT item_id, input_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens
            FROM whole_outcome WHERE billed ORDER BY item_id DESC LIMIT :latest
        ) told
        JOIN item ON item.id = told.item_id GROUP BY item.model_id
        """,
        latest=latest,
    )


class PromptRate(NamedTuple):
    """How many tokens the latest prompts of a lane had to one model for each byte of their requests."""

    lane: str
    model: str
    answers: int
    per_byte: float
    deviation: float
    """Standard deviation of single prompts."""


def prompt_rates(connection: Connection, *, latest: int = 5_000) -> list[PromptRate]:
    """What the prompts of the latest billed answers had, those read from a cache included; by lane and model."""
    return fetch_all(
        connection,
        PromptRate,
        """
        SELECT lane.name AS lane, model.name AS model, count(*) AS answers,
               (sum(tokens)::float / sum(size))::float AS per_byte,
               coalesce(stddev_samp(tokens::float / size), 0)::float AS deviation
        FROM (
            SELECT item.lane_id, item.model_id, greatest(item.size, 1) AS size,
                   told.input_tokens + told.cache_write_5m_tokens + told.cache_write_1h_tokens
                   + told.cache_read_tokens AS tokens
            FROM (
                SELECT item_id, input_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens
                FROM whole_outcome WHERE billed ORDER BY item_id DESC LIMIT :latest
            ) told
            JOIN item ON item.id = told.item_id
        ) prompt
        JOIN lane ON lane.id = lane_id JOIN model ON model.id = model_id
        WHERE tokens > 0 GROUP BY lane.name, model.name
        """,
        latest=latest,
    )


def turnarounds(connection: Connection, *, limit: int = 1_000) -> list[Turnaround]:
    """How long the latest batches took, of all lanes; those that were canceled are left out."""
    return fetch_all(
        connection,
        Turnaround,
        """
        SELECT coalesce(submission.items, batch.items) AS items, submission.api_created_at AS created_at,
               greatest(extract(epoch FROM submission.ended_at - submission.api_created_at)::float, 1) AS took_s
        FROM submission JOIN batch ON batch.id = submission.batch_id
        WHERE submission.ended_at >= submission.api_created_at AND submission.cancel_asked_at IS NULL
        ORDER BY submission.id DESC LIMIT :limit
        """,
        limit=limit,
    )
