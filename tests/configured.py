"""Settings from a file's text and from variables, for the tests of what is said of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from overnight_models.errors import BadSettings
from overnight_workers.settings import Settings

Given = Callable[..., Settings]
"""The fixture `given`: file="", and variables without their prefix."""


def faults(given: Given, file: str = "", **environment: str) -> list[str]:
    """What is wrong with them."""
    with pytest.raises(BadSettings) as caught:
        given(file, **environment)
    return caught.value.faults
