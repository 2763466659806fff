"""A host that Postgres hears nothing of any more: what it had in hand is free again, and it knows that itself."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.networks import has_networks


@pytest.mark.skipif(not has_networks(), reason="needs root, iptables and a network of its own")
def test_a_host_whose_packets_vanish_holds_neither_its_rows_nor_its_sign_of_life() -> None:
    command = ["unshare", "--net", sys.executable, "-m", "tests.faults.dropped_packets"]
    seen = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=240).stdout)
    assert seen["lock_s"] < 60, "who waits for a row of its transaction goes on"
    assert seen["presence_s"] < 60, "what it had taken is brought home"
    assert seen["far_knows_s"] < 120, "a statement that gets no answer is an error there"
    assert seen["defaults"] == {
        "tcp_keepalives_idle": "10",
        "tcp_keepalives_interval": "5",
        "tcp_keepalives_count": "3",
        "tcp_user_timeout": "30000",
    }
