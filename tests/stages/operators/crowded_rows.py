"""Rows beside the planted ones: many of each kind, with names and texts that are as long as those of real products."""

from __future__ import annotations

from typing import Final

_LANE: Final = "customer-support-translations"
_RUN: Final = "shop-enrichment-of-the-german-catalogue-2026-11"
_KEY: Final = "https://shop.example.com/de/haushalt/kuechengeraete/wasserkocher/artikel-"
_PERSON: Final = "christina.mustermann@example.com"
_WHY: Final = (
    "The outage of last night is over, and the product team of the German shop wants all of what failed before the"
    " sale begins on Friday at eight; the ticket OPS-4711 has what was agreed"
)
_TOO_LARGE: Final = "the image exceeds the maximum allowed size of 8000 pixels in one of its dimensions"
_AWAY: Final = "the webhook answered 503 Service Unavailable: upstream connect error or disconnect before headers"

CROWDED: Final = f"""
SELECT setval(pg_get_serial_sequence(t, 'id'), n) FROM (VALUES ('lane', 2), ('tenant', 1), ('run', 2), ('target', 1),
    ('batch', 5), ('catalog', 1), ('catalog_run', 1)) numbers (t, n);
INSERT INTO lane (name) SELECT '{_LANE}-' || i FROM generate_series(1, 25) i;
UPDATE lane SET paused_at = now() - interval '3 h', paused_by = '{_PERSON}', paused_reason = '{_WHY}'
    WHERE name LIKE '%-7';
UPDATE lane SET drain_until = 100000, drained_by = 'ann' WHERE name LIKE '%-9';
INSERT INTO tenant (name) SELECT 'tenant-' || md5(i::text) FROM generate_series(1, 40) i;
INSERT INTO run (name) SELECT '{_RUN}-' || i FROM generate_series(1, 40) i;
INSERT INTO target (broker, queue, messages, looked_at, oldest_since)
    SELECT 'eu-central-broker', 'products.enrichment.results.of-the-shop-' || i, i * 10, now(),
           CASE WHEN i % 4 = 0 THEN now() - interval '2 h' END FROM generate_series(1, 20) i;
INSERT INTO obstacle (broker, queue, why)
    SELECT broker, queue, 'ConnectionRefusedError: connection refused by eu-central-broker, after 4 tries in 12 seconds'
    FROM target WHERE id % 5 = 0;
UPDATE obstacle SET queue = repeat('q', 199) || 5 WHERE queue LIKE '%-of-the-shop-4';
INSERT INTO item (id, lane_id, headers_id, model_id, tenant_id, run_id, max_tokens, state, batch_id, size,
                  waiting_since, target_id, deadline, held_by, held_since, held_reason)
    SELECT i, 3 + i % 25, 1, 1, 2 + i % 40, 3 + i % 40, 500,
           (ARRAY['waiting', 'failed', 'batched', 'held', 'succeeded', 'succeeded', 'succeeded'])[1 + i % 7],
           CASE WHEN i % 7 = 2 THEN 2 WHEN i % 7 NOT IN (0, 3) THEN 1 END, 1000 * (i % 90),
           CASE WHEN i % 7 = 0 THEN now() - i * interval '1 min' END, 2 + i % 20,
           CASE WHEN i % 9 = 0 THEN now() - interval '1 h' END, CASE WHEN i % 7 = 3 THEN 1 END,
           CASE WHEN i % 7 = 3 THEN now() END, CASE WHEN i % 7 = 3 THEN 'over budget' END
    FROM generate_series(101, 1100) i;
INSERT INTO request (item_id, receipt, key, params, callback, enqueued_at)
    SELECT i, gen_random_uuid(), '{_KEY}' || i || '?variant=rot-1-7-liter', '{{}}', '{{}}',
           now() - (1200 - i) * interval '3 min' FROM generate_series(101, 1100) i;
INSERT INTO outcome (item_id, submission_id, cost_nano, realtime_nano, input_tokens, output_tokens, attempts, ok,
                     retryable, billed, via, problem, detail, model, message)
    SELECT id, 1, 1000000, 2000000, 10, 20, 1 + id % 3, id % 7 > 3, false, true, 'batch',
           CASE WHEN id % 7 = 1 THEN (ARRAY['errored', 'refused', 'expired', 'invalid_output'])[1 + id % 4] END,
           CASE WHEN id % 7 = 1 THEN 'invalid_request_error: {_TOO_LARGE}' END, 'claude-haiku-5-5', '{{}}'
    FROM item WHERE id > 100 AND id % 7 IN (1, 4, 5, 6);
INSERT INTO delivery (item_id, lane_id, target_id, state, tries, error)
    SELECT id, lane_id, target_id, (ARRAY['dead', 'due', 'delivered', 'delivered'])[1 + id % 4], 5,
           CASE WHEN id % 4 = 0 THEN 'OperationalError: {_AWAY}' END
    FROM item WHERE id > 100 AND id % 7 IN (1, 4, 5, 6);
INSERT INTO batch (lane_id, headers_id, state, items, size, packed_at, changed_at, reason)
    SELECT 3 + i % 25, 1, (ARRAY['collected', 'open', 'packed', 'ended', 'canceling', 'incomplete'])[1 + i % 6],
           1000 * i, 900000 * i, now() - i * interval '31 min', now() - i * interval '21 min',
           CASE WHEN i % 7 = 0 THEN 'the workspace is held: Your credit balance is too low to access the API' END
    FROM generate_series(1, 80) i;
INSERT INTO submission (batch_id, token, state, api_id, api_created_at, ended_at, api_expires_at, send_by, items,
                        counts, claimed_at, let_go_at)
    SELECT id, 't' || id, CASE WHEN state = 'collected' THEN 'done' ELSE 'open' END,
           'msgbatch_013Zva2CMHLNnXjNJJKqJ' || id, packed_at,
           CASE WHEN state NOT IN ('open', 'canceling') THEN packed_at + interval '50 min' END,
           packed_at + interval '1 d', packed_at, items, '{{"succeeded": 10, "errored": 2}}', packed_at, packed_at
    FROM batch WHERE id > 5 AND state <> 'packed';
INSERT INTO spending (submission_id, lane_id, tenant_id, run_id, model, answers, paid_twice, cost_nano, realtime_nano,
                      input_tokens, output_tokens, at)
    SELECT 1, 3 + i % 25, 2 + i % 40, 3 + i % 40, 'claude-haiku-5-5', 30, (i = 3)::int, 1234567890123::bigint / i,
           2 * 1234567890123::bigint / i, 10000000, 500000, now() - i * interval '7 h' FROM generate_series(1, 90) i;
INSERT INTO budget (lane_id, period, cap_nano, strict)
    SELECT id, 'day', 4000000000::bigint * id, id % 2 = 0 FROM lane WHERE id BETWEEN 4 AND 11;
INSERT INTO plan (run_id, lane_id, items, tokens_in, tokens_in_low, tokens_in_high, tokens_out, tokens_out_low,
                  tokens_out_high, cost_nano, cost_nano_low, cost_nano_high, document)
    SELECT id, 3, 500000, 10, 5, 20, 10, 5, 20, 41100000000, 35900000000, 51300000000, '{{}}'
    FROM run WHERE id BETWEEN 4 AND 12;
INSERT INTO action (name, actor, via, reason, wish, items, most_nano, done, until_item, ended_at, aborted_at,
                    aborted_by)
    SELECT (ARRAY['redo', 'cancel', 'replay', 'pause', 'budget', 'show body', 'purge'])[1 + i % 7],
           CASE WHEN i % 3 = 0 THEN '{_PERSON}' ELSE 'ann' END, CASE WHEN i % 2 = 0 THEN 'flower' ELSE 'command' END,
           CASE WHEN i % 4 = 0 THEN '{_WHY}.' END,
           CASE WHEN i % 2 = 0 THEN '{{"lane": "{_LANE}-3", "problem": "errored", "run": "{_RUN}-4"}}'
                ELSE '{{"lane": "default"}}' END,
           i * 1000, CASE WHEN i % 7 < 2 THEN i * 1234567890::bigint END, i * 1000 - i % 5 * 100, i * 1000,
           CASE WHEN i > 3 THEN now() END, CASE WHEN i % 11 = 0 THEN now() END, CASE WHEN i % 11 = 0 THEN 'bob' END
    FROM generate_series(1, 60) i;
INSERT INTO catalog (name) SELECT 'german-catalogue-' || i FROM generate_series(1, 12) i;
INSERT INTO catalog_run (catalog_id, number, nominal_at, state, reason, path, declaration, wish, ended_at, finish_at,
                         enqueued_at, plan)
    SELECT id, 1, CASE WHEN id % 2 = 0 THEN '2026-11-29T22:00' END,
           (ARRAY['planned', 'asking', 'pilot', 'sending', 'stopped', 'partial', 'complete'])[1 + id % 7],
           CASE WHEN id % 7 IN (1, 4) THEN 'the prompt is another than that of the last run: approve it' END,
           '/srv/overnight/catalogs/german-catalogue.toml', 'prompt = "x"', '{{}}',
           CASE WHEN id % 7 > 3 THEN now() END, now() + interval '2 h', now() - interval '1 h', '{{"send": 500000}}'
    FROM catalog WHERE id > 1;
INSERT INTO catalog_schedule (catalog_id, path, cron, zone, overlap, when_paused, next_at, kept_by, paused_at,
                              paused_by, pause_reason, finish_by)
    SELECT id, '/srv/shop.toml', '30 22 * * mon-fri', 'America/Argentina/Buenos_Aires',
           CASE WHEN id % 2 = 0 THEN 'skip' ELSE 'wait' END, 'drop', now() + id * interval '5 h', '{_PERSON}',
           CASE WHEN id % 4 = 0 THEN now() END, CASE WHEN id % 4 = 0 THEN 'bob' END,
           CASE WHEN id % 4 = 0 THEN 'the source is rebuilt until Thursday' END, '06:00'
    FROM catalog WHERE id BETWEEN 2 AND 8;
INSERT INTO relay (name, waiting, oldest_s, aside, aside_why, items, failing_since, failing_why)
    VALUES ('shop', 1200, 4000, 3, 'the message has no key', 100000, now() - interval '20 min',
            'connection to server at port 5432 failed: Connection timed out');
UPDATE lane SET name = repeat('w', 200) WHERE name = '{_LANE}-20';
UPDATE tenant SET name = CASE WHEN id = 3 THEN repeat('客户名称', 50) ELSE repeat('t', 200) END WHERE id IN (3, 4);
UPDATE run SET name = repeat('r', 200) WHERE id = 5;
UPDATE target SET queue = repeat('q', 199) || id WHERE id IN (3, 5);
UPDATE request SET key = repeat('k', 200) WHERE item_id IN (1099, 1100);
UPDATE request SET key = repeat('钥匙', 100) WHERE item_id = 1098;
UPDATE catalog SET name = repeat('c', 200) WHERE name = 'german-catalogue-3';
UPDATE catalog SET name = repeat('目录', 100) WHERE name = 'german-catalogue-4';
UPDATE action SET actor = repeat('p', 200), wish = '{{"tenant": "' || repeat('t', 200) || '"}}' WHERE id IN (58, 60);
INSERT INTO budget (tenant_id, period, cap_nano, strict)
    SELECT id, 'month', 4000000000, true FROM tenant WHERE id IN (3, 4);
INSERT INTO relay (name, waiting, oldest_s, aside, aside_why, items) VALUES (repeat('y', 200), 1, 4000, 0, NULL, 1);
"""
