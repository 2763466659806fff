"""Which sink a catalog has."""

from __future__ import annotations

from overnight_workers.catalogs.declaration import Catalog
from overnight_workers.catalogs.sinks.answered import Columns, Sink
from overnight_workers.catalogs.sinks.files import FileSink


def sink_of(catalog: Catalog) -> Sink | None:
    """The sink of a catalog; None where it has none, or where each answer goes to its own callback."""
    if catalog.sink is None or catalog.sink.kind == "callback":
        return None
    if catalog.sink.kind == "file":
        return FileSink(catalog.directory / (catalog.sink.path or ""), Columns.of(catalog), catalog.sink.gone)
    from overnight_workers.catalogs.sinks.table import TableSink

    return TableSink(catalog.sink, Columns.of(catalog), catalog.directory)
