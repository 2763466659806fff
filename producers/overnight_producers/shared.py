"""What a process's requests begin with again and again: it is cut off, and sent once."""

from __future__ import annotations

from threading import Lock

import orjson

from overnight_models.message import ItemLine, write_line
from overnight_models.prefix import Prefix, Sharing, may_be_cut, write


class Cutter:
    """Cuts off what was seen before; safe in threads, and bounded, however many requests pass."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._sharing = Sharing()

    def cut(self, line: ItemLine, written: bytes) -> tuple[bytes, Prefix | None]:
        """An item's line and its prefix; all of it and none when its beginning is new. written: the whole line."""
        if not may_be_cut(line["params"], written):
            return written, None
        request = write(line["params"])
        digests = request.digests()
        with self._lock:
            self._sharing.note(digests)
            found = self._sharing.cut(request, digests)
        if found is None:
            return written, None
        name, prefix, own = found
        cut: ItemLine = {**line, "params": orjson.Fragment(own), "prefix": name.hex()}  # type: ignore[typeddict-item]
        return write_line(cut), prefix
