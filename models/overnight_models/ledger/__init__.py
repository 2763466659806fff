"""The ledger: the database, and the only code that speaks SQL.

One file a stage, each statement with a sentence that says what it promises. Functions take a connection whose
transaction the caller has opened with `database.transaction()`: what belongs together is committed together,
and no call to the network happens while it is open.
"""
