"""Sinks: where a catalog's answers go. Publishing the same again changes nothing."""

from __future__ import annotations

from overnight_workers.catalogs.sinks.answered import Answered, Publication, Reply, Sink
from overnight_workers.catalogs.sinks.choosing import sink_of

__all__ = ["Answered", "Publication", "Reply", "Sink", "sink_of"]
