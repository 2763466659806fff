"""Schedules: when a catalog runs, in the time of a named zone."""
