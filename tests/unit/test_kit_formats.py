"""A format that a schema asks for is judged in a product's tests as the workers judge it."""

from __future__ import annotations

import json

import pytest

from overnight_producers.testing import formats, schema
from overnight_workers.stages import output_schema

TEXTS = (
    *formats.EXAMPLES.values(),
    *(
        "",
        " ",
        "no",
        "2026-02-30",
        "2026-2-3",
        "20261130",
        "2026-11-30T25:00:00Z",
        "2026-11-30T08:00:00",
        "2026-11-30 08:00",
    ),
    *(
        "08:00",
        "8:00",
        "24:01:00",
        "08:00:00Z",
        "08:00:00+02:00",
        "P1D",
        "P",
        "PT",
        "P1Y2M3DT4H5M6S",
        "P2W",
        "1h",
        "P1W2D",
    ),
    *("a@b", "a.b@example.com", ".a@example.com", "a@", "@example.com", "a b@example.com", "a@exam ple.com", "a@@b.c"),
    *("shop", "-shop.example", "shop-.example", "a.b.c", "a..b", "x" * 64, "192.0.2", "192.0.2.256", "192.0.2.01"),
    *("::1", "2001:db8::g", "fe80::1%eth0", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:9", "::ffff:192.0.2.1"),
    *(
        "http://",
        "mailto:a@b",
        "//example.com/x",
        "no uri",
        "http://a b",
        "http://example.com/%zz",
        "urn:isbn:1",
        "1a:b",
    ),
    *(
        "00000000-0000-4000-8000-00000000000",
        "0000000000004000800000000000000f",
        "{00000000-0000-4000-8000-000000000000}",
    ),
)


@pytest.mark.parametrize("name", sorted(formats.CHECKS))
def test_each_text_is_judged_as_the_workers_judge_it(name: str) -> None:
    of_format = {"type": "string", "format": name}
    check = output_schema.check(json.dumps(of_format))
    by_workers = {text: check(json.dumps(text)) is None for text in TEXTS}
    assert {text: schema.fault(of_format, text) is None for text in TEXTS} == by_workers
    assert by_workers[formats.EXAMPLES[name]]
    assert not all(by_workers.values())


@pytest.mark.parametrize("name", sorted(formats.CHECKS))
def test_what_is_made_of_a_schema_is_of_its_format(name: str) -> None:
    assert schema.fitting({"type": "string", "format": name}) == formats.EXAMPLES[name]


def test_a_format_that_nobody_knows_says_nothing() -> None:
    assert schema.fault({"type": "string", "format": "sku"}, "A1") is None
    assert schema.fault({"type": "integer", "format": "date"}, 5) is None


def test_a_fault_says_where_and_which_format() -> None:
    asked = {"type": "object", "properties": {"due": {"type": "string", "format": "date"}}}
    assert schema.fault(asked, {"due": "soon"}) == "/due: 'soon' is no date"
