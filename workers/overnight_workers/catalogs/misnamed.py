"""What a newcomer names where a catalog file is wanted: data, a directory, a catalog's name. Each with what to say."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Final

from overnight_workers.catalogs.declaration import kind_of

_SETTINGS: Final = "overnight.toml"
_SHOWN: Final = 5


def why_no_catalog(path: Path) -> str | None:
    """Why that path is no catalog file, and what to type; None where it may be one."""
    if path.is_dir():
        return f"{path} is a directory: name one catalog file{_of(_catalogs_in(path))}"
    if path.suffix != ".toml" and kind_of(path.name) is not None:
        return _data(path)
    if path.name == _SETTINGS:
        return f"{path} has the settings of Overnight: name a catalog file{_of(_catalogs_near(path))}"
    if path.exists():
        return None
    near = _catalogs_near(path)
    by_name = [file for file in near if path.name in (file.stem, file.name)]
    if by_name:
        return f"there is no file {path}: say {by_name[0]}"
    close = difflib.get_close_matches(path.stem, [file.stem for file in near], n=1)
    if close:
        meant = next(file for file in near if file.stem == close[0])
        return f"there is no file {path}: did you mean {meant}?"
    if path.suffix == ".toml":
        return None  # whoever reads it says that it isn't there
    if near:
        return f"there is no file {path}; near it there are {', '.join(map(str, near[:_SHOWN]))}"
    return f"there is no file {path}: `overnight catalog new DATA` writes a first catalog file for data"


def _data(path: Path) -> str:
    """Of a file of rows."""
    stem = path.name.partition(".")[0].lower()
    there = [file for file in _catalogs_near(path) if file.stem == stem]
    if there:
        return f"{path} is data, and no catalog file: its catalog file is {there[0]}"
    missing = "" if path.exists() else ", and isn't there"
    return (
        f"{path} is data, and no catalog file{missing}: `overnight catalog new {path}` writes a first catalog file for"
        " it, which says what is asked about each row"
    )


def _catalogs_near(path: Path) -> list[Path]:
    places = dict.fromkeys((path.parent, path.parent / "catalogs", Path(), Path("catalogs")))
    return list(dict.fromkeys(file for place in places for file in _catalogs_in(place)))


def _catalogs_in(directory: Path) -> list[Path]:
    return sorted(
        file for file in directory.glob("*.toml") if file.name not in (_SETTINGS, "pyproject.toml") and file.is_file()
    )


def _of(files: list[Path]) -> str:
    return f", such as {', '.join(map(str, files[:_SHOWN]))}" if files else ""
