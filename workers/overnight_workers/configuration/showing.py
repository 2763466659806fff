"""Options as a person would write them, to be shown: of lanes, which hold no secret."""

from __future__ import annotations


def options(of: object) -> dict[str, object]:
    """By name, each option of a frozen table of the settings, in JSON."""
    return {name: _shown(value) for name, value in vars(of).items()}


def _shown(value: object) -> object:
    if isinstance(value, tuple):
        return [_shown(part) for part in value]
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)
