"""The stored requests of a batch: the body as it arrived, and an index of where each request lies in it."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

_READ_AHEAD = 1 << 20
#: Start (8 bytes), length (4), hash of the params (8): one column after the other.
_INDEX_BYTES = 20


def write_index(path: Path, starts: array[int], lengths: array[int], hashes: array[int]) -> None:
    """Write the index beside the body at `path`."""
    path.with_suffix(".index").write_bytes(starts.tobytes() + lengths.tobytes() + hashes.tobytes())


def forget(path: Path) -> None:
    """Remove a body and what lies beside it."""
    for suffix in (".json", ".index", ".cached"):
        path.with_suffix(suffix).unlink(missing_ok=True)


class Bodies:
    """The requests of one batch, by position. A context manager: it holds the file open."""

    def __init__(self, path: Path) -> None:
        index = path.with_suffix(".index").read_bytes()
        count = len(index) // _INDEX_BYTES
        self.hashes = array("q")
        self._starts, self._lengths = array("Q"), array("I")
        self._starts.frombytes(index[: 8 * count])
        self._lengths.frombytes(index[8 * count : 12 * count])
        self.hashes.frombytes(index[12 * count :])
        self._file = os.open(path, os.O_RDONLY)

    def __len__(self) -> int:
        return len(self._starts)

    def block(self, first: int, count: int) -> list[bytes]:
        """`count` requests from `first` on, with one read."""
        start, last = self._starts[first], first + count - 1
        data = os.pread(self._file, self._starts[last] + self._lengths[last] - start, start)
        return [
            data[self._starts[at] - start : self._starts[at] - start + self._lengths[at]]
            for at in range(first, first + count)
        ]

    def in_order(self) -> Iterator[bytes]:
        """All requests, in the order they were sent in."""
        with os.fdopen(os.dup(self._file), "rb", buffering=_READ_AHEAD) as file:
            file.seek(0)
            at = 0
            for start, length in zip(self._starts, self._lengths, strict=True):
                file.read(start - at)
                yield file.read(length)
                at = start + length

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._file)
