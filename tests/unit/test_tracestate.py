"""What tracing systems add to a trace is carried as it is, cut to its bound by whole members, or not at all."""

from __future__ import annotations

import pytest

from overnight_models.wire.traceparent import fields, read_tracestate


@pytest.mark.parametrize(
    "given",
    [
        "vendor=1",
        "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
        "fw529a3039@dt=FfffffB1,a/b*c-d_e=x y !#$",
        ",".join(f"k{n}=v" for n in range(32)),
    ],
)
def test_of_its_form_it_passes_through(given: str) -> None:
    assert read_tracestate(given) == given


def test_spaces_around_members_and_empty_members_are_left_out() -> None:
    assert read_tracestate("a=1 ,\tb=2,,") == "a=1,b=2"


@pytest.mark.parametrize(
    "given",
    [
        None,
        5,
        "",
        " , ",
        "vendor",
        "Vendor=1",
        "=1",
        "a=",
        "a=b=c",
        "a=é",
        "a=1\nb=2",
        "a=1,a=2",
        "1a=no tenant",
        "a@=1",
        f"{'k' * 257}=1",
        f"a={'x' * 257}",
        ",".join(f"k{n}=v" for n in range(33)),
        "a=1," * 100_000,
    ],
)
def test_malformed_it_is_left_out(given: object) -> None:
    assert read_tracestate(given) is None


def test_too_long_its_large_members_are_left_out_first_and_then_the_last_ones() -> None:
    small = [f"k{n}={'v' * 57}" for n in range(8)]  # eight of sixty or so characters and their commas: 487
    large = f"big={'x' * 200}"
    assert read_tracestate(",".join([large, *small])) == ",".join(small)
    many = [f"key{n}={'v' * 94}" for n in range(10)]
    cut = read_tracestate(",".join(many))
    assert cut == ",".join(many[:5])
    assert len(cut) <= 512


def test_without_a_span_nothing_is_sent() -> None:
    assert fields(None, "a=1") == {}
    assert fields("00-x", None) == {"traceparent": "00-x"}
