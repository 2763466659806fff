"""What the supervisor is made of: the process table, the leash, one child, the run directory."""
