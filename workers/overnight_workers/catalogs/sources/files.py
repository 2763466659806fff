"""The file of a source: local, or behind a URL that fsspec opens; packed or not; in whatever encoding."""

from __future__ import annotations

import codecs
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from overnight_models.errors import OvernightError
from overnight_workers.catalogs.declaration import PACKED, DeclaredSource
from overnight_workers.catalogs.faults import BadSource

_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_CHUNK: Final = 1 << 20
_BOMS: Final = (codecs.BOM_UTF8,)


def is_url(path: str) -> bool:
    """Whether it is one that fsspec opens, and no local path."""
    return _URL.match(path) is not None


def place_of(declared: DeclaredSource, directory: Path) -> str:
    """The path or URL, from the catalog file's directory."""
    assert declared.path is not None, "a file's source"
    return declared.path if is_url(declared.path) else str(directory / Path(declared.path).expanduser())


@contextmanager
def opened(place: str) -> Iterator[IO[bytes]]:
    """The bytes of a path or URL, unpacked by the end of its name. Raises BadSource when they can't be read."""
    import fsspec

    try:
        with fsspec.open(place, "rb", compression="infer") as file:
            yield file
    except OvernightError:
        raise
    except Exception as error:  # each way of packing, and each place, has errors of its own
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadSource([f"{place} can't be read: {why}"]) from error


def is_plain(place: str) -> bool:
    """Whether DuckDB can read it where it lies."""
    return not is_url(place) and not place.lower().endswith(PACKED)


def local(place: str, room: Path, *, end: str) -> Path:
    """A file on this machine with the same bytes, unpacked: itself, or a copy in the room."""
    if is_plain(place):
        if not Path(place).is_file():
            raise BadSource([f"{place} can't be read: there is no such file"])
        return Path(place)
    copy = room / f"source{end}"
    with opened(place) as source, copy.open("wb") as target:
        shutil.copyfileobj(source, target, _CHUNK)
    return copy


def as_utf8(place: str, encoding: str, room: Path, *, end: str) -> Path:
    """The same text as UTF-8 without a mark at its beginning: itself where it is that, else a copy in the room.

    Flat memory. Raises BadSource where the bytes aren't of the encoding, with the line.
    """
    known = _codec(encoding, place)
    if known in ("utf-8", "ascii") and is_plain(place) and not _has_bom(place):
        return local(place, room, end=end)
    copy = room / f"utf8{end}"
    decoder = codecs.getincrementaldecoder("utf-8-sig" if known == "utf-8" else known)()
    lines, is_first = 1, True
    with opened(place) as source, copy.open("wb") as target:
        while True:
            chunk = source.read(_CHUNK)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                lines += error.object[: error.start].count(b"\n")
                wrong = error.object[error.start : error.start + 4].hex(" ")
                raise BadSource([f"{place}:{lines}: the bytes {wrong} aren't {encoding}"]) from error
            if is_first:
                text, is_first = text.removeprefix("\ufeff"), not text
            lines += text.count("\n")
            target.write(text.encode())
            if not chunk:
                return copy


def decoded(beginning: bytes, encoding: str, place: str) -> str:
    """The text of a file's first bytes; what is cut off at their end is left out."""
    known = _codec(encoding, place)
    decoder = codecs.getincrementaldecoder("utf-8-sig" if known == "utf-8" else known)(errors="replace")
    return decoder.decode(beginning)


def _codec(encoding: str, place: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError as error:
        raise BadSource([f"{place}: there is no encoding {encoding!r}: write one that Python knows"]) from error


def _has_bom(place: str) -> bool:
    with opened(place) as file:
        return file.read(4).startswith(_BOMS)
