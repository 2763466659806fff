"""Where a secret is: in a variable of the environment, in a file, or what a command prints. Never the secret itself.

An API key, or a URL with a password. **Invariant:** no secret, and nothing that a command prints, is in an error.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from overnight_workers.configuration.kinds import text

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
KINDS: Final = ("env", "file", "command")
KEY: Final = re.compile(r"[!-~]+")
"""One word of ASCII characters: what can be sent as a header."""
_WITHIN_S: Final = 20.0


Check = Callable[[str], str | None]
"""What is wrong with what a source holds, without a word of it; None: nothing."""


class NoKey(Exception):
    """Why a source has no key."""


def one_word(key: str) -> str | None:
    """What is wrong with a key that is sent as a header."""
    return None if KEY.fullmatch(key) else "a key is one word of ASCII characters"


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

    def read(self, check: Check = one_word) -> str:
        """What is there now. Raises NoKey, also where the check finds something wrong with it."""
        return _READ[self.kind](self, check)


def key_source(given: object) -> KeySource:
    """The source that a setting names. Nothing of another text is shown: it may be the key itself."""
    kind, _, place = text(given).strip().partition(":")
    place = place.strip()
    if kind not in KINDS or not place:
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


def _of_env(source: KeySource, check: Check) -> str:
    return _checked(os.environ.get(source.place, ""), f"set {source.place}", f"{source.place} holds no key", check)


def _of_file(source: KeySource, check: Check) -> str:
    try:
        written = Path(source.place).read_text()
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is no text"
        raise NoKey(f"file {source.place} can't be read: {said}") from None
    return _checked(written, f"file {source.place} is empty", f"file {source.place} holds no key", check)


def _of_command(source: KeySource, check: Check) -> str:
    words, place = shlex.split(source.place), source.spoken
    try:
        # its errors aren't shown: they may quote what it was given, or what it found
        done = subprocess.run(words, capture_output=True, timeout=_WITHIN_S, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise NoKey(f"{place} didn't end within {_WITHIN_S:.0f} s") from None
    except OSError as error:
        raise NoKey(f"{place} can't be run: {error.strerror}") from None
    if done.returncode:
        raise NoKey(f"{place} ended with {done.returncode}: run it by hand to see why")
    return _checked(done.stdout.decode(errors="replace"), f"{place} printed nothing", f"{place} printed no key", check)


_READ: Final = {"env": _of_env, "file": _of_file, "command": _of_command}


def _checked(written: str, empty: str, no_key: str, check: Check) -> str:
    """A key without what surrounds it, such as a file's last newline."""
    key = written.strip()
    if not key:
        raise NoKey(empty)
    if (why := check(key)) is not None:
        raise NoKey(f"{no_key}: {why}")
    return key
