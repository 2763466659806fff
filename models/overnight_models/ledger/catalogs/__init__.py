"""Catalogs: what was sent of each row, their runs, and what came back."""
