"""Overnight's workers: one file a stage, and the command line that runs and watches them."""
