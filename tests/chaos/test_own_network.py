"""`python -m tests.chaos` starts in a network of its own, as root: its servers must be heard there."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.networks import has_networks

_BEGIN = """
import socket
from tests.chaos.hosts import in_a_network_of_its_own
in_a_network_of_its_own([])
with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), 5):
    pass
"""


@pytest.mark.skipif(not has_networks(), reason="this machine lets us have no network of our own")
def test_servers_answer_in_the_network_of_its_own_before_anybody_has_asked_for_two_hosts() -> None:
    argv = ["unshare", "--net", sys.executable, "-c", _BEGIN]
    done = subprocess.run(argv, env=os.environ | {"CHAOS_NETWORK": "1"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
