"""Retention: what was finished long enough ago is dropped, and never anything else."""
