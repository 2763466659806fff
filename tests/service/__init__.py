"""What a driven service consists of beside its stages: its ledger, its clock and its account at the API."""
