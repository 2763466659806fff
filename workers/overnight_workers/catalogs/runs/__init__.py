"""The life of a run: steps that any process may take. Whoever dies in one leaves it to the next, who takes it again.

`advancing.py` takes one step; the others are the steps. Nothing is kept in a process between two steps: the run's row,
its planned entries and its items in Postgres are all there is, and their keys make every step free to repeat.
"""
