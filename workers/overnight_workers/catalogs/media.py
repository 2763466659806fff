"""Images and PDFs that a column names: by URL, by the path of a file, or by the id of one of Anthropic's Files."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Final, Literal

from overnight_workers.catalogs.declaration import Media
from overnight_workers.catalogs.faults import BadRow, BadSource
from overnight_workers.catalogs.sources import files

Kind = Literal["image", "document"]

_URL: Final = re.compile(r"https?://\S+")
_FILE_ID: Final = re.compile(r"file_[A-Za-z0-9_-]+")
_BEGINNINGS: Final = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"%PDF-"), "application/pdf"),
)
"""What a file is, by its first bytes: its name may say anything."""
_TAKEN: Final[dict[Kind, tuple[str, ...]]] = {
    "image": ("image/png", "image/jpeg", "image/gif", "image/webp"),
    "document": ("application/pdf",),
}


def block(kind: Kind, column: str, cell: str, media: Media, directory: Path) -> dict[str, object]:
    """The block of a request that shows what a cell names. directory: where paths begin from. Raises BadRow."""
    if media.by == "url":
        if _URL.fullmatch(cell) is None:
            raise BadRow(f"{column} is {cell[:60]!r}, which is no URL that begins with https://", column=column)
        return {"type": kind, "source": {"type": "url", "url": cell}}
    if media.by == "file":
        if _FILE_ID.fullmatch(cell) is None:
            raise BadRow(f"{column} is {cell[:60]!r}, which is no id of a file, such as file_011CNha…", column=column)
        return {"type": kind, "source": {"type": "file", "file_id": cell}}
    data = _read(column, cell, directory)
    media_type = next((name for beginning, name in _BEGINNINGS if beginning.match(data)), None)
    if media_type not in _TAKEN[kind]:
        wanted = "a PNG, JPEG, GIF or WebP" if kind == "image" else "a PDF"
        raise BadRow(f"{column}: the file {cell} is no {wanted.removeprefix('a ')}", column=column)
    return {
        "type": kind,
        "source": {"type": "base64", "media_type": media_type, "data": base64.b64encode(data).decode()},
    }


def _read(column: str, cell: str, directory: Path) -> bytes:
    place = cell if files.is_url(cell) else str(directory / cell)
    try:
        with files.opened(place) as file:
            return file.read()
    except BadSource as error:
        raise BadRow(f"{column}: {error}", column=column) from error
