"""Outcomes of a run: page by page, each once, whatever their number and size."""

from __future__ import annotations

import tracemalloc

from overnight_producers import Overnight
from tests.driving import Service, item, params


def test_a_run_of_several_pages_has_each_outcome_once_and_in_order(service: Service, product: Overnight) -> None:
    keys = [f"k{n}" for n in range(1_201)]
    service.accept(*(item(key) for key in keys), run="large")
    service.accept(item("other"), run="another")
    service.finish()
    assert product.wait(run="large", timeout=60) == {"succeeded": 1_201}
    assert [outcome.key for outcome in product.outcomes(run="large")] == keys
    assert [outcome.key for outcome in product.outcomes(run="another")] == ["other"]


def test_what_is_not_final_is_left_out(service: Service, product: Overnight) -> None:
    service.accept(item("a"), run="r")
    assert list(product.outcomes(run="r")) == []
    assert list(product.outcomes(run="nobody's")) == []


def test_only_one_problem_or_any_of_them(service: Service, product: Overnight) -> None:
    service.accept(item("good"), item("refused", fault="refused"), item("cut", fault="cut_off"), run="r")
    service.finish()
    assert [outcome.key for outcome in product.outcomes(run="r", problem="refused")] == ["refused"]
    assert [outcome.key for outcome in product.outcomes(run="r", problem="any")] == ["refused", "cut"]
    assert list(product.outcomes(run="r", lane="other")) == []


def test_memory_does_not_grow_with_a_runs_answers(service: Service, product: Overnight) -> None:
    """The answering side is in this process too, so a page is there several times."""
    for run, items in (("small", 50), ("large", 150)):
        asked = {
            f"{run}{n}": params(f"{run} {n}", fault="answer_bytes:200000", max_tokens=64_000) for n in range(items)
        }
        service.accept(*(item(key, params=request) for key, request in asked.items()), run=run)
    service.finish()
    peaks = {}
    for run, items in (("small", 50), ("large", 150)):
        tracemalloc.start()
        lengths = [len(outcome.text) for outcome in product.outcomes(run=run)]
        peaks[run] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert sum(lengths) > items * 190_000
    assert peaks["large"] < 1.5 * peaks["small"], "three times as many answers"
