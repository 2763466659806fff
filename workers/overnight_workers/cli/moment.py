"""A moment as a person gives it to a command."""

from __future__ import annotations

from datetime import datetime

from overnight_models.errors import PermanentError
from overnight_workers.operators import moments


def moment(text: str | None, option: str = "--since") -> datetime | None:
    """`2h` ago, or `2026-11-23T18:00` (UTC unless it says otherwise). Raises PermanentError for anything else.

    option: whose value it is.
    """
    try:
        return None if text is None else moments.moment(text, option)
    except ValueError as error:
        raise PermanentError(str(error)) from error
