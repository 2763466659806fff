"""What everybody agrees on: words, states, messages, outcomes, prices, and (with the extra) the ledger."""
