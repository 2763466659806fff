"""What crosses between processes, each with its version."""
