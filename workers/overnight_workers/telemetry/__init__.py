"""What a process says of itself: logs, spans, counts."""
