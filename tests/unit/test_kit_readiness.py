"""The kit's service waits for the word that everything is ready, and for no sentence that has these words in it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from overnight_models.errors import BadSettings
from overnight_producers.testing import service


def test_a_service_that_says_it_is_not_ready_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    says = 'print("overnight: intake isn\'t ready after 60 s")'
    monkeypatch.setattr(service, "_COMMAND", (sys.executable, "-c", says))
    refused = pytest.raises(BadSettings, match="didn't start:\novernight: intake isn't ready after 60 s")
    with refused, service.running_service(tmp_path):
        pass
