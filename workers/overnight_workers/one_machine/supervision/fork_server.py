"""Forks Python processes that find their libraries imported: the fork server, and how it is asked.

    python -m overnight_workers.one_machine.supervision.fork_server SOCKET

`up` starts nine processes of Python. The libraries of a worker take one and a half seconds of a processor to import;
here that is done once, and their memory is shared. What is forked becomes a child of the supervisor, is on its leash,
and runs a module as `python -m` does. Only what looks at no variable as it is imported is imported here: each process
reads its own settings, and imports the Celery app and the stages' tasks, which are made from them.

Nothing depends on the fork server: without its answer a process is started the usual way (`child.py`).
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import json
import os
import runpy
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Final, NoReturn

from overnight_workers.one_machine.supervision import leash

_LIBRARIES: Final = (
    "asyncio",
    "celery.app.base",
    "celery.canvas",
    "click_repl",
    "httpcore2",
    "jsonschema_rs",
    "kombu.transport.redis",
    "orjson",
    "prometheus_client",
    "psycopg",
    "pydantic",
    "redis.asyncio",
    "sqlalchemy.dialects.postgresql.psycopg",
    "statistics",
    "structlog",
    "tornado.web",
)
"""What workers import of others, and no more: each of them has all of it in its memory. (Celery's command line imports
that of Flower, and a shell.) Of Celery only its app: what its workers run as (`billiard.common`) reads a variable as it
is imported, and they differ in it."""
_OURS: Final = (
    "overnight_workers.celery_worker.start_checks",
    "overnight_workers.celery_worker.waiting",
    "overnight_workers.operators.watch",
    "overnight_workers.stages.collect.schema_checks",
    "overnight_workers.stages.deliver.queue_looks",
    "overnight_workers.stages.direct.first_requests",
    "overnight_workers.stages.direct.replies",
    "overnight_workers.stages.measure.choosing",
    "overnight_workers.stages.retain",
    "overnight_workers.stages.routing.accepting",
    "overnight_workers.stages.submit.breakpoints",
    "overnight_workers.stages.webhooks.recording",
)
"""What workers import of Overnight, with all that these import: nothing that leads to the Celery app, which reads the
settings, nor to the memory that a worker shares with its children (`celery_worker.stopping`)."""

_PR_SET_NAME: Final = 15
_PR_SET_CHILD_SUBREAPER: Final = 36
_LONGEST_WISH: Final = 1_000_000
"""Bytes; an environment is most of it."""
_PATIENCE_S: Final = 3.0
_GO: Final = b"go"
_ADOPTION_POLL_S: Final = 0.001


@dataclass(frozen=True)
class Wish:
    """A process to fork.

    name: what `top` calls it.
    module: what it runs, as `python -m` would.
    directory: where it runs; None: where the fork server does.
    parent: the pid of who asks, and gets it as a child.
    death_signal: what it gets when that one dies.
    """

    name: str
    module: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    directory: str | None
    parent: int
    death_signal: int


class ForkServer:
    """The fork server of a supervisor, as it is asked.

    directory: where its socket is; nobody else may enter it.
    """

    def __init__(self, directory: Path) -> None:
        self.socket = directory / "fork-server.sock"

    def argv(self) -> list[str]:
        """The command that runs it."""
        return [sys.executable, "-m", __name__, str(self.socket)]

    def answers(self) -> bool:
        """Whether it has imported everything, and forks."""
        try:
            with _short(self.socket) as address, _connection() as server:
                server.connect(address)
        except OSError:
            return False
        return True

    def fork(self, wish: Wish, log: int) -> int | None:
        """The pid of what is forked, by now a child of this process; None: it doesn't answer, or can't.

        log: a descriptor that takes its output. Orphans of what this process has started are its children from now on.
        """
        try:
            with _short(self.socket) as address, _connection() as server:
                server.settimeout(_PATIENCE_S)
                server.connect(address)
                leash.prctl(_PR_SET_CHILD_SUBREAPER, 1)
                socket.send_fds(server, [json.dumps(asdict(wish)).encode()], [log])
                pid = server.recv(20)
                if pid:
                    # who asked too late has gone by now, and what was forked for it ends without this
                    server.send(_GO)
                return int(pid) if pid else None
        except OSError:
            return None


def _connection() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """The same place in less than the 108 bytes that an address has room for, however deep it lies."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


# --- the server ------------------------------------------------------------------------------------------------------


def main(path: Path) -> None:
    """Import, listen and fork until a signal; in what is forked, run its module."""
    gc.disable()
    for module in (*_LIBRARIES, *_OURS):
        # an extra that isn't installed is missed by nobody
        with contextlib.suppress(ImportError):
            import_module(module)
    gc.freeze()  # what a round would touch, it would copy
    gc.enable()
    path.unlink(missing_ok=True)
    with _connection() as listener:
        with _short(path) as address:
            listener.bind(address)
        listener.listen(64)
        wish = _serve(listener)
    sys.argv = [wish.module, *wish.arguments]
    _run(wish.module)


def _run(module: str) -> NoReturn:
    """Run a module as `python -m` does, to its end; all but what takes the interpreter apart at the end.

    To free the memory that is shared it would be copied first: an eighth of a second of a processor for each process.
    """
    status: object = None
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        status = end.code
    except BaseException:  # noqa: BLE001 - said as Python itself says it
        traceback.print_exc()
        status = 1
    if not isinstance(status, int | None):
        print(status, file=sys.stderr)
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as at the end of any process
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status or 0)


def _serve(listener: socket.socket) -> Wish:
    """Fork whatever is asked for. Returns only in what was forked: what it shall be."""
    while True:
        asking, _ = listener.accept()
        with asking, contextlib.suppress(OSError):  # who asked has gone, or nothing can be forked now
            document, handles, _, _ = socket.recv_fds(asking, _LONGEST_WISH, 1)
            if not handles:
                continue  # it only looked whether somebody answers
            try:
                pid = _fork_for_another()
                if pid == 0:
                    wish = Wish(**json.loads(document))
                    _become(wish, handles[0], asking)
                    return wish
                asking.send(b"%d" % pid)
            finally:
                os.close(handles[0])


def _fork_for_another() -> int:
    """Fork twice, so that the child is adopted by whoever adopts orphans here. Its pid; 0 in it, once it is adopted.

    Raises OSError if there is no room for another process.
    """
    reader, writer = os.pipe()
    between = os.fork()
    if between:
        os.close(writer)
        pid = os.read(reader, 20)
        os.close(reader)
        os.waitpid(between, 0)  # from here on it is adopted
        if not pid:
            raise ChildProcessError("nothing was forked")
        return int(pid)
    try:
        parent = os.getpid()
        pid_of_child = os.fork()
        if pid_of_child:
            os.write(writer, b"%d" % pid_of_child)
            os._exit(0)
    except BaseException:  # noqa: BLE001 - there must never be two servers
        os._exit(1)
    os.close(reader)
    os.close(writer)
    while os.getppid() == parent:
        time.sleep(_ADOPTION_POLL_S)  # nothing tells of it, and it takes a moment
    return 0


def _become(wish: Wish, log: int, asking: socket.socket) -> None:
    """Leave the server behind: a session, an output and an environment of its own, and on the leash of its parent."""
    asking.settimeout(_PATIENCE_S)
    with contextlib.suppress(OSError):
        if asking.recv(len(_GO)) == _GO:
            os.setsid()
            os.umask(0o077)
            os.dup2(log, 1)
            os.dup2(log, 2)
            if wish.directory is not None:
                os.chdir(wish.directory)
            os.environ.clear()
            os.environ.update(wish.environment)
            leash.put_on(wish.parent, wish.death_signal)
            leash.prctl(_PR_SET_NAME, ctypes.c_char_p(os.fsencode(wish.name)))
            return
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
