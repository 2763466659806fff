"""The ledger for collect: arrivals, outcomes, spending, caching."""
