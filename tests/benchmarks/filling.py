"""A ledger as the service would have left it after millions of items: filled by Postgres itself, and vacuumed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, LiteralString

import psycopg
from psycopg import sql

from overnight_models.ledger.answer import key_hash
from overnight_models.ledger.database import Database
from overnight_models.ledger.partitions import make_partitions

LANES: Final = 20
TARGETS: Final = 10
TENANTS: Final = 50
"""All of them in lane 1; the other lanes' items have none."""
PER_BATCH: Final = 5_000
IN_FLIGHT: Final = 2_500
"""Items of one lane that are in a batch now: of four batches one is packed, two are open and one has ended."""
KEY: Final = "item 1"
"""Of the first item, in lane 2."""
RUN: Final = "run 0"
"""Of the first 99,999 items, which are finished in every ledger."""
RARE: Final = "expired"
"""The problem of three items, the oldest that failed."""
DUE: Final = 20_000
"""Deliveries that are due; of the others only the dead ones have a row."""
DEAD: Final = 1_000
"""Deliveries that are dead, the oldest."""


@dataclass(frozen=True)
class Filled:
    """What is in it."""

    waiting: int
    finished: int

    @property
    def in_flight(self) -> int:
        """Items in batches that aren't collected."""
        return LANES * IN_FLIGHT

    @property
    def finished_batches(self) -> int:
        """Batches that are collected; those in flight come after them."""
        return self.finished // PER_BATCH

    @property
    def items(self) -> int:
        """All."""
        return self.finished + self.in_flight + self.waiting


def fill(database: Database, filled: Filled) -> None:
    """Fill an empty ledger."""
    assert filled.finished % PER_BATCH == 0
    with psycopg.connect(_url(database), autocommit=True) as connection:
        connection.execute("SELECT setval('item_id', %s)", [filled.items])
        with database.transaction() as making:
            make_partitions(making)
        connection.execute("SET session_replication_role = replica")  # no triggers: the tally is written below
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET maintenance_work_mem = '1GB'")
        for statement in _STATEMENTS.split(";\n"):
            connection.execute(_with_numbers(statement, filled))
        # the only key that is asked for
        connection.execute("UPDATE item_key SET key_hash = %s WHERE item_id = 1", [key_hash(KEY)])
        connection.execute("VACUUM ANALYZE")


def _url(database: Database) -> str:
    return database.url.set(drivername="postgresql").render_as_string(hide_password=False)


def _with_numbers(statement: LiteralString, filled: Filled) -> sql.Composed:
    values: dict[str, int | str] = {
        "lanes": LANES,
        "targets": TARGETS,
        "tenants": TENANTS,
        "per_batch": PER_BATCH,
        "in_flight": IN_FLIGHT,
        "due": DUE,
        "dead": DEAD,
        "rare": RARE,
        "finished": filled.finished,
        "batches": filled.finished_batches,
        "under_way": filled.finished + filled.in_flight,
        "items": filled.items,
    }
    return sql.SQL(statement).format(**{name: sql.Literal(value) for name, value in values.items()})


# in the order of time: what is finished, what is in flight, what waits
_STATEMENTS: Final[LiteralString] = """
INSERT INTO workspace (name, api_workspace_id) VALUES ('default', 'wrkspc_1');
INSERT INTO lane (name) SELECT 'lane ' || n FROM generate_series(1, {lanes}) n;
INSERT INTO headers (workspace, betas, api_version) VALUES ('default', '', '2026-10-21');
INSERT INTO model (name) VALUES ('claude-haiku-5-5');
INSERT INTO tenant (name) SELECT 'tenant ' || n FROM generate_series(1, {tenants}) n;
INSERT INTO target (broker, queue) SELECT 'shop', 'queue ' || n FROM generate_series(1, {targets}) n;
INSERT INTO run (name) SELECT 'run ' || n FROM generate_series(0, {items} / 100000) n;
INSERT INTO inbox (message_id, tries, received_at, done_at, verdict)
SELECT gen_random_uuid(), 1, now() - interval '5 days' * (1 - n * 500.0 / {items}), now(),
       '{{"accepted":500,"known":0,"rejected":[]}}'
FROM generate_series(1, {items} / 500) n;
INSERT INTO batch (lane_id, headers_id, state, items, size, packed_at, changed_at)
SELECT n % {lanes} + 1, 1, 'collected', {per_batch}, {per_batch} * 1000, at, at
FROM generate_series(1, {batches}) n,
     LATERAL (SELECT now() - interval '20 days' * (1 - n * 1.0 / {batches}) AS at) packed
ORDER BY n;
INSERT INTO batch (lane_id, headers_id, state, items, size)
SELECT n, 1, CASE n % 4 WHEN 0 THEN 'packed' WHEN 1 THEN 'ended' ELSE 'open' END, {in_flight}, {in_flight} * 1000
FROM generate_series(1, {lanes}) n ORDER BY n;
INSERT INTO submission (batch_id, token, state, items, claimed_at, let_go_at, api_workspace_id, api_id, api_created_at,
                        api_expires_at, ended_at, counts)
SELECT id, 'token ' || id, CASE state WHEN 'collected' THEN 'done' ELSE 'open' END, items, packed_at, packed_at,
       'wrkspc_1', 'msgbatch_' || id, packed_at, packed_at + interval '1 day',
       CASE WHEN state <> 'open' THEN packed_at + interval '1 hour' END, '{{}}'
FROM batch WHERE state <> 'packed' ORDER BY id;
INSERT INTO item (id, lane_id, headers_id, run_id, model_id, target_id, batch_id, size, callback_size, max_tokens,
                  state, attempts)
SELECT n, ((n - 1) / {per_batch} + 1) % {lanes} + 1, 1, n / 100000 + 1, 1, n % {targets} + 1, (n - 1) / {per_batch} + 1,
       1000, 60, 1000, CASE WHEN n % 100 = 0 THEN 'failed' ELSE 'succeeded' END, 1
FROM generate_series(1, {finished}) n;
INSERT INTO item (id, lane_id, headers_id, run_id, model_id, target_id, batch_id, size, callback_size, max_tokens,
                  state)
SELECT n, (n - {finished} - 1) / {in_flight} + 1, 1, n / 100000 + 1, 1, n % {targets} + 1,
       {batches} + (n - {finished} - 1) / {in_flight} + 1, 1000, 60, 1000, 'batched'
FROM generate_series({finished} + 1, {under_way}) n;
INSERT INTO item (id, lane_id, headers_id, run_id, tenant_id, model_id, target_id, waiting_since, size, callback_size,
                  max_tokens, state)
SELECT n, n % {lanes} + 1, 1, n / 100000 + 1, CASE WHEN n % {lanes} = 0 THEN (n / {lanes}) % {tenants} + 1 END, 1,
       n % {targets} + 1, now() - interval '1 day' * (1 - (n - {under_way}) * 1.0 / ({items} - {under_way})), 1000, 60,
       1000, 'waiting'
FROM generate_series({under_way} + 1, {items}) n;
INSERT INTO run_block (run_id, block, place)
SELECT run_id, id / 250, min(id % 250) FROM item WHERE run_id IS NOT NULL GROUP BY 1, 2;
INSERT INTO request (item_id, receipt, key, callback, params, enqueued_at)
SELECT n, gen_random_uuid(), 'item ' || n, '{{"task":"shop.save","queue":"queue 1","broker":"shop"}}',
       '{{"model":"claude-haiku-5-5","max_tokens":1000,"messages":[]}}',
       now() - interval '20 days' * (1 - n * 1.0 / {items})
FROM generate_series(1, {items}) n;
ALTER TABLE item_key DROP CONSTRAINT item_key_pkey;
INSERT INTO item_key (lane_id, key_hash, item_id, content_hash)
SELECT lane_id, decode(md5('item ' || id), 'hex'), id, '\\x00000000000000000000000000000000' FROM item;
ALTER TABLE item_key ADD CONSTRAINT item_key_pkey PRIMARY KEY (lane_id, key_hash);
INSERT INTO outcome (item_id, submission_id, finished_at, cost_nano, realtime_nano, input_tokens, output_tokens,
                     attempts, ok, retryable, billed, via, problem, model, api_batch_id, message, handed_over)
SELECT n, (n - 1) / {per_batch} + 1, now() - interval '20 days' * (1 - n * 1.0 / {finished}), 500000, 1000000, 250,
       100, 1, n % 100 <> 0, false, true, 'batch',
       CASE WHEN n IN (100, 200, 300) THEN {rare} WHEN n % 100 = 0 THEN 'refused' END, 'claude-haiku-5-5',
       'msgbatch_' || (n - 1) / {per_batch} + 1, '{{"usage":{{"input_tokens":250,"output_tokens":100}}}}',
       n BETWEEN {dead} + 1 AND {finished} - {due}
FROM generate_series(1, {finished}) n;
INSERT INTO double (item_id, submission_id, finished_at, cost_nano, realtime_nano, model)
SELECT n, (n - 1) / {per_batch} + 1, now(), 500000, 1000000, 'claude-haiku-5-5'
FROM generate_series(10, {finished}, 10) n;
INSERT INTO delivery (item_id, lane_id, target_id, state, due_at, tries)
SELECT n, ((n - 1) / {per_batch} + 1) % {lanes} + 1, n % {targets} + 1,
       CASE WHEN n > {dead} THEN 'due' ELSE 'dead' END, now() - interval '1 hour', 1
FROM generate_series(1, {finished}) n WHERE n <= {dead} OR n > {finished} - {due};
INSERT INTO spending (submission_id, lane_id, run_id, model, answers, paid_twice, cost_nano, realtime_nano,
                      input_tokens, output_tokens, at)
SELECT n / 2 + 1, (n / 2 + 1) % {lanes} + 1, n * 2500 / 100000 + 1, 'claude-haiku-5-5', 2500, 0, 1250000000, 2500000000,
       625000, 250000, now() - interval '20 days' * (1 - n * 2500.0 / {finished})
FROM generate_series(0, {finished} / 2500 - 1) n;
INSERT INTO daily_spending (day, lane_id, model, answers, paid_twice, unpriced, cost_nano, realtime_nano,
                            paid_twice_nano, input_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
                            cache_read_tokens, output_tokens, thinking_tokens, thinking_nano)
SELECT (at AT TIME ZONE 'UTC')::date, lane_id, model, sum(answers), 0, 0, sum(cost_nano), sum(realtime_nano), 0,
       sum(input_tokens), 0, 0, 0, sum(output_tokens), 0, 0
FROM spending GROUP BY 1, 2, 3;
INSERT INTO tally (noun, lane_id, run_id, headers_id, state, n, bytes)
SELECT 'item', lane_id, run_id, headers_id, state, count(*), sum(size) FROM item
GROUP BY lane_id, run_id, headers_id, state;
INSERT INTO unfinished_sum (lane_id, headers_id, batch_id, model_id, state, in_real_time, up_to_tokens, n, bytes,
                            max_tokens)
SELECT lane_id, headers_id, batch_id, model_id, state, false, 50000, count(*), sum(size), sum(max_tokens) FROM item
WHERE state IN ('waiting', 'batched') GROUP BY 1, 2, 3, 4, 5;
INSERT INTO tally (noun, lane_id, state, n, bytes)
SELECT 'delivery', lane_id, state, count(*), 0 FROM delivery GROUP BY lane_id, state;
INSERT INTO tally (noun, lane_id, state, n, bytes)
SELECT 'delivery', lane_id, 'delivered', count(*), 0 FROM item JOIN outcome ON outcome.item_id = item.id
WHERE outcome.handed_over GROUP BY lane_id;
INSERT INTO tally (noun, lane_id, state, n, bytes)
SELECT 'problem', lane_id, problem, count(*), 0 FROM outcome JOIN item ON item.id = outcome.item_id
WHERE problem IS NOT NULL GROUP BY lane_id, problem
"""
