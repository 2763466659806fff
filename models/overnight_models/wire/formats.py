"""Formats of a JSON schema (`format`) whose values Python reads: judged as a product reads them afterwards.

The workers and a product's tests go by these; of others the workers' library has its own rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, time
from types import MappingProxyType
from typing import Final
from uuid import UUID

IsOf = Callable[[str], bool]


def is_read(read: Callable[[str], object], text: str) -> bool:
    """Whether it can be read: a ValueError says that it can't."""
    try:
        read(text)
    except ValueError:
        return False
    return True


def _is_moment(text: str) -> bool:
    """As Python and pydantic read it: without an offset, too."""
    return is_read(datetime.fromisoformat, text)


def _is_time(text: str) -> bool:
    return is_read(time.fromisoformat, text)


def _is_uuid(text: str) -> bool:
    return is_read(UUID, text)


READ_BY_PYTHON: Final[Mapping[str, IsOf]] = MappingProxyType(
    {"date-time": _is_moment, "time": _is_time, "uuid": _is_uuid}
)
"""By the name of the format."""
