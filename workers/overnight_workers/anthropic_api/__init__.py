"""The Anthropic API: its calls as plain values, and what its answers mean."""
