"""Relays: inbox tables in products' databases, and what the ledger knows of who takes them on."""
