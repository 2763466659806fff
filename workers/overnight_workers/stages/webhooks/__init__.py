"""Webhooks: outcomes are sent to the endpoints that their products named."""
