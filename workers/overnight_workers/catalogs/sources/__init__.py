"""Sources: a file of any kind, or a query, as a DuckDB relation whose cells are text."""

from __future__ import annotations

from overnight_workers.catalogs.sources.opening import open_source
from overnight_workers.catalogs.sources.source import Source

__all__ = ["Source", "open_source"]
