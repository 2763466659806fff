"""Encryption keys as the configuration has them: `[encryption.NAME]`, and `encrypt` of a lane."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from overnight_workers.configuration.key_sources import KeySource, key_source
from overnight_workers.configuration.kinds import optional, text
from overnight_workers.configuration.reading import Faults, required_secret, setting


@dataclass(frozen=True, kw_only=True)
class Encryption:
    """`[encryption.NAME]`: keys that bodies are encrypted by, at rest."""

    keys: KeySource = required_secret(key_source)
    """Where they are: `env:NAME`, `file:PATH`, or `command:PROGRAM ARGUMENTS`, which prints them. One a line, 32 bytes
    in base64 (`overnight encryption new`): the first one is written by, all are read by."""


@dataclass(frozen=True, kw_only=True)
class LaneEncrypts:
    """The option of `[lanes.NAME]` about encryption."""

    encrypt: str | None = setting(optional(text), None)
    """The NAME of `[encryption.NAME]` by which its requests and answers are encrypted at rest; None: they aren't."""


def encryption_fits(lanes: Mapping[str, LaneEncrypts], encryption: Mapping[str, Encryption], faults: Faults) -> None:
    """Whatever encrypts names keys, and can encrypt."""
    for name, lane in lanes.items():
        at = ("lanes", name, "encrypt")
        if lane.encrypt is None or not faults.is_right(*at) or not faults.is_right("encryption"):
            continue
        if lane.encrypt not in encryption:
            faults.add(at, f"there is no [encryption.{lane.encrypt}]")
        elif find_spec("cryptography") is None:
            faults.add(at, "this needs the extra `encryption`: pip install 'overnight[encryption]'")


def encryption_variables(given: object) -> list[str]:
    """The variables that hold keys, in a table `[encryption]` that nobody has checked."""
    tables = [part for part in given.values() if isinstance(part, Mapping)] if isinstance(given, Mapping) else []
    places = [place for part in tables if isinstance(place := part.get("keys"), str)]
    return [place.partition(":")[2].strip() for place in places if place.strip().startswith("env:")]
