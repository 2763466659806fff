"""Purging: what a tenant, or anybody, has said goes at once; who, when, how many and for how much stays."""
