-- What ledger/deliver/senders.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- begin: Become the one that sends there. False: another one does.
-- lease_s = 1.0, sender = '00000000-0000-0000-0000-000000000000', target_id = 1
UPDATE target
SET sender = :sender, sender_until = clock_timestamp() + make_interval(secs => :lease_s)
WHERE id = :target_id AND (sender IS NULL OR sender = :sender OR sender_until <= clock_timestamp());

-- end: Nothing more is sent there by it.
-- sender = '00000000-0000-0000-0000-000000000000', target_id = 1
UPDATE target
SET sender = NULL, sender_until = NULL
WHERE id = :target_id AND sender = :sender;

-- go_on: Go on sending there. Returns where it may: what was taken from it is another's.
-- lease_s = 1.0, sender = '00000000-0000-0000-0000-000000000000', target_ids = '{1}'
UPDATE target
SET sender_until = clock_timestamp() + make_interval(secs => :lease_s)
WHERE id = ANY(:target_ids) AND sender = :sender
RETURNING id;

