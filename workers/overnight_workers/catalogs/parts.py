"""What can be read of a catalog's file, and what is wrong with the file so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from overnight_workers.catalogs.declaration import DeclaredOutput, DeclaredPrompt, DeclaredSink, DeclaredSource
from overnight_workers.catalogs.faults import BadCatalog
from overnight_workers.catalogs.lines import Path as Place
from overnight_workers.catalogs.lines import line_of


@dataclass
class Faults:
    """What is wrong with a file so far."""

    file: Path
    lines: Mapping[Place, int] = field(default_factory=dict)
    said: dict[str, int] = field(default_factory=dict)
    """Sentences, with their lines: one is said once."""

    def add(self, place: Place, text: str, *, lines_below: int = 0) -> None:
        """Something is wrong at that place. lines_below: of a text of many lines, how far down in it."""
        line = line_of(place, self.lines) + lines_below
        named = ".".join(map(str, place))
        self.said.setdefault(f"{self.file}:{line}: {named}{': ' if named else ''}{text}", line)

    def stop(self) -> None:
        """Raise BadCatalog if anything is wrong, in the order of the file."""
        if self.said:
            raise BadCatalog(str(self.file), sorted(self.said, key=lambda sentence: self.said[sentence]))


@dataclass(frozen=True)
class Parts:
    """What of a file can be read: None for a part that is wrong in itself."""

    directory: Path
    text: str
    source: DeclaredSource | None
    prompt: DeclaredPrompt | None
    output: DeclaredOutput | None
    sink: DeclaredSink | None
    key: tuple[str, ...]
    variants: Mapping[str, Mapping[str, str]]
    params: Mapping[str, object]
    """Model, max_tokens and the rest, as they are written."""
    lane: str
    schedule: str | None
    time_zone: str | None
    betas: tuple[str, ...]
