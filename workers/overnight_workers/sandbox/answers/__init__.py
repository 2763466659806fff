"""What the sandbox answers: checks, texts that fit, tokens, caches."""
