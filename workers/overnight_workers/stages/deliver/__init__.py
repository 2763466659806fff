"""Deliver: outcomes are handed to their callbacks."""
