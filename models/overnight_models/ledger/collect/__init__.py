"""The ledger for collect: arrivals, outcomes, settled money."""
