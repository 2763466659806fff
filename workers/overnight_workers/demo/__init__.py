"""The demo: a small product that enriches a real catalog through Overnight's public API."""
