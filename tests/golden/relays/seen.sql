-- What ledger/relays/seen.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- note_failure: A relay can't take anything on.
-- name = 'text', why = 'text'
INSERT INTO relay(name, said_at, waiting, oldest_s, aside, items, failing_since, failing_why) VALUES (:name,
    now(), 0, 0, 0, 0, now(), :why)
ON CONFLICT (name) DO UPDATE SET said_at = now(), failing_since = coalesce(relay.failing_since, now()),
    failing_why = excluded.failing_why;

-- note_items: A relay hands over so many items, in this transaction.
-- items = 1, name = 'text'
INSERT INTO relay(name, said_at, waiting, oldest_s, aside, items) VALUES (:name, now(), 0, 0, 0, :items)
ON CONFLICT (name) DO UPDATE SET items = relay.items + excluded.items;

-- note_look: A relay has looked, and goes on.
-- aside = 1, aside_why = 'text', name = 'text', oldest_s = 1.0, waiting = 1
INSERT INTO relay(name, said_at, waiting, oldest_s, aside, aside_why, items) VALUES (:name, now(), :waiting,
    :oldest_s, :aside, :aside_why, 0)
ON CONFLICT (name) DO UPDATE SET said_at = now(), waiting = excluded.waiting, oldest_s = excluded.oldest_s,
    aside = excluded.aside, aside_why = excluded.aside_why, failing_since = NULL, failing_why = NULL;

-- relays: Every relay that ever said something.
SELECT name, extract(epoch FROM now() - said_at)::float AS silent_s, waiting, oldest_s, aside, aside_why,
    items, extract(epoch FROM now() - failing_since)::float AS failing_s, failing_why
FROM relay
ORDER BY name;

