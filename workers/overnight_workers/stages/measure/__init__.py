"""Measure: prompts that may be too long are counted, and refused or cut."""
