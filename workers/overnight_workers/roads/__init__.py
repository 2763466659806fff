"""The roads: a batch, or real time; how likely each is in time, by the same numbers for plan, status and routing.

Pure functions over frozen values; what they need to know of the ledger is read by whoever asks (`memory.py`).
"""
