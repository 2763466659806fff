"""The demo: a real catalog, declared in ten lines, that goes in and comes back enriched."""
