"""Rows whose prompts are longer than `max_input_tokens`: how many there are, before anything is sent.

A few rows are rendered; of all others the lengths of their cells are known. What a prompt has beside its cells is taken
from the rows that were rendered, so the number is an estimate as soon as not every row was.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from overnight_workers.catalogs import lengths
from overnight_workers.catalogs.cells import quoted
from overnight_workers.catalogs.declaration import Catalog

if TYPE_CHECKING:
    from overnight_workers.catalogs.opened import Opened
    from overnight_workers.catalogs.rows import Row


@dataclass(frozen=True)
class Longer:
    """So many rows of a reason are too long, by the estimate of their tokens that decides about each."""

    rows: int
    at_least: int
    """Those that were rendered and are too long; all of them where each row was."""
    is_counted: bool
    """Each row was rendered."""
    fate: str
    """What becomes of them."""

    def document(self) -> dict[str, object]:
        """As JSON."""
        how = "counted" if self.is_counted else "estimated"
        return {"rows": self.rows, "at_least": self.at_least, "how": how, "what": self.fate}


class Lengths:
    """The lengths of rows that were rendered."""

    def __init__(self, catalog: Catalog) -> None:
        prompt = catalog.prompt
        self._limit = prompt.max_input_tokens
        self._media = {*prompt.images, *prompt.pdfs}
        self._fate = {
            "refuse": "refused",
            "cut": f"cut, at the end of {prompt.cut_column}",
            "model": f"asked of {prompt.longer_model}",
        }[prompt.when_longer]
        self._beside: list[int] = []
        self._too_long = 0

    def note(self, row: Row, tokens: int | None) -> None:
        """One row was rendered. tokens: of its whole prompt, as estimated; None where there is no limit, or none."""
        if tokens is None or self._limit is None:
            return
        of_cells = sum(len(cell.encode()) for name, cell in row.cells.items() if cell and name not in self._media)
        self._beside.append(tokens * lengths.BYTES_PER_TOKEN - of_cells)
        self._too_long += tokens > self._limit

    def longer(self, source: Opened, reason: int, rows: int, looked_at: int) -> Longer | None:
        """How many rows of a reason are too long; None where none is, or there is no limit.

        rows: of the reason. looked_at: how many of them were rendered, or couldn't be.
        """
        if self._limit is None or not self._beside:
            return None
        is_counted = looked_at >= rows
        number = self._too_long if is_counted else max(self._by_cells(source, reason), self._too_long)
        return Longer(number, self._too_long, is_counted, self._fate) if number else None

    def _by_cells(self, source: Opened, reason: int) -> int:
        assert self._limit is not None, "asked before"
        room = self._limit * lengths.BYTES_PER_TOKEN - median(self._beside)
        cells = [quoted(name) for name in source.rows.recipe.columns if name not in self._media]
        of_cells = " + ".join(f"coalesce(strlen({cell}), 0)" for cell in cells) or "0"
        ((number,),) = source.connection.execute(f"""
            SELECT count(*) FROM (SELECT {source.rows.hash} AS n, {of_cells} AS bytes {source.rows.source}) AS each_row
            JOIN judged USING (n) WHERE judged.reason = {int(reason)} AND bytes > {room}
        """).fetchall()
        return int(number)
