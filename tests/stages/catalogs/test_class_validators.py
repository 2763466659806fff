"""A class says more than its schema: what its validators refuse is invalid, and asked again with what they say."""

from __future__ import annotations

from pathlib import Path

from overnight_workers.catalogs.reading import read_catalog
from overnight_workers.catalogs.runs import advancing, planning
from overnight_workers.catalogs.validating import class_of
from tests.stages.catalogs.conftest import Enriched, shop
from tests.stages.catalogs.test_trying import tried
from tests.stages.encryption.keys import new_key, write

PLAIN = """
from pydantic import BaseModel


class Description(BaseModel):
    title: str
    stars: int
"""
REFUSES_THE_FIRST = """
from pathlib import Path

from pydantic import BaseModel, field_validator

FIRST = Path(__file__).with_suffix(".first")


class Description(BaseModel):
    title: str
    stars: int

    @field_validator("title")
    @classmethod
    def takes_all_but_the_first(cls, title: str) -> str:
        if not FIRST.exists():
            FIRST.write_text(title)
        if title == FIRST.read_text():
            raise ValueError("say it in other words")
        return title
"""
REFUSES_ALL = """
from pydantic import BaseModel, model_validator


class Description(BaseModel):
    title: str
    stars: int

    @model_validator(mode="after")
    def takes_none(self) -> "Description":
        raise ValueError("no answer is good enough")
"""


def declare(catalog: Enriched, code: str, **changes: str) -> None:
    """The output is a class of a module that stands beside the declaration."""
    (catalog.directory / "descriptions.py").write_text(code)
    catalog.declare(**changes)
    file = catalog.directory / "shop.toml"
    file.write_text(file.read_text().replace('schema_file = "answer.json"', 'class = "descriptions:Description"'))


def problems(catalog: Enriched) -> list[str]:
    return [row["overnight_problem"] for row in catalog.published()]


def test_an_answer_that_its_class_refuses_is_asked_again_with_what_the_class_says(catalog: Enriched) -> None:
    declare(catalog, REFUSES_THE_FIRST)
    catalog.write(shop(4))
    assert catalog.run().state == "complete"
    assert catalog.sent == 5
    assert problems(catalog) == [""] * 4
    refused = (catalog.directory / "descriptions.first").read_text()
    assert refused not in {row["title"] for row in catalog.published()}
    (asked,) = catalog.service.ledger.fetch_all(
        "SELECT params FROM redo JOIN request ON request.item_id = redo.item_id"
    )
    assert "title: Value error, say it in other words" in asked["params"]
    assert catalog.plan()["send"] == 0


def test_answers_that_their_class_refuses_stop_the_pilot(catalog: Enriched) -> None:
    declare(catalog, REFUSES_ALL, more="[pilot]\nrows = 20")
    catalog.write(shop(60))
    run = catalog.run()
    assert run.state == "stopped"
    assert "the pilot has 20 problems in 20 rows" in str(run.reason)
    assert catalog.sent == 20
    assert "no answer is good enough" in (catalog.directory / "shop.problems.html").read_text()


def test_answers_that_a_milder_class_takes_are_published_and_not_bought_again(catalog: Enriched) -> None:
    declare(catalog, REFUSES_ALL)
    catalog.write(shop(3))
    assert catalog.run().state == "complete"
    assert problems(catalog) == ["invalid_output"] * 3
    bought = catalog.sent
    assert catalog.plan()["send"] == 0
    assert catalog.plan(retry_failed=True)["reasons"]["failed"]["rows"] == 3

    declare(catalog, PLAIN)
    for wish in ({}, {"retry_failed": True}):
        planned = catalog.plan(**wish)
        assert planned["reasons"]["valid"]["words"] == "answered before, and valid by now"
        assert (planned["send"], planned["usd"], planning.why_ask(catalog.read(), planned)) == (3, "0", None)
    assert {row["state"] for row in catalog.service.ledger.fetch_all("SELECT state FROM item")} == {"failed", "redone"}
    assert catalog.run().state == "complete"

    assert catalog.sent == bought
    assert problems(catalog) == [""] * 3
    assert all(row["title"] for row in catalog.published())
    assert catalog.plan()["send"] == 0


def test_what_stopped_the_pilot_is_taken_from_a_milder_class_by_the_next_run(catalog: Enriched) -> None:
    declare(catalog, REFUSES_ALL, more="[pilot]\nrows = 20")
    catalog.write(shop(30))
    assert catalog.run().state == "stopped"
    assert catalog.sent == 20
    declare(catalog, PLAIN)
    assert catalog.run().state == "complete"
    assert catalog.sent == 30
    assert problems(catalog) == [""] * 30


def test_answers_to_another_schema_are_not_revived(catalog: Enriched) -> None:
    declare(catalog, REFUSES_ALL)
    catalog.write(shop(2))
    catalog.run()
    declare(catalog, PLAIN.replace("stars: int", "stars: int\n    color: str"))
    assert set(catalog.plan()["reasons"]) == {"schema"}
    declare(catalog, REFUSES_ALL + "# in other words")
    assert catalog.plan()["send"] == 0


def test_in_a_lane_that_encrypts_what_the_class_says_lies_encrypted_and_is_read(
    catalog: Enriched, tmp_path: Path
) -> None:
    write(tmp_path / "keys", new_key())
    catalog.service.configure(lane={"encrypt": "main"}, encryption={"main": {"keys": f"file:{tmp_path / 'keys'}"}})
    declare(catalog, REFUSES_ALL)
    catalog.write(shop(2))
    catalog.run()
    details = catalog.service.ledger.fetch_all("SELECT detail FROM outcome WHERE problem = 'invalid_output'")
    assert len(details) == 6
    assert [row for row in details if "good enough" in row["detail"]] == []
    assert "no answer is good enough" in (catalog.directory / "shop.problems.html").read_text()


def test_what_was_tried_and_refused_is_shown_so_and_asked_again_by_the_run(catalog: Enriched) -> None:
    declare(catalog, REFUSES_THE_FIRST)
    catalog.write(shop(3))
    shown = tried(catalog, 3)
    assert sorted(str(row["detail"]) for row in shown["rows"]) == [
        "None",
        "None",
        "title: Value error, say it in other words",
    ]
    assert catalog.sent == 3
    assert catalog.run().state == "complete"
    assert catalog.sent > 3
    assert problems(catalog) == [""] * 3


def test_a_class_that_became_stricter_is_read_again_and_asked_about_answers_that_are_paid(catalog: Enriched) -> None:
    declare(catalog, PLAIN)
    catalog.write(shop(3))
    declaration = catalog.directory / "shop.toml"
    assert class_of(read_catalog(declaration)) is None, "its schema says all that it says"
    catalog.finish(catalog.begin(), until="sending")
    declare(catalog, REFUSES_ALL)
    assert class_of(read_catalog(declaration)) is not None
    (run,) = [advancing.read(1)]
    assert catalog.finish(run).state == "complete"
    assert problems(catalog) == ["invalid_output"] * 3
    # twice more each, with what is wrong
    assert catalog.sent == 9


def test_two_catalogs_have_classes_of_one_name_each_in_its_own_directory(catalog: Enriched, tmp_path: Path) -> None:
    declare(catalog, PLAIN)
    catalog.write(shop(1))
    other = tmp_path / "other"
    other.mkdir()
    for name in ("shop.toml", "in.csv"):
        (other / name).write_bytes((catalog.directory / name).read_bytes())
    (other / "descriptions.py").write_text(REFUSES_ALL)
    for _ in range(2):
        assert class_of(read_catalog(catalog.directory / "shop.toml")) is None
        assert class_of(read_catalog(other / "shop.toml")) is not None
