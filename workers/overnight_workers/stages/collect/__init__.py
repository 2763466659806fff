"""Collect: results become outcomes."""
