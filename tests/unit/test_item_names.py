"""How people know an item: a catalog's row by its own key, and not by hashes."""

from __future__ import annotations

from typing import Any, cast

import pytest

from overnight_workers.operators.words import item_name

ROW = f"catalog/shop/{'0a' * 16}/-/{'1b' * 8}"


class Named:
    def __init__(self, key: str, trace_id: str | None) -> None:
        self.key, self.trace_id = key, trace_id


@pytest.mark.parametrize(
    ("key", "trace_id", "name"),
    [
        (ROW, '["A1"]', "shop: A1"),
        (ROW.replace("/-/", "/de/"), '["A1","Köln"]', "shop: A1, Köln (de)"),
        (ROW, None, ROW),
        (ROW, "a trace of something else", ROW),
        ("copy:A1:7", '["A1"]', "copy:A1:7"),
        ("catalog/of/a/product", '["A1"]', "catalog/of/a/product"),
    ],
)
def test_the_name_of_an_item(key: str, trace_id: str | None, name: str) -> None:
    assert item_name(cast(Any, Named(key, trace_id))) == name
