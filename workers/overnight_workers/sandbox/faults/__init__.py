"""What goes wrong in the sandbox on demand."""
