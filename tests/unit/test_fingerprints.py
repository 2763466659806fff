"""Problems grouped by what they say, without what may be of a request or an answer."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from overnight_models.ledger.operators.problems import SaidProblem
from overnight_workers.operators.fingerprints import grouped, masked

AT = datetime(2026, 11, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("problem", "detail", "text"),
    [
        (
            "errored",
            "invalid_request_error: prompt is 200,001 tokens long",
            "invalid_request_error: prompt is # tokens long",
        ),
        ("errored", 'no such file "secret plan.pdf", file_011CNha8iCJcU1wXNR6q4V8w', "no such file …, …"),
        ("errored", "trace 0af7651916cd43dd8448eb211c80319c is unknown", "trace … is unknown"),
        (
            "invalid_output",
            'at patients/Ada Lovelace: the value is not of type "string"',
            "at …: the value is not of type …",
        ),
        (
            "invalid_output",
            "at the top: Additional properties are not allowed ('diagnosis' was unexpected)",
            "at …: Additional properties are not allowed (…)",
        ),
        ("refused", "bio: You asked how to make the thing", "bio"),
        ("errored", "「机密」 is wrong", "… is wrong"),
        (None, "HTTP 503 for 12 s, after 4 tries", "HTTP 503 for # s, after # tries"),
    ],
)
def test_numbers_ids_quotations_and_names_of_an_answer_are_left_out(
    problem: str | None, detail: str, text: str
) -> None:
    assert masked(problem, detail) == text


def test_a_thousand_of_a_kind_are_one_group_in_each_lane() -> None:
    said = [
        SaidProblem(lane, "errored", f"batch {n} is too long", [2 * n, 2 * n + 1], AT, AT)
        for n in range(500)
        for lane in "ab"
    ]
    groups = grouped([*said, SaidProblem("a", "errored", "another", [7], AT, AT)])
    assert [(group.lane, group.n, group.text) for group in groups] == [
        ("a", 1000, "batch # is too long"),
        ("b", 1000, "batch # is too long"),
        ("a", 1, "another"),
    ]
    assert groups[0].newest_items == tuple(range(999, 899, -1))
    assert groups[2].newest_items == (7,)
    assert groups[0].fingerprint == groups[1].fingerprint != groups[2].fingerprint
