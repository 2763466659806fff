"""One request: what may be enqueued, its prefix, its length, its worst case."""
