"""Forks Python processes that find their libraries imported: the fork server, and how it is asked.

    python -m overnight_workers.one_machine.supervision.fork_server SOCKET

`up` starts nine processes of Python. The libraries of a worker take one and a half seconds of a processor to import;
here that is done once, and their memory is shared. What is forked becomes a child of the supervisor, is on its leash,
and runs a module as `python -m` does. Only libraries are imported here, and of them those that look at no variable as
they are imported: each process reads its own settings, and each imports Overnight itself.

Nothing depends on the fork server: without its answer a process is started the usual way (`child.py`).
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import runpy
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

from overnight_workers.one_machine.supervision import leash

_LIBRARIES: Final = (
    "anthropic.resources.messages.batches",
    "asyncio",
    "celery.app.base",
    "jsonschema_rs",
    "kombu.transport.redis",
    "psycopg",
    "pydantic_settings",
    "redis.asyncio",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlmodel",
    "structlog",
)
"""What workers import of others. Of Celery only its app: what its workers run as (`billiard.common`) reads a variable
as it is imported, and they differ in it."""

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
    for library in _LIBRARIES:
        # an extra that isn't installed is missed by nobody
        with contextlib.suppress(ImportError):
            import_module(library)
    gc.freeze()  # what a round would touch, it would copy
    gc.enable()
    path.unlink(missing_ok=True)
    with _connection() as listener:
        with _short(path) as address:
            listener.bind(address)
        listener.listen(64)
        wish = _serve(listener)
    sys.argv = [wish.module, *wish.arguments]
    runpy.run_module(wish.module, run_name="__main__", alter_sys=True)


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
