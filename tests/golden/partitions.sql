-- What ledger/partitions.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _make, 1 of 14: Make one partition: its columns in the order that wastes least, unless workers may run that don't know that.
ALTER TABLE delivery ATTACH PARTITION delivery_from_0
FOR VALUES
FROM (0) TO (0);

-- _make, 2 of 14: Make one partition: its columns in the order that wastes least, unless workers may run that don't know that.
ALTER TABLE double ATTACH PARTITION double_from_0
FOR VALUES
FROM (0) TO (0);

-- _make, 3 of 14: Make one partition: its columns in the order that wastes least, unless workers may run that don't know that.
ALTER TABLE item ATTACH PARTITION item_from_0
FOR VALUES
FROM (0) TO (0);

-- _make, 4 of 14: Make one partition: its columns in the order that wastes least, unless workers may run that don't know that.
ALTER TABLE outcome ATTACH PARTITION outcome_from_0
FOR VALUES
FROM (0) TO (0);

-- _make, 5 of 14: Make one partition: its columns in the order that wastes least, unless workers may run that don't know that.
ALTER TABLE request ATTACH PARTITION request_from_0
FOR VALUES
FROM (0) TO (0);

-- _make, 6 of 14: Make one partition: its columns in the order that wastes least, unless workers may run that don't know that.
CREATE TABLE answer_group_from_0 PARTITION OF answer_group
FOR VALUES
FROM (0) TO (0)
WITH (autovacuum_vacuum_insert_threshold = -1);

-- _make, 7 of 14: Make one partition: its columns in the order that wastes least, unless workers may run that don't know that.
CREATE TABLE delivery_from_0(item_id bigint NOT NULL, due_at timestamp with time zone DEFAULT now() NOT NULL,
    lane_id integer NOT NULL, target_id integer NOT NULL, size integer DEFAULT 4000 NOT NULL,
    tries smallint DEFAULT '0'::smallint NOT NULL, generation smallint DEFAULT '0'::smallint NOT NULL,
    state text NOT NULL, error text, CONSTRAINT delivery_state_is_known CHECK (
    (state = ANY(ARRAY['due'::text, 'sending'::text, 'awaiting_ack'::text, 'delivered'::text, 'dead'::text]))
));

-- _make, 8 of 14: Make one partition: its columns in the order that wastes least, unless workers may run that don't know that.
CREATE TABLE double_from_0(item_id bigint NOT NULL, submission_id bigint NOT NULL,
    finished_at timestamp with time zone DEFAULT now() NOT NULL, cost_nano bigint, realtime_nano bigint,
    input_tokens integer DEFAULT 0 NOT NULL, cache_write_5m_tokens integer DEFAULT 0 NOT NULL,
    cache_write_1h_tokens integer DEFAULT 0 NOT NULL, cache_read_tokens integer DEFAULT 0 NOT NULL,
    output_tokens integer DEFAULT 0 NOT NULL, thinking_tokens integer DEFAULT 0 NOT NULL,
    model text NOT NULL, CONSTRAINT no_double_costs_less_than_nothing CHECK (
    (
        (cost_nano >= 0) AND (realtime_nano >= 0)
    )
))
WITH (autovacuum_vacuum_insert_threshold = -1);

-- _make, 9 of 14: Make one partition: its columns in the order that wastes least, unless workers may run that don't know that.
CREATE TABLE item_from_0(id bigint NOT NULL, batch_id bigint, waiting_since timestamp with time zone,
    held_since timestamp with time zone, reserved_nano bigint, deadline timestamp with time zone,
    give_up_at timestamp with time zone, direct_at timestamp with time zone, lane_id integer NOT NULL,
    headers_id integer NOT NULL, run_id integer, tenant_id integer, model_id integer NOT NULL,
    schema_id integer, prefix_id integer, shape_id integer, target_id integer, size integer NOT NULL,
    callback_size integer DEFAULT 0 NOT NULL, max_tokens integer NOT NULL, held_by integer, chain_id integer,
    attempts smallint DEFAULT '0'::smallint NOT NULL, batch_chance smallint,
    cancel_wanted boolean DEFAULT false NOT NULL, purged boolean DEFAULT false NOT NULL, state text NOT NULL,
    held_reason text, CONSTRAINT batched_items_are_in_a_batch CHECK (
    (
        (state = 'batched'::text) <= (batch_id IS NOT NULL)
    )
), CONSTRAINT item_state_is_known CHECK (
    (state = ANY(ARRAY['waiting'::text, 'held'::text, 'batched'::text, 'direct'::text, 'racing'::text,
        'succeeded'::text, 'failed'::text, 'canceled'::text, 'following'::text, 'redone'::text]))
), CONSTRAINT only_held_items_are_held CHECK (
    (
        (state = 'held'::text) = (held_by IS NOT NULL)
    )
), CONSTRAINT only_waiting_items_wait CHECK (
    (
        (state = 'waiting'::text) = (waiting_since IS NOT NULL)
    )
), CONSTRAINT waiting_items_are_in_no_batch CHECK (
    (
        (state = 'waiting'::text) <= (batch_id IS NULL)
    )
), CONSTRAINT what_is_being_sent_or_is_over_is_not_to_be_sent CHECK (
    (
        (direct_at IS NULL) OR (state = ANY(ARRAY['waiting'::text, 'held'::text, 'batched'::text]))
    )
))
WITH (fillfactor = 50);

-- _make, 10 of 14: Make one partition: its columns in the order that wastes least, unless workers may run that don't know that.
CREATE TABLE outcome_from_0(item_id bigint NOT NULL, submission_id bigint,
    finished_at timestamp with time zone DEFAULT now() NOT NULL, cost_nano bigint, realtime_nano bigint,
    body_group bigint, input_tokens integer DEFAULT 0 NOT NULL, cache_write_5m_tokens integer DEFAULT 0,
    cache_write_1h_tokens integer DEFAULT 0, cache_read_tokens integer DEFAULT 0,
    output_tokens integer DEFAULT 0 NOT NULL, thinking_tokens integer DEFAULT 0, body_size integer,
    model_id integer, attempts smallint NOT NULL, body_place smallint, ok boolean NOT NULL,
    retryable boolean NOT NULL, billed boolean DEFAULT false NOT NULL,
    handed_over boolean DEFAULT false NOT NULL, via text, problem text, detail text, model text,
    api_batch_id text, message text, CONSTRAINT an_outcome_is_ok_or_has_a_problem CHECK (
    (ok = (problem IS NULL))
), CONSTRAINT nothing_costs_less_than_nothing CHECK (
    (
        (cost_nano >= 0) AND (realtime_nano >= 0)
    )
), CONSTRAINT what_is_not_billed_costs_nothing CHECK (
    (billed OR (cost_nano = 0))
))
WITH (autovacuum_vacuum_insert_threshold = -1);

-- _make, 11 of 14: Make one partition: its columns in the order that wastes least, unless workers may run that don't know that.
CREATE TABLE request_from_0(item_id bigint NOT NULL,
    enqueued_at timestamp with time zone DEFAULT now() NOT NULL, body_group bigint, cut_from_tokens integer,
    cut_to_tokens integer, callback_id integer, body_place smallint, receipt uuid NOT NULL,
    unbounded boolean, key text NOT NULL, tenant text, trace_id text, callback text, params text,
    model_why text, traceparent text, tracestate text)
WITH (autovacuum_vacuum_insert_threshold = -1);

-- _make, 12 of 14: Make one partition: its columns in the order that wastes least, unless workers may run that don't know that.
CREATE TABLE request_group_from_0 PARTITION OF request_group
FOR VALUES
FROM (0) TO (0)
WITH (autovacuum_vacuum_insert_threshold = -1);

-- _make, 13 of 14: Make one partition: its columns in the order that wastes least, unless workers may run that don't know that.
SELECT columns_by_width
FROM deployment;

-- _make, 14 of 14: Make one partition: its columns in the order that wastes least, unless workers may run that don't know that.
-- table = 'text'
SELECT part
FROM (
    SELECT CASE WHEN attlen < 0 THEN 0 WHEN typalign = 'd' THEN 8 WHEN typalign = 'i' THEN 4
        WHEN typalign = 's' THEN 2 ELSE 1 END AS width, attnum AS number, concat_ws(' ',
        quote_ident(attname), format_type(atttypid, atttypmod), 'DEFAULT ' || pg_get_expr(adbin, adrelid),
        CASE WHEN attnotnull THEN 'NOT NULL' END) AS part
    FROM pg_attribute
    JOIN pg_type ON pg_type.oid = atttypid
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE attrelid = CAST(:table AS regclass) AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT -1, 0, concat_ws(' ', 'CONSTRAINT', quote_ident(conname), pg_get_constraintdef(oid))
    FROM pg_constraint
    WHERE conrelid = CAST(:table AS regclass) AND contype = 'c'
) parts
ORDER BY width DESC, number, part;

-- give_up_copies, 1 of 4: Copies of partitions that retention is making are dropped; it begins anew when it looks there again.
DROP TABLE outcome_copy_0;

-- give_up_copies, 2 of 4: Copies of partitions that retention is making are dropped; it begins anew when it looks there again.
DROP TABLE request_copy_0;

-- give_up_copies, 3 of 4: Copies of partitions that retention is making are dropped; it begins anew when it looks there again.
SELECT first_item
FROM kept
WHERE copied_to IS NOT NULL;

-- give_up_copies, 4 of 4: Copies of partitions that retention is making are dropped; it begins anew when it looks there again.
-- first = 1, why = 'text'
UPDATE kept
SET copied_to = NULL, left_out = '{}', waits_for = :why
WHERE first_item = :first;

-- make_partitions, 1 of 2: Make the partitions that the next items will need. Returns how many were made.
-- t = 'text'
SELECT inhrelid::regclass::text AS name
FROM pg_inherits
WHERE inhparent = CAST(:t AS regclass);

-- make_partitions, 2 of 2: Make the partitions that the next items will need. Returns how many were made.
SELECT last_value
FROM item_id;

-- note_full: Note partitions that no new item comes into any more. Returns how many are new.
INSERT INTO kept(first_item, looked_at)
SELECT first, now()
FROM (
    SELECT substring(inhrelid::regclass::text FROM '_from_([0-9]+)$')::bigint AS first
    FROM pg_inherits
    WHERE inhparent = 'item'::regclass
) partition
WHERE first + 5000000 <= (
    SELECT last_value
    FROM item_id
)
ON CONFLICT DO NOTHING;

-- take_turns: Wait until nobody else changes the schema; until the transaction ends.
-- lock = 1
SELECT pg_advisory_xact_lock(:lock);

