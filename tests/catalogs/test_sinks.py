"""Sinks of every kind: what readers see night after night, and what stops a run before it costs anything."""

from __future__ import annotations

import stat
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from overnight_models.errors import PermanentError, TransientError
from overnight_workers.catalogs.faults import BadCatalog
from overnight_workers.catalogs.sinks import files
from tests.catalogs.publishing import KINDS, Place, answer, publish

GOOD = {"title": "Good", "stars": 5}
BETTER = {"title": "Better", "stars": 6}


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path, postgres: str) -> Place:
    url = request.getfixturevalue("mariadb_url") if request.param == "mariadb" else postgres
    made = Place(tmp_path, request.param, url)
    if made.kind in ("postgresql", "mariadb"):
        with made.connected() as connection:
            connection.execute(sa.text("DROP TABLE IF EXISTS answers"))
    return made


def test_an_older_runs_late_answer_never_goes_over_a_newer_ones(place: Place) -> None:
    sink = place.sink()
    publish(sink, 2, [answer("A", BETTER), answer("B", BETTER)])
    publish(sink, 1, [answer("A", GOOD), answer("C", GOOD)])
    assert place.seen("sku", "title", "stars", "overnight_run") == [
        ("A", "Better", "6", "2"),
        ("B", "Better", "6", "2"),
        ("C", "Good", "5", "1"),
    ]
    publish(sink, 2, [answer("A", GOOD)])  # the same run again: its last word counts
    assert place.seen("title")[0] == ("Good",)


def test_a_failure_that_may_do_better_leaves_the_answer_that_is_there(place: Place) -> None:
    sink = place.sink()
    publish(sink, 1, [answer("A", GOOD), answer("B", GOOD)])
    expired = answer("A", None, problem="expired", may_do_better=True)
    new = answer("C", None, problem="expired", may_do_better=True)
    publish(sink, 2, [expired, new, answer("B", None, problem="refused")])
    assert place.seen("sku", "title", "overnight_problem", "overnight_run") == [
        ("A", "Good", "", "1"),
        ("B", "", "refused", "2"),
        ("C", "", "expired", "2"),
    ]


def test_rows_that_are_gone_are_kept_marked_or_deleted_and_come_back(place: Place) -> None:
    publish(place.sink(gone="keep"), 1, [answer("A", GOOD), answer("B", GOOD)])
    publish(place.sink(gone="keep"), 2, [], gone=[("B",)])
    assert place.seen("sku") == [("A",), ("B",)]
    publish(place.sink(gone="mark"), 3, [answer("A", BETTER)], gone=[("B",)])
    marked = {sku: gone.lower() for sku, gone in place.seen("sku", "overnight_gone")}
    assert (marked["A"], marked["B"]) in (("false", "true"), ("0", "1"))
    publish(place.sink(gone="mark"), 4, [answer("B", BETTER)])
    assert place.seen("overnight_gone")[1][0].lower() in ("false", "0")
    publish(place.sink(gone="delete"), 5, [], gone=[("A",)])
    assert place.seen("sku", "title") == [("B", "Better")]


def test_each_of_many_rows_that_are_gone_at_once_is_deleted(place: Place) -> None:
    """Hashes of 128 bits: none of them may lose a digit on its way."""
    keys = [f"K{number}" for number in range(60)]
    publish(place.sink(), 1, [answer(key, GOOD) for key in keys])
    publish(place.sink(gone="delete"), 2, [], gone=[(key,) for key in keys[10:]])
    assert place.seen("sku") == [(key,) for key in keys[:10]]


@pytest.mark.parametrize("name", ["answers.parquet", "answers.jsonl"])
def test_what_is_paid_is_written_though_little_memory_is_not_enough(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path, name, "")
    sink = place.sink()
    long = "red kettle " * 300
    rows = [answer(f"K{number:05}", {"title": f"{long}{number}", "stars": 3}) for number in range(8_000)]
    monkeypatch.setattr(files, "_MEMORIES", ("16MB",))
    with pytest.raises(PermanentError, match="Out of Memory"):
        publish(sink, 1, rows)
    monkeypatch.setattr(files, "_MEMORIES", ("16MB", "400MB"))
    publish(sink, 1, rows)
    assert place.seen("sku") == [(f"K{number:05}",) for number in range(8_000)]


def test_rows_of_variants_are_rows_of_their_own(place: Place) -> None:
    more = 'variants = {de = {language = "German"}, fr = {language = "French"}}'
    sink = place.sink(more=more, gone="delete")
    publish(sink, 1, [answer("A", GOOD, variant="de"), answer("A", BETTER, variant="fr")])
    publish(sink, 2, [answer("A", BETTER, variant="de")], gone=[("A", "fr")])
    assert place.seen("sku", "variant", "title", "overnight_run") == [("A", "de", "Better", "2")]


def test_columns_that_a_new_output_adds_are_added_and_those_of_the_old_one_stay(place: Place) -> None:
    publish(place.sink(), 1, [answer("A", GOOD), answer("B", GOOD)])
    tags = {"title": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}}
    publish(place.sink(properties=tags), 2, [answer("A", {"title": "New", "tags": ["x", 'y"']})])
    assert place.seen("sku", "title", "tags") == [("A", "New", '["x","y\\""]'), ("B", "Good", "")]
    assert place.seen("stars")[1] == ("5",)


def test_texts_that_look_like_something_else_stay_texts(place: Place) -> None:
    """A key that reads like a time, leading zeros, quotes, breaks of lines: the same key the next night."""
    keys = ["0007", "2026-01-02 03:04", "7", "a,\"b\"\n'c'", "null", "true", "商品"]
    sink = place.sink()
    publish(sink, 1, [answer(key, {"title": f"  {key}\r\n", "stars": 1}) for key in keys])
    publish(sink, 2, [answer(key, GOOD) for key in keys[:3]])
    assert sorted(place.seen("sku")) == [(key,) for key in sorted(keys)]
    assert {sku: title for sku, title in place.seen("sku", "title") if title != "Good"} == {
        key: f"  {key}\r\n" for key in keys[3:]
    }


def test_a_sink_that_can_be_written_passes_the_check_and_nothing_is_written(place: Place) -> None:
    place.sink().check()
    if "." in place.kind:
        assert not (place.directory / place.kind).exists()
    else:
        with place.connected() as connection:
            assert not sa.inspect(connection).has_table("answers")
    publish(place.sink(), 1, [answer("A", GOOD)])
    before = place.rows()
    place.sink(gone="delete").check()
    assert place.rows() == before


def test_a_file_keeps_its_permissions_and_a_link_to_it_stays_one(tmp_path: Path) -> None:
    place = Place(tmp_path, "answers.jsonl", "")
    (tmp_path / "kept").mkdir()
    (tmp_path / "answers.jsonl").symlink_to(tmp_path / "kept" / "today.jsonl")
    publish(place.sink(), 1, [answer("A", GOOD)])
    (tmp_path / "kept" / "today.jsonl").chmod(0o664)
    publish(place.sink(), 2, [answer("B", GOOD)])
    assert (tmp_path / "answers.jsonl").is_symlink()
    assert stat.S_IMODE((tmp_path / "kept" / "today.jsonl").stat().st_mode) == 0o664
    assert len(place.rows()) == 2


def test_an_output_field_with_the_keys_name_is_a_fault_before_it_costs(place: Place) -> None:
    properties = {"SKU": {"type": "string"}, "title": {"type": "string"}}
    with pytest.raises(PermanentError, match="the output's SKU has the name of another column"):
        place.sink(properties=properties).check()


def test_a_file_that_can_not_be_written_or_is_another_ones_stops_the_run_before_it_costs(tmp_path: Path) -> None:
    place = Place(tmp_path, "answers.csv", "")
    (tmp_path / "answers.csv").write_text("sku,title\nA,mine\n")
    with pytest.raises(PermanentError, match="has no column overnight_run, so it isn't of this catalog"):
        place.sink().check()
    (tmp_path / "answers.csv").unlink()
    (tmp_path / "answers.csv").mkdir()
    with pytest.raises(
        PermanentError, match=r"answers\.csv can't be read, so it isn't replaced: move it away: [^\n]+$"
    ):
        place.sink().check()
    for path in ("/proc/nowhere/answers.csv", "in.csv/answers.csv"):
        sink = Place(tmp_path, path, "").sink()
        with pytest.raises(PermanentError, match="can't be written: "):
            sink.check()
        with pytest.raises(PermanentError, match="can't be written: "):
            publish(sink, 1, [answer("A", GOOD)])


def test_keys_that_differ_by_capitals_accents_or_a_space_at_the_end_are_rows_of_their_own(place: Place) -> None:
    keys = ["a", "A", "\u00e4", "\U0001f600"] + ([] if place.kind.endswith(".csv") else ["a "])
    sink = place.sink()
    publish(sink, 1, [answer(key, {"title": key, "stars": at}) for at, key in enumerate(keys)])
    publish(sink, 2, [answer("A", BETTER)])
    assert sorted(place.seen("sku", "title")) == sorted((key, "Better" if key == "A" else key) for key in keys)


def test_in_mariadb_a_long_answer_is_kept_whole_and_a_key_too_long_for_it_stops_with_a_sentence(
    tmp_path: Path, mariadb_url: str
) -> None:
    place = Place(tmp_path, "mariadb", mariadb_url)
    with place.connected() as connection:
        connection.execute(sa.text("DROP TABLE IF EXISTS answers"))
    long = "\u6f22" * 100_000
    publish(place.sink(), 1, [answer("A", {"title": long, "stars": 1})])
    (row,) = place.rows()
    assert (row["title"], row["overnight_cost_usd"], row["overnight_problem"]) == (long, Decimal("1E-9"), None)
    with pytest.raises(PermanentError, match=r"the sink's table answers: .*Data too long for column 'sku'"):
        publish(place.sink(), 1, [answer("K" * 300, GOOD)])
    assert len(place.rows()) == 1


def test_a_table_in_mariadb_whose_key_folds_capitals_stops_the_run_before_it_costs(
    tmp_path: Path, mariadb_url: str
) -> None:
    place = Place(tmp_path, "mariadb", mariadb_url)
    with place.connected() as connection:
        connection.execute(sa.text("DROP TABLE IF EXISTS answers"))
        connection.execute(sa.text("CREATE TABLE answers (sku VARCHAR(20) CHARACTER SET utf8mb4 PRIMARY KEY)"))
    with pytest.raises(PermanentError, match=r"'a' and 'A' are one.* its sku has the collation utf8mb4_general_ci"):
        place.sink().check()


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("(sku text, title text)", r"has no unique key of \(sku\)"),
        ("(sku text PRIMARY KEY, note text NOT NULL)", None),
        ("(sku bigint PRIMARY KEY)", None),
        ("(sku text, lang text, PRIMARY KEY (sku, lang))", r"has no unique key of \(sku\)"),
    ],
)
def test_a_table_of_the_teams_own_is_looked_at_before_it_costs(
    tmp_path: Path, postgres: str, table: str, why: str | None
) -> None:
    place = Place(tmp_path, "postgresql", postgres)
    with place.connected() as connection:
        connection.execute(sa.text("DROP TABLE IF EXISTS answers"))
        connection.execute(sa.text(f"CREATE TABLE answers {table}"))
    if why is None:
        place.sink().check()
    else:
        with pytest.raises(PermanentError, match=why):
            place.sink().check()
    with place.connected() as connection:
        assert "overnight_run" not in {column["name"] for column in sa.inspect(connection).get_columns("answers")}
        connection.execute(sa.text("DROP TABLE answers"))


def test_a_database_that_refuses_is_a_fault_and_one_that_is_away_is_waited_for(tmp_path: Path, postgres: str) -> None:
    def check(url: str) -> None:
        Place(tmp_path, "postgresql", url).sink().check()

    with pytest.raises(PermanentError, match='database "nobody" does not exist'):
        check(postgres.rpartition("/")[0] + "/nobody")
    with pytest.raises(TransientError, match="the sink's table answers: ") as away:
        check("postgresql://u:secret@127.0.0.1:1/x")
    assert "secret" not in str(away.value)
    with pytest.raises(PermanentError, match="unable to open database file"):
        check("sqlite:///nowhere/answers.db")


def test_a_variable_that_is_not_set_is_a_fault_of_the_file_with_its_line(tmp_path: Path) -> None:
    place = Place(tmp_path, "sqlite", "")
    place.sink()
    file = tmp_path / "shop.toml"
    file.write_text(file.read_text().replace('url = "sqlite:///answers.db"', 'url_variable = "NOT_SET_HERE"'))
    from overnight_workers.catalogs.reading import read_catalog

    with pytest.raises(BadCatalog, match=r"shop\.toml:\d+: sink\.url_variable: the environment variable NOT_SET_HERE"):
        read_catalog(file)
