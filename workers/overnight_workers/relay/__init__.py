"""The relay: what products enqueued in their own transactions goes on to the ledger, exactly once."""
