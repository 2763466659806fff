"""What the `overnight` command prints with the base install alone: no ledger, no SDK."""
