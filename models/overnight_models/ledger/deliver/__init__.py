"""The ledger for deliver: deliveries, obstacles, replays, acknowledgements."""
