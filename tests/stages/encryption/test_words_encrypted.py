"""What the API said of batches and calls, and what reports of catalogs show, in lanes that encrypt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from overnight_models.ledger.catalogs import answers, reports
from overnight_models.ledger.catalogs.answers import Unsent
from overnight_models.ledger.operators import troubles
from overnight_workers import process
from overnight_workers.anthropic_api.realtime import Reply
from overnight_workers.cli import app
from overnight_workers.stages.direct.recording import Done
from overnight_workers.stages.direct.turns import Turns
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, item, read_command
from tests.stages.catalogs.conftest import Enriched, catalog, shop
from tests.stages.encryption.keys import SECRET, message_saying, new_key, places_with_secret, write
from tests.stages.encryption.test_rotation import standing

__all__ = ["catalog"]
NO_GOOD = f"messages.0.content: {SECRET} is no good"
Json = dict[str, Any]


@pytest.fixture
def key_file(service: Service, tmp_path: Path) -> Path:
    """A file with one key; the default lane encrypts by it."""
    write(tmp_path / "keys", new_key())
    use(service, tmp_path / "keys")
    return tmp_path / "keys"


def use(service: Service, path: Path, **lane: Any) -> None:
    service.configure(lane={"encrypt": "main"} | lane, encryption={"main": {"keys": f"file:{path}"}})


def test_why_a_batch_was_rejected_is_read_by_the_product_alone(
    service: Service, key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service.accept(item("a"))
    service.api.fault("create", "status", status=400, message=NO_GOOD, count=1)
    pack()
    submit()
    assert places_with_secret(service) == set()
    logged = capsys.readouterr()
    assert "create didn't work" in logged.out + logged.err
    assert SECRET not in logged.out + logged.err
    printed = read_command(app, "batches", "--json") + read_command(app, "items", "a")
    assert "(encrypted)" in printed
    assert SECRET not in printed
    assert NO_GOOD in read_command(app, "outcomes")


def test_halves_that_are_rejected_in_the_same_words_still_hold_their_lane(service: Service, key_file: Path) -> None:
    service.accept(*(item(f"k{n}") for n in range(16)))
    service.api.fault("create", "status", status=400, message=NO_GOOD)
    pack()
    for _ in range(4):
        submit()
    lane = service.ledger.fetch_one("SELECT paused_reason FROM lane WHERE paused_at IS NOT NULL")
    assert lane["paused_reason"].startswith("everything is rejected alike: 400 [")
    assert places_with_secret(service) == set()


def test_an_unclear_batch_shows_its_status_and_no_words(service: Service, key_file: Path) -> None:
    service.accept(item("a"))
    pack()
    service.api.fault("create", "status", status=500, message=NO_GOOD, count=1)
    submit()
    with process.database().transaction() as connection:
        (unclear,) = troubles.unclear(connection)
    assert (unclear.why or "").startswith("500 [")
    assert places_with_secret(service) == set()


def test_a_call_that_may_have_been_billed_keeps_nothing_readable_of_what_came(
    service: Service, key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    use(service, key_file, road="direct")
    service.accept(item("a"))
    turns = Turns()
    (request,) = turns.turn([], 10).requests
    came = orjson.dumps({"type": "text", "text": SECRET})
    turns.turn([Done(request, Reply(200, True, came, whole=True))], 0)
    turns.close()
    assert len(service.ledger.fetch_all("SELECT * FROM maybe_billed")) == 1
    assert places_with_secret(service) == set()
    logged = capsys.readouterr()
    assert "what came is no message" in logged.out + logged.err
    assert SECRET not in logged.out + logged.err
    assert SECRET not in read_command(app, "items", "a")


def test_a_call_under_way_when_its_key_goes_is_recorded_by_the_key_that_was_used_last(
    service: Service, key_file: Path
) -> None:
    use(service, key_file, road="direct")
    service.accept(item("a", f"Say {SECRET}"))
    turns = Turns()
    (request,) = turns.turn([], 10).requests
    key_file.unlink()
    turns.turn([Done(request, Reply(200, True, message_saying(SECRET), whole=True))], 0)
    assert not turns.has_unrecorded
    turns.close()
    assert service.ledger.states("item") == ["succeeded"]
    assert places_with_secret(service) == set()


def test_everything_that_was_said_is_rotated_and_told_to_encrypt_it_is(service: Service, key_file: Path) -> None:
    use(service, key_file, encrypt=None)
    service.accept(item("a"))
    service.api.fault("create", "status", status=400, message=NO_GOOD, count=1)
    pack()
    submit()
    assert {"batch.reason", "submission.error"} <= places_with_secret(service)
    use(service, key_file)
    assert standing()["plain"]["default"] >= 2
    read_command(app, "encryption", "rotate")
    assert (places_with_secret(service), standing()["plain"]) == (set(), {})
    old = key_file.read_text().strip()
    write(key_file, new_key(), old)
    read_command(app, "encryption", "rotate")
    assert standing()["keys"][1]["may_go"]
    use(service, key_file, encrypt=None)
    read_command(app, "encryption", "rotate")
    assert {"batch.reason", "submission.error"} <= places_with_secret(service)
    assert standing()["keys"][0]["may_go"]


def test_a_catalog_of_a_lane_that_encrypts_keeps_no_readable_row_in_postgres(catalog: Enriched, tmp_path: Path) -> None:
    service = catalog.service
    write(path := tmp_path / "keys", new_key())
    use(service, path)
    catalog.declare(more='[report]\ntask = "shop.read_report"\nqueue = "shop.reports"')
    catalog.write(shop(6, A1={"maker": SECRET}, A2={"maker": SECRET}))
    service.api.fault("item", "invalid_output", count=3)
    run = catalog.run()
    assert run.state == "complete"
    note_unsent(run.id)
    assert places_with_secret(service) == set()
    kept = shown_report()
    assert len(kept["drawn"]) == 6
    with process.database().transaction() as connection:
        assert [row.detail for row in answers.unsent(connection, run.id)] == [SECRET]
    write(path, new := new_key(), path.read_text().strip())
    read_command(app, "encryption", "rotate")
    assert standing()["keys"][1]["may_go"]
    write(path, new)
    service.restart()
    assert shown_report() == kept
    read_command(app, "purge", "--run", "shop-1", "--yes")
    with process.database().transaction() as connection:
        document = orjson.loads(reports.document(connection, run.id) or "{}")
    assert (document["run"], document["drawn"]) == ("shop-1", [])


def shown_report() -> Json:
    printed = read_command(app, "runs", "show", "shop-1", "--json")
    return dict(orjson.loads(printed[printed.index("{\n") :])["report"])


def note_unsent(run_id: int) -> None:
    with process.database().transaction() as connection:
        answers.note_unsent(connection, run_id, [Unsent(bytes(16), '["A7"]', None, "can't be sent", SECRET)])
