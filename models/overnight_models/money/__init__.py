"""Prices, forecasts, caching that pays, and limits of rate."""
