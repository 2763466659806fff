"""The process that forks others for tests. A process of tests has one, whoever asks first starts it.

So it has imported what any of its children needs: a child that imports for itself takes a second for each life.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module, reload
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import pytest
import typer

from overnight_workers.one_machine.supervision import leash

processes: Final = get_context("forkserver")
_PRELOADED: Final = [
    "pytest",
    "tests.chaos.life",
    "tests.chaos.warm",
    "numpy",
    "duckdb",
    "overnight_workers.cli",
    "overnight_workers.sandbox.command",
    "overnight_workers.sandbox.http.server",
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


class Program:
    """`overnight …`, `celery …` or the sandbox in a process of its own, without the imports: 2 s of a processor.

    What it says goes into files; the rest is as of `subprocess.Popen`. It dies when the process of tests does.
    environment: the whole of it; by default that of the test.
    errors: where its standard error goes, if not to `out`.
    """

    def __init__(
        self,
        argv: Sequence[str],
        out: Path,
        *,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        errors: Path | None = None,
    ) -> None:
        own = dict(os.environ if environment is None else environment)
        wish = (list(argv), own, directory or Path.cwd(), out, errors or out)
        for file in wish[3:]:
            file.touch()  # whoever waits for a word of it reads at once
        self._process = processes.Process(target=_become, args=wish)
        with forked():
            self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """How it ended; None: it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """How it ended; None: it runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Until it has ended, and how. Raises subprocess.TimeoutExpired after so many seconds."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("a forked program", timeout or 0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


def run_program(
    argv: Sequence[str], *, environment: Mapping[str, str], directory: Path | None = None, timeout_s: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, without a word on its standard input. Raises subprocess.TimeoutExpired."""
    with tempfile.TemporaryDirectory(prefix="overnight-tests-") as place:
        out, errors = Path(place, "out"), Path(place, "errors")
        program = Program(argv, out, environment=environment, directory=directory, errors=errors)
        try:
            code = program.wait(timeout_s)
        except subprocess.TimeoutExpired:
            program.kill()
            raise
        return subprocess.CompletedProcess(list(argv), code, out.read_text(), errors.read_text())


# --- in the process ------------------------------------------------------------------------------------------------


def _become(argv: list[str], environment: dict[str, str], directory: Path, out: Path, errors: Path) -> None:
    """Be as a new process that has read its variables, and run the program."""
    leash.put_on(os.getppid(), signal.SIGKILL)
    # whoever starts tests in the background may have had it ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, file in ((1, out), (2, errors)):
        with file.open("ab") as opened:
            os.dup2(opened.fileno(), number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    tempfile.tempdir = None
    time.tzset()
    if argv[0] != "sandbox":  # it has none
        _read_variables_again()
    sys.argv = list(argv)
    try:
        _PROGRAMS[argv[0]]()
    finally:
        atexit._run_exitfuncs()  # a child of `multiprocessing` ends without


def _read_variables_again() -> None:
    """What was imported has read those of a place without servers."""
    from overnight_workers import held
    from overnight_workers.celery_worker import celery_app, stopping
    from overnight_workers.settings import settings

    late = sys.modules.keys() & {"billiard.common", "celery.apps.worker", "celery.concurrency.prefork"}
    assert not late, f"{late} read variables as they are imported, and workers differ in them"
    reload(stopping)  # memory that all who are forked here would share
    settings.cache_clear()
    held.forget()
    if {"OVERNIGHT_DATABASE_URL", "OVERNIGHT_REDIS_URL"} <= os.environ.keys():
        celery_app.configure()
        app: Any = celery_app.app
        app._after_fork()


def _overnight() -> None:
    from overnight_workers.command import main

    main()


def _sandbox() -> None:
    from overnight_workers.sandbox.command import sandbox

    typer.run(sandbox)


def _celery() -> None:
    from celery.__main__ import main

    from overnight_workers.celery_worker.celery_app import app
    from overnight_workers.flower_tab import command

    if "flower" in sys.argv:
        # Celery loads Flower first, and then the app, which looks for it
        import_module("flower.command")
        command.install(app)
    main()


_PROGRAMS: Final = {"overnight": _overnight, "celery": _celery, "sandbox": _sandbox}
