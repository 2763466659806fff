"""What newcomers type first, and what they are told."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from overnight_models.errors import PermanentError
from overnight_models.wire.outcome import Problem
from overnight_workers.catalogs.faults import BadCatalog
from overnight_workers.catalogs.reading import read_catalog
from overnight_workers.catalogs.runs.causes import PLAIN
from overnight_workers.cli import app

CATALOG = """key = "sku"
model = "claude-haiku-5-5"
max_tokens = 300
{options}
[source]
path = "goods.csv"
[prompt]
row = "{{{{ name }}}}"
[sink]
path = "x.parquet"
{tables}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("goods.csv").write_text("sku,name\nA1,kettle\n")
    return tmp_path


def said(*words: str) -> str:
    """What a command says against what was typed."""
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, PermanentError), f"{words}: {done.output} {done.exception!r}"
    return str(done.exception)


def faults(options: str = "", tables: str = "") -> str:
    Path("shop.toml").write_text(CATALOG.format(options=options, tables=tables))
    with pytest.raises(BadCatalog) as caught:
        read_catalog(Path("shop.toml"))
    return str(caught.value)


@pytest.mark.parametrize("words", [("enrich",), ("catalog", "try"), ("compare",), ("schedules", "keep")])
def test_data_instead_of_a_catalog_file(here: Path, words: tuple[str, ...]) -> None:
    assert "`overnight catalog new goods.csv` writes a first catalog file" in said(*words, "goods.csv")
    assert "`overnight catalog new DATA` writes a first" in said(*words, "goods")
    Path("catalogs").mkdir()
    Path("catalogs/goods.toml").write_text("")
    assert "its catalog file is catalogs/goods.toml" in said(*words, "goods.csv")
    assert "there is no file goods: say catalogs/goods.toml" in said(*words, "goods")
    assert "did you mean catalogs/goods.toml?" in said(*words, "catalogs/good.toml")
    assert "catalogs is a directory: name one catalog file, such as catalogs/goods.toml" in said(*words, "catalogs")
    Path("overnight.toml").write_text("")
    assert "overnight.toml has the settings of Overnight" in said(*words, "overnight.toml")


def test_what_is_no_data_for_a_first_catalog(here: Path) -> None:
    Path("goods.toml").write_text("")
    assert "is a catalog file, and no data: `overnight catalog show goods.toml`" in said("catalog", "new", "goods.toml")
    assert "goods isn't there: name a file of rows that ends in .csv" in said("catalog", "new", "goods")
    Path("notes.md").write_text("")
    assert "doesn't say by its name what it is" in said("catalog", "new", "notes.md")


def test_an_option_that_has_a_few_values_says_all_of_them_once(here: Path) -> None:
    said = faults('publish = "sometimes"')
    assert said.count("publish: ") == 1
    assert 'it is "complete", "as_they_come" or {valid = 0.99}' in said


@pytest.mark.parametrize(
    ("written", "sentence"),
    [('"150%"', "150% is no share of a whole"), ("5", 'did you mean "5%"?'), ("-1", "no share")],
)
def test_a_share_that_is_none(here: Path, written: str, sentence: str) -> None:
    assert sentence in faults(tables=f"[pilot]\nmax_problems = {written}")


def test_a_class_that_can_not_be_imported_says_which_module_and_where_it_was_looked_for(here: Path) -> None:
    said = faults(tables='[output]\nclass = "warehouse.answers:Description"')
    assert "there is no module warehouse: it was looked for among what is installed, then in" in said
    assert str(here) in said
    Path("storehouse.py").write_text("import pydantic\nimport nothing_like_that\n")
    said = faults(tables='[output]\nclass = "storehouse:Description"')
    assert "storehouse was found, and can't be imported: ModuleNotFoundError: No module named 'nothing_like" in said
    assert "storehouse.py, line 2" in said


def test_every_cause_is_said_in_plain_words() -> None:
    assert {problem.value for problem in Problem} | {"can't be sent", "turned down"} == set(PLAIN)
