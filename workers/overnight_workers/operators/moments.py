"""A moment as an operator writes it, in a command or in a URL: an age, or a date and a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from overnight_models.quantities import seconds


def moment(text: str, name: str, now: datetime | None = None) -> datetime:
    """`2h` ago, or `2026-11-30T06:00` (UTC unless it says otherwise). Raises ValueError. name: whose value it is."""
    try:
        return (now or datetime.now(UTC)) - timedelta(seconds=seconds(text))
    except (ValueError, OverflowError):
        pass
    try:
        read = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise ValueError(f"{name} is an age such as '2h', or a moment such as 2026-11-30T06:00, not {text!r}") from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def written(moment_: datetime) -> str:
    """The same moment, as a URL bears it: what `moment` reads again."""
    return moment_.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
