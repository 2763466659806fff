"""What sources and sinks of every kind need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import mariadb


@pytest.fixture(scope="session")
def mariadb_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an empty database in a MariaDB of the tests' own; skips where none is installed."""
    directory: Path = tmp_path_factory.mktemp("mariadb")
    with mariadb.running(directory) as url:
        yield url
