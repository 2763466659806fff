"""Alembic's migrations; `overnight doctor` says when one is missing, `overnight migrate` applies them."""
