"""Compare: two or more models or prompts on the same rows."""
