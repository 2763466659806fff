"""A moment as a person gives it to a command."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from overnight_models.errors import PermanentError
from overnight_models.quantities import seconds


def moment(text: str | None, option: str = "--since") -> datetime | None:
    """`2h` ago, or `2026-11-23T18:00` (UTC unless it says otherwise). Raises PermanentError for anything else.

    option: whose value it is.
    """
    if text is None:
        return None
    try:
        return datetime.now(UTC) - timedelta(seconds=seconds(text))
    except ValueError:
        pass
    try:
        read = datetime.fromisoformat(text)
    except ValueError as error:
        raise PermanentError(f"{option} {text!r} is neither a duration ('2h') nor a time (2026-11-23T18:00)") from error
    return read if read.tzinfo else read.replace(tzinfo=UTC)
