"""The drill: one thing at a time is dead in a loaded system, and an operator waits for the alarm."""
