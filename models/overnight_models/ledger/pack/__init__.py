"""The ledger for pack: whose turn it is, what may be reserved."""
