"""Which item a caller means."""

from __future__ import annotations

from typing import Any

import pytest

from overnight_producers.questions import About


@pytest.mark.parametrize("receipt", ["copy:A1", 7, {"key": "copy:A1"}])
def test_a_key_in_place_of_a_receipt_is_answered_by_how_a_key_is_said(receipt: Any) -> None:
    with pytest.raises(TypeError, match=r"a receipt is what `enqueue` returns, and not \w+: a key is said as key="):
        About.of(receipt, None, "default")
