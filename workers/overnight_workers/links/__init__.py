"""Links to answers that are too large for a webhook: short-lived, signed, each for one outcome."""
