"""Overnight's workers: one room a stage, and the command line that runs and watches them."""
