"""Deadlines in the ledger: who must leave for real time, what is at risk in running batches, what was missed."""
