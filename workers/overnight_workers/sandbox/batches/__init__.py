"""Batches in the sandbox: taken in, kept, ended, and their results."""
