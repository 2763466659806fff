"""How long the API wants to be left alone, in each form in which it says so."""

from __future__ import annotations

import pytest

from overnight_workers.anthropic_api.moments import retry_after_s

DATE = {"date": "Sun, 29 Nov 2026 22:00:00 GMT"}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "7.5"}, 7.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "7200"}, 7200.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "0", "retry-after": "3600"}, 0.0),
        ({"retry-after-ms": "soon", "retry-after": "3"}, 3.0),
        ({"retry-after": "Sun, 29 Nov 2026 22:01:30 GMT", **DATE}, 90.0),
        ({"retry-after": "Sunday, 29-Nov-26 22:01:30 GMT", **DATE}, 90.0),
        ({"retry-after": "2026-11-29T22:01:30Z", **DATE}, 90.0),
        ({"retry-after": "Sun, 29 Nov 2026 21:00:00 GMT", **DATE}, 0.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "Sun, 29 Nov 9999 22:01:30 GMT", **DATE}, None),
    ],
)
def test_it_is_read_in_seconds_milliseconds_and_as_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds
