"""The process that forks others for tests. A process of tests has one, whoever asks first starts it.

So it has imported what any of its children needs: a child that imports for itself takes a second for each life.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Final

import pytest

processes: Final = get_context("forkserver")
_PRELOADED: Final = [
    "pytest",
    "anthropic.resources.messages.batches",
    "tests.chaos.life",
    "tests.chaos.warm",
    "numpy",
    "duckdb",
    "overnight_workers.plan.making",
    "tests.stages.catalogs.test_runs_killed",
]


@contextmanager
def forked() -> Iterator[None]:
    """Where a process is started that may be the first: the app that is imported asks at once where servers are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OVERNIGHT_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")
        patch.setenv("OVERNIGHT_REDIS_URL", "redis://127.0.0.1:1/0")
        processes.set_forkserver_preload(_PRELOADED)
        yield
