"""The stage direct: items are sent in real time."""
