"""A column names files that are sent: another content is another row, whatever the table says."""

from __future__ import annotations

import os

import pytest

from tests.stages.catalogs.conftest import Enriched, shop
from tests.stages.catalogs.test_enriching import reasons

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def pictured(catalog: Enriched) -> Enriched:
    """Three rows, each with a picture of its own."""
    rows = shop(3)
    for key in rows:
        rows[key]["photo"] = f"{key}.png"
        (catalog.directory / f"{key}.png").write_bytes(PNG + key.encode())
    catalog.write(rows)
    catalog.declare()
    file = catalog.directory / "shop.toml"
    file.write_text(file.read_text().replace("[output]", 'images = {photo = "path"}\n[output]'))
    return catalog


def test_a_changed_file_under_the_same_path_is_a_changed_row(pictured: Enriched) -> None:
    assert pictured.run().state == "complete"
    assert reasons(pictured.plan()) == {"unchanged": 3}
    (pictured.directory / "A1.png").write_bytes(PNG + b"another")
    assert reasons(pictured.plan()) == {"row changed": 1, "unchanged": 2}
    assert pictured.run().state == "complete"
    assert pictured.sent == 4


def test_a_file_that_was_only_touched_is_no_change_and_is_not_read_again(pictured: Enriched) -> None:
    assert pictured.run().state == "complete"
    os.utime(pictured.directory / "A1.png", (1, 1))
    assert reasons(pictured.plan()) == {"unchanged": 3}
    assert pictured.run().state == "complete"
    (pictured.directory / "A1.png").chmod(0o600)
    assert reasons(pictured.plan()) == {"unchanged": 3}
    assert pictured.sent == 3


def test_a_file_that_is_not_there_is_a_problem_until_it_comes(pictured: Enriched) -> None:
    (pictured.directory / "A2.png").rename(pictured.directory / "later.png")
    assert pictured.run().state == "complete"
    assert pictured.sent == 2
    assert reasons(pictured.plan()) == {"can't be sent as they are": 1, "unchanged": 2}
    (pictured.directory / "later.png").rename(pictured.directory / "A2.png")
    assert reasons(pictured.plan()) == {"row changed": 1, "unchanged": 2}
    assert pictured.run().state == "complete"
    assert pictured.sent == 3


def test_a_picture_that_changed_since_the_plan_waits_for_the_next_run(pictured: Enriched) -> None:
    run = pictured.begin()
    pictured.finish(run, until="sending")
    (pictured.directory / "A0.png").write_bytes(PNG + b"meanwhile")
    done = pictured.finish(run)
    assert done.state in ("complete", "partial")
    assert pictured.run().state == "complete"
    assert reasons(pictured.plan()) == {"unchanged": 3}
