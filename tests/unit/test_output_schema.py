"""The formats of an answer's texts, whatever draft the schema names."""

from __future__ import annotations

import orjson
import pytest

from overnight_workers.stages.output_schema import check

DRAFTS = ("", "http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2020-12/schema")


@pytest.mark.parametrize("draft", DRAFTS)
@pytest.mark.parametrize(
    ("form", "text", "fits"),
    [
        ("date", "2026-11-30", True),
        ("date", "next Friday", False),
        ("date-time", "2026-11-30T08:00:00Z", True),
        # as a pydantic class takes it
        ("date-time", "2026-11-30T08:00:00", True),
        ("date-time", "tomorrow at 8", False),
        ("time", "08:00:00", True),
        ("time", "at 8", False),
        ("email", "ann@example.com", True),
        ("email", "ann", False),
        ("uuid", "00000000-0000-4000-8000-000000000000", True),
        ("uuid", "0", False),
        ("a-format-of-their-own", "anything", True),
    ],
)
def test_a_format_is_checked_whatever_draft_the_schema_names(draft: str, form: str, text: str, fits: bool) -> None:
    schema = {"type": "string", "format": form} | ({"$schema": draft} if draft else {})
    wrong = check(orjson.dumps(schema).decode())(orjson.dumps(text).decode())
    assert (wrong is None) == fits
    assert text not in str(wrong), "no value is quoted"
