"""What is expected is a line in the log, and no traceback."""

from __future__ import annotations

import logging
import traceback

import pytest

from overnight_workers.telemetry import logs


def test_a_tick_that_the_beat_can_not_send_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    kept = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        logs.configure()
        try:
            raise ConnectionError("redis:6379. Name or service not known.")
        except ConnectionError as error:
            # as celery.beat says it
            logging.getLogger("celery.beat").error(
                "Message Error: %s\n%s", error, traceback.format_stack(), exc_info=True
            )
    finally:
        logging.getLogger().handlers[:], level = kept
        logging.getLogger().setLevel(level)
    printed = capsys.readouterr().err
    assert "a tick can't be sent: redis:6379. Name or service not known." in printed
    assert "Traceback" not in printed
    assert len(printed.splitlines()) == 1
