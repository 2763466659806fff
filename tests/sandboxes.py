"""Sandboxes of one test, forked with everything imported: of the half second that a start takes a tenth is left."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from overnight_workers.sandbox.process import Process, Running
from tests.forking import Program


class ForkedSandbox(Running):
    """One of them. As somebody starts it, it is in `contract/test_sandbox_survival.py` and `faults`."""

    def _start(self, words: list[str]) -> tuple[Process, IO[bytes]]:
        said = self.data_dir / "said"
        said.unlink(missing_ok=True)
        os.mkfifo(said)
        reader = os.fdopen(os.open(said, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0)
        return Program(["sandbox", *words], said, errors=self.log), reader


@contextmanager
def forked_sandbox(data_dir: Path, *arguments: str) -> Iterator[Running]:
    """A sandbox for as long as the block lasts. arguments: as of `overnight sandbox`."""
    sandbox = ForkedSandbox(data_dir, *arguments)
    try:
        yield sandbox
    finally:
        sandbox.stop()
