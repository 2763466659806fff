"""Benchmarks: what is measured, and beside what."""

import os

# commands that are measured don't compile their modules anew each time
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
