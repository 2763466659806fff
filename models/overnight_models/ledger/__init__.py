"""The ledger: the database, and the only code that speaks SQL.

One file a stage, each statement with a sentence that says what it promises. Functions take a connection whose
transaction the caller has opened with `database.transaction()`: what belongs together is committed together,
and no call to the network happens while it is open.

Rows are locked (`FOR UPDATE`, `FOR SHARE`) in a statement of its own, before the one that changes them. PostgreSQL 18
can crash where one does both: when a row that it locks was changed meanwhile, it looks again, and what it remembers
for choosing partitions in the rest of the statement is freed under it (PostgreSQL's commit 1b5dd3a; 18.6 has the bug).
"""
