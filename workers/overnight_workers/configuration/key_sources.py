"""Where an API key is: in a variable of the environment, in a file, or what a command prints. Never the key itself."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Final, Literal

from overnight_workers.configuration.kinds import text

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KINDS: Final = ("env", "file", "command")


@dataclass(frozen=True)
class KeySource:
    """Where a key is read, again and again: files and commands may have another one tomorrow."""

    kind: Literal["env", "file", "command"]
    place: str
    """The variable, the path, or the command's words."""

    @property
    def spoken(self) -> str:
        """For a person; of a command only the program, since its arguments may be secret."""
        return f"command {shlex.split(self.place)[0]}" if self.kind == "command" else self.place


def key_source(given: object) -> KeySource:
    """The source that a setting names. Nothing of another text is shown: it may be the key itself."""
    kind, _, place = text(given).strip().partition(":")
    place = place.strip()
    if kind not in _KINDS or not place:
        raise ValueError("it says where the key is (env:NAME, file:PATH, command:PROGRAM ARGUMENTS), and isn't the key")
    if kind == "env" and _VARIABLE.fullmatch(place) is None:
        raise ValueError("behind env: stands the name of the environment variable that holds the key, and not the key")
    if kind == "command":
        try:
            words = shlex.split(place)
        except ValueError as error:
            raise ValueError(f"behind command: stand a program and its arguments, as for a shell: {error}") from None
        if not words:
            raise ValueError("behind command: stand a program and its arguments")
    return KeySource(kind, place)  # type: ignore[arg-type]
