"""`overnight links` on a port that another has."""

from __future__ import annotations

import socket

import pytest

from overnight_models.errors import BadSettings
from overnight_workers.links import serving


def test_a_port_that_is_taken_is_said_with_what_to_do_before_anything_is_served() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(BadSettings, match=f"can't listen on 127.0.0.1, port {port} .*--port"):
            serving.bound("127.0.0.1", port)


def test_what_is_bound_is_listened_on_before_it_is_said() -> None:
    with serving.bound("127.0.0.1", 0) as listens:
        socket.create_connection(listens.getsockname()).close()
