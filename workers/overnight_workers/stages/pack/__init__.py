"""Pack: waiting items become a batch."""
