"""Catalogs: a table goes in every night, and only what changed is paid for."""
