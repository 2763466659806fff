"""A RabbitMQ of a test's own, where there is one: Debian's package rabbitmq-server."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from kombu import Connection

from tests.ports import free_port
from tests.waiting import wait_until

PROGRAM: Final = next(iter(Path("/usr/lib/rabbitmq").glob("lib/rabbitmq_server-*/sbin/rabbitmq-server")), None)


@contextmanager
def rabbit(place: Path) -> Iterator[str]:
    """Its URL, for as long as the block lasts. Skips where there is none."""
    if PROGRAM is None or shutil.which("erl") is None:
        pytest.skip("no RabbitMQ: apt-get install rabbitmq-server")
    port, names = free_port(), free_port()
    place.mkdir()
    (place / "plugins").write_text("[].")
    environment = os.environ | {
        "HOME": str(place),
        "ERL_EPMD_PORT": str(names),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"test{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(place / "data"),
        "RABBITMQ_LOG_BASE": str(place / "logs"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(place / "plugins"),
        "RABBITMQ_CONFIG_FILE": str(place / "none"),
    }
    with (place / "out").open("wb") as out:
        process = subprocess.Popen([str(PROGRAM)], env=environment, stdout=out, stderr=out, start_new_session=True)
    url = f"amqp://guest:guest@127.0.0.1:{port}//"

    def answers() -> bool:
        assert process.poll() is None, (place / "out").read_text()
        try:
            with Connection(url, connect_timeout=2) as connection:
                connection.connect()
        except OSError:
            return False
        return True

    try:
        wait_until(answers, 120, what=(place / "out").read_text)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        # what finds Erlang's nodes has a process of its own, beside the node's
        subprocess.run(["epmd", "-kill"], env=environment, check=False, capture_output=True)
