"""A ledger with something on each page, and a secret wherever a request, an answer or somebody's error may hold one."""

from __future__ import annotations

SECRET = "Zx9-planted-7731"
"""In prompts, answers and texts of errors, in and out of quotation marks."""
_SAID = f'messages.0: "{SECRET}" is no good, {SECRET}, see https://x.example/{SECRET}'

PLANTED = f"""
INSERT INTO workspace (name) VALUES ('default');
INSERT INTO lane (name, paused_at, paused_reason) VALUES
    ('default', NULL, NULL), ('odd', now(), 'everything is rejected alike: 400 {_SAID}');
INSERT INTO headers (workspace, betas, api_version) VALUES ('default', '', '2026-10-21');
INSERT INTO model (name) VALUES ('claude-haiku-5-5');
INSERT INTO tenant (name) VALUES ('acme');
INSERT INTO run (name) VALUES ('spring'), ('shop-1');
INSERT INTO target (broker, queue, messages, looked_at) VALUES ('', 'shop', 3, now());
INSERT INTO obstacle (broker, queue, why) VALUES ('', 'shop', 'refused: {_SAID}');
INSERT INTO prefix (hash, document) VALUES ('\\x01', '{{"system": "{SECRET}"}}');
INSERT INTO batch (lane_id, headers_id, state, items, size, packed_at, changed_at, reason) VALUES
    (1, 1, 'collected', 4, 4000, now() - interval '3 h', now() - interval '1 h', NULL),
    (1, 1, 'open', 2, 2000, now() - interval '20 min', now() - interval '19 min', NULL),
    (1, 1, 'unclear', 1, 1000, now() - interval '9 min', now() - interval '8 min', 'so far: {_SAID}'),
    (2, 1, 'rejected', 1, 1000, now() - interval '9 min', now() - interval '8 min', '400 {_SAID}'),
    (1, 1, 'ended', 1, 1000, now() - interval '9 h', now() - interval '8 h', NULL);
INSERT INTO submission (batch_id, token, state, api_id, items, claimed_at, let_go_at, send_by, quiet_after,
                        api_created_at, api_expires_at, ended_at, counts, error, reads) VALUES
    (1, 'a', 'done', 'msgbatch_a', 4, now() - interval '179 min', now() - interval '178 min', now(), NULL,
     now() - interval '178 min', now() + interval '20 h', now() - interval '100 min',
     '{{"succeeded": 1, "errored": 2, "expired": 0, "canceled": 0}}', NULL, 1),
    (2, 'b', 'open', 'msgbatch_b', 2, now() - interval '19 min', now() - interval '19 min', now(), NULL,
     now() - interval '19 min', now() + interval '23 h', NULL, NULL, NULL, 0),
    (3, 'c', 'unclear', NULL, 1, now() - interval '9 min', now() - interval '9 min', now(), now(), NULL, NULL, NULL,
     NULL, 'no usable answer: {_SAID}', 0),
    (5, 'd', 'open', 'msgbatch_d', 1, now() - interval '9 h', now() - interval '9 h', now(), NULL,
     now() - interval '9 h', now() + interval '15 h', now() - interval '8 h', NULL, 'results: {_SAID}', 3);
INSERT INTO item (id, lane_id, headers_id, model_id, tenant_id, run_id, prefix_id, max_tokens, state, batch_id, size,
                  waiting_since, target_id, deadline) VALUES
    (1, 1, 1, 1, 1, 1, 1, 500, 'succeeded', 1, 1000, NULL, 1, now() - interval '2 h'),
    (2, 1, 1, 1, 1, 1, 1, 500, 'failed', 1, 1000, NULL, 1, NULL),
    (3, 1, 1, 1, 1, 1, 1, 500, 'redone', 1, 1000, NULL, 1, NULL),
    (4, 1, 1, 1, 1, 1, 1, 500, 'failed', 1, 1000, NULL, 1, NULL),
    (5, 1, 1, 1, NULL, NULL, NULL, 500, 'batched', 2, 1000, NULL, NULL, NULL),
    (6, 1, 1, 1, NULL, NULL, NULL, 500, 'batched', 2, 1000, NULL, NULL, NULL),
    (7, 1, 1, 1, NULL, NULL, NULL, 500, 'batched', 3, 1000, NULL, NULL, NULL),
    (8, 1, 1, 1, NULL, 2, NULL, 500, 'waiting', NULL, 1000, now(), NULL, NULL),
    (9, 1, 1, 1, NULL, 2, NULL, 500, 'waiting', NULL, 1000, now(), NULL, now() - interval '1 h');
INSERT INTO request (item_id, receipt, key, tenant, params, callback, enqueued_at)
    SELECT i, gen_random_uuid(), 'sku-' || i, NULL, '{{"messages": [{{"role": "user", "content": "{SECRET}"}}]}}',
           '{{"task": "shop.take", "kwargs": {{"x": "{SECRET}"}}}}', now() - interval '4 h' + i * interval '1 s'
    FROM generate_series(1, 9) i;
INSERT INTO redo (item_id, of_item_id, number, attempts_before, cost_before_nano) VALUES (4, 3, 1, 1, 1000);
INSERT INTO outcome (item_id, submission_id, cost_nano, realtime_nano, input_tokens, output_tokens, attempts, ok,
                     retryable, billed, via, problem, detail, model, message) VALUES
    (1, 1, 1000000, 2000000, 10, 20, 1, true, false, true, 'batch', NULL, NULL, 'claude-haiku-5-5',
     '{{"content": [{{"type": "text", "text": "{SECRET}"}}]}}'),
    (2, 1, 0, 0, 0, 0, 1, false, false, false, 'batch', 'errored', 'invalid_request_error: {_SAID}', NULL, NULL),
    (3, 1, 1000, 2000, 0, 0, 1, false, false, true, 'batch', 'refused', 'cyber: {SECRET} was asked', 'claude-haiku-5-5',
     '{{"content": "{SECRET}"}}'),
    (4, 1, 1000, 2000, 0, 0, 1, false, false, true, 'batch', 'refused', 'cyber: {SECRET} was asked', 'claude-haiku-5-5',
     '{{"content": "{SECRET}"}}');
INSERT INTO delivery (item_id, lane_id, target_id, state, tries, error) VALUES
    (1, 1, 1, 'dead', 12, 'OperationalError: {_SAID}'), (2, 1, 1, 'due', 1, '{_SAID}'),
    (4, 1, 1, 'delivered', 1, NULL);
INSERT INTO maybe_billed (item_id, claim_id, lane_id, model_id, why, input_tokens, output_tokens, cost_nano)
    VALUES (2, 9, 1, 1, 'no answer: {_SAID}', 10, 10, 5000);
INSERT INTO spending (submission_id, lane_id, tenant_id, run_id, model, answers, paid_twice, cost_nano, realtime_nano,
                      input_tokens, output_tokens, at) VALUES
    (1, 1, 1, 1, 'claude-haiku-5-5', 3, 0, 1002000, 2004000, 100, 50, now()),
    (1, 1, 1, 1, 'claude-haiku-5-5', 30, 0, 9002000, 18004000, 100, 50, now() - interval '2 d');
INSERT INTO budget (lane_id, period, cap_nano, strict) VALUES (1, 'day', 5000000, true);
INSERT INTO plan (run_id, lane_id, items, tokens_in, tokens_in_low, tokens_in_high, tokens_out, tokens_out_low,
                  tokens_out_high, cost_nano, cost_nano_low, cost_nano_high, document)
    VALUES (1, 1, 4, 10, 5, 20, 10, 5, 20, 1100000, 900000, 1300000, '{{}}');
INSERT INTO catalog (name) VALUES ('shop');
INSERT INTO catalog_run (catalog_id, number, nominal_at, state, reason, path, declaration, wish)
    VALUES (1, 1, '2026-11-29T22:00', 'asking', 'prompt changed: {_SAID}', '/srv/shop.toml', 'prompt = "{SECRET}"',
            '{{}}');
INSERT INTO catalog_schedule (catalog_id, path, declaration, cron, zone, overlap, when_paused, next_at, kept_by)
    SELECT 1, '/srv/shop.toml', 'prompt = "{SECRET}"',
           to_char(soon AT TIME ZONE 'Europe/Berlin', 'FMMI FMHH24 "* * *"'), 'Europe/Berlin', 'skip', 'drop', soon,
           'ann'
    FROM (SELECT date_trunc('minute', now()) + interval '5 h' AS soon) next;
INSERT INTO catalog_passed_over (catalog_id, nominal_at, reason) VALUES (1, '2026-11-28T22:00', 'its file: {_SAID}');
"""

TROUBLED = f"""
INSERT INTO workspace (name, held_at, held_reason, unread_since, unread_why)
    VALUES ('poor', now() - interval '1 h', '403 permission_error: {_SAID}', now() - interval '1 h', '{_SAID}');
INSERT INTO obstacle (broker, queue, why, since) VALUES
    ('gone', '', 'broker ''gone'': ResponseError: {_SAID}', now() - interval '1 h'),
    ('webhook:shop', '', 'HTTP 500: {_SAID}', now() - interval '1 h');
UPDATE obstacle SET since = now() - interval '1 h' WHERE queue = 'shop';
INSERT INTO failure (stage, what, since, until, why)
    VALUES ('overnight.collect', 'batch 1', now() - interval '1 h', now() + interval '1 d', 'DataError: {_SAID}');
INSERT INTO direct_pause (workspace, model_id, not_before, since, why)
    VALUES ('default', 1, now() + interval '1 d', now() - interval '1 h', '429 {_SAID}');
INSERT INTO target (broker, queue) VALUES ('gone', 'shop-2');
UPDATE item SET target_id = (SELECT id FROM target WHERE queue = 'shop-2') WHERE id = 3;
INSERT INTO delivery (item_id, lane_id, target_id, state, tries, error)
    SELECT 3, 1, id, 'dead', 12, 'OperationalError: {_SAID}' FROM target WHERE queue = 'shop-2';
INSERT INTO relay (name, waiting, oldest_s, aside, aside_why, items, failing_since, failing_why)
    VALUES ('orders', 5, 4000, 3, 'no such field: {_SAID}', 9, now() - interval '1 h', '{_SAID}');
"""
"""What makes alarms, beside the planted rows: the same secret in whatever else others have said."""
