"""A host, and what can only be the rest of a password."""

from __future__ import annotations

import pytest

from overnight_models.host_name import is_host


@pytest.mark.parametrize("text", ["", "db-1.example.com", "::1", "[fe80::1%eth0]", "/run/postgresql"])
def test_what_can_be_a_host(text: str) -> None:
    assert is_host(text)


@pytest.mark.parametrize("text", ["?#%& ;'", "a,b", "x&y", "p+w", "a b"])
def test_what_can_only_be_the_rest_of_a_password(text: str) -> None:
    assert not is_host(text)
