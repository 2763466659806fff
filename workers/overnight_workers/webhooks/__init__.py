"""Webhooks: signed requests to endpoints outside, by connections that lead nowhere else."""
