"""A report as files: `NAME.report.html` and `NAME.report.json` beside the catalog's file, of its last run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import orjson

from overnight_models.quantities import spoken
from overnight_workers import on_disk
from overnight_workers.catalogs.pages import page
from overnight_workers.catalogs.report import plots
from overnight_workers.telemetry import logs

_CENT: Final = Decimal("0.01")

log = logs.get(__name__)


def write(directory: Path, document: Mapping[str, object]) -> None:
    """Write both files into a directory, in the places of those of the run before.

    A directory that can't be written is no reason not to end a run: Postgres keeps the report.
    """
    try:
        write_json(directory / f"{document['catalog']}.report.json", document)
        write_page(directory / f"{document['catalog']}.report.html", document)
    except OSError as error:
        name = document["run"]
        log.warning("the report isn't written: `overnight runs show RUN --html PATH` does", run=name, error=str(error))


def write_json(path: Path, document: Mapping[str, object]) -> None:
    """Write it as JSON."""
    on_disk.put(path, lambda aside: aside.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"))


def write_page(path: Path, document: Mapping[str, Any]) -> None:
    """Write it as one HTML page that needs no network."""
    page.write(
        path,
        "report",
        report=document,
        plots=plots_of(document),
        time=_time,
        usd=short_usd,
        spoken=spoken,
        fields=_fields(document["drawn"]),
    )


def plots_of(document: Mapping[str, Any]) -> list[plots.Plot]:
    """The plots for which there is something to be drawn."""
    nights, progress, lengths = document["nights"], document["progress"], document["lengths"]["output"]
    days = [night["began_at"][5:10] for night in nights]
    drawn = []
    if progress:
        x = [max(moment["seconds"], 0.0) for moment in progress]
        y = [[moment[name] for moment in progress] for name in ("rows", "ok")]
        drawn.append(plots.lines("Rows answered since the run began; of use below", x, y, say_x=spoken))
    if any(night["sent"] for night in nights):
        cost = [float(night["usd"]) for night in nights]
        drawn.append(plots.bars("Dollars a run", cost, days, say=short_usd, last_is_marked=True))
        bad = [float(night["problems"]) for night in nights]
        drawn.append(plots.bars("Problems a run", bad, days, say=_whole, last_is_marked=True))
    if lengths:
        names = [f"{part['from']:,}" + (f" to {part['to']:,}" if part["to"] > part["from"] else "") for part in lengths]
        rows = [float(part["rows"]) for part in lengths]
        begins = [f"{part['from']:,}" for part in lengths]
        drawn.append(plots.bars("Rows by the tokens of their answers", rows, begins, titles=names, say=_whole))
    return drawn


def short_usd(amount: str | float | Decimal) -> str:
    """Dollars for a person: cents, or two digits that count where it is less."""
    value = Decimal(str(amount))
    sign, size = "-" if value < 0 else "", abs(value)
    if size >= 1 or not size:
        return f"{sign}${size.quantize(_CENT):,}"
    places = max(2, 1 - size.adjusted())
    return f"{sign}${round(size, places):f}"


def _whole(value: float) -> str:
    """A number of rows; nothing for a part of a row."""
    return f"{value:,.0f}" if value == round(value) else ""


def _time(text: str | None) -> str:
    return "" if text is None else f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}"


def _fields(drawn: list[dict[str, dict[str, object] | None]]) -> list[str]:
    """The columns of the drawn rows, in the order in which they come."""
    return list(dict.fromkeys(name for row in drawn for side in ("before", "now") for name in row[side] or {}))
