"""The ledger for direct: items that are sent in real time, claimed, let go, answered or brought home."""
