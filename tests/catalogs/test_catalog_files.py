"""A catalog's file: every fault at once, with its line; a first one written from data; its JSON Schema; shown."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import pytest
from typer.testing import CliRunner

from overnight_workers.catalogs.declaration import schema
from overnight_workers.catalogs.faults import BadCatalog
from overnight_workers.catalogs.lines import lines_of
from overnight_workers.catalogs.reading import parse_catalog, read_catalog
from overnight_workers.cli import app

ROWS = """\
sku,name,city,price
A1,Chair,,1.10
A2,Table,Berlin,2.20
A3,Lamp,Rome,3.30
A4,Sofa,Oslo,4.40
A5,Bed,Bonn,5.50
"""
GOOD = """\
key = "sku"
model = "claude-haiku-5-5"
max_tokens = 100
pilot = {rows = 50, max_problems = "5%"}
[source]
path = "rows.csv"
[prompt]
row = "{{ name }}"
[caps]
max_cost = 12.5
"""

FAULTY = '''\
key = ["sku", "colour"]
model = "claude-haiku-55"
max_token = 100
lane = "nightly"
ask_above = "120%"

[source]
path = "rows.csv"
seperator = ";"
types = {prise = "decimal", price = "float"}

[prompt]
system = "For {{ city }} in {{ variant.language }}"
row = """
{{ name }}
{% if nam %}
{{ row.citty }}
{% endif %}
"""
when_longer = "cut"

[output]
schema_file = "answer.json"

[[sinks]]
path = "x"
[caps]
max_cost = -1
'''
FAULTS = (
    "1: max_tokens: it has to be said",
    "1: key: the source has no column 'colour'",
    "2: model: unknown model 'claude-haiku-55': did you mean claude-haiku-5-5",
    "3: max_token: there is no such option: did you mean max_tokens?",
    "4: lane: there is no lane 'nightly': the configuration has default",
    "5: ask_above: 120% is no share of a whole",
    "9: source.seperator: there is no such option: did you mean separator?",
    "10: source.types.price: a type is text, integer, decimal, decimal(2), boolean",
    '12: prompt: `when_longer = "cut"` needs `cut_column`: whose text may be shortened',
    "13: prompt.system: it uses variant.language, and there are no [variants]",
    "13: prompt.system: it uses city, and the system part is the same for all rows: move that into `row`",
    "16: prompt.row: the source has no column 'nam': did you mean name?",
    "17: prompt.row: the source has no column 'citty': did you mean city?",
    "23: output.schema_file: `output` can't be asked for: at the top: an object whose keys",
    "25: sinks: there is no such option: did you mean sink?",
    "28: caps.max_cost: it is an amount of dollars above 0, such as 25 or 0.02",
)


def faults(directory: Path, text: str) -> list[str]:
    (directory / "rows.csv").write_text(ROWS)
    file = directory / "shop.toml"
    file.write_text(text)
    with pytest.raises(BadCatalog) as refused:
        read_catalog(file)
    return [fault.removeprefix(f"{file}:") for fault in refused.value.faults]


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ('schedule = "0 25 * * *"', "2: schedule: '0 25 * * *' is no schedule: bad hour; write it such as"),
        ('schedule = "nightly"', "2: schedule: 'nightly' has 1 fields: write five"),
        ('schedule = "0 0 30 2 *"', "2: schedule: '0 0 30 2 *' is no schedule: bad day-of-month"),
        ('schedule = "0 22 * * *"\nfinish_by = "6"', "3: finish_by: it is a time of the day, such as 06:00"),
    ],
)
def test_a_schedule_that_cannot_be_read_is_a_fault_with_its_line(tmp_path: Path, written: str, fault: str) -> None:
    (said,) = faults(tmp_path, f'time_zone = "Europe/Berlin"\n{written}\n{GOOD}')
    assert fault in said
    (said,) = faults(tmp_path, f'time_zone = "Europe/Berln"\nschedule = "0 22 * * *"\n{GOOD}')
    assert "1: time_zone: there is no time zone 'Europe/Berln': write one such as" in said


def test_every_fault_is_said_at_once_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "answer.json").write_text('{"type": "object", "additionalProperties": true}')
    said = faults(tmp_path, FAULTY)
    assert [fault[: len(begins)] for fault, begins in zip(said, FAULTS, strict=True)] == list(FAULTS)


def test_faults_of_a_template_are_on_their_own_lines(tmp_path: Path) -> None:
    text = GOOD.replace(
        'row = "{{ name }}"',
        'system = "For {{ city }} in {{ variant.word }}"\nrow = """\n{{ name }}\n{{ nam }}\n\n{{ row.citty }}\n"""',
    )
    assert faults(tmp_path, text) == [
        "8: prompt.system: it uses variant.word, and there are no [variants]",
        "8: prompt.system: it uses city, and the system part is the same for all rows: move that into `row`",
        "11: prompt.row: the source has no column 'nam': did you mean name?",
        "13: prompt.row: the source has no column 'citty': did you mean city?",
    ]
    pasted = text.replace("For {{ city }}", "For\u2028 {{ city }},\u0085")
    assert [fault.partition(":")[0] for fault in faults(tmp_path, pasted)] == ["8", "8", "11", "13"], "no lines of TOML"
    assert faults(tmp_path, GOOD.replace("{{ name }}", "{% if name %}"))[0].startswith("8: prompt.row: ")


@pytest.mark.parametrize(
    ("option", "fault"),
    [
        ('class = "none_such:Answer"', "output.class: there is no module none_such: it was looked for"),
        ('class = "json:Answer"', "output.class: the module json has no Answer"),
        ('class = "json:JSONDecoder"', "output.class: json:JSONDecoder is no pydantic class"),
        ('class = "json"', "output.class: it is a module and a class in it, such as shop.answers:Description"),
        ('schema_file = "none.json"', "none.json can't be read: No such file or directory"),
        ("", "output: say either"),
    ],
)
def test_an_output_that_can_not_be_asked_for_is_said(tmp_path: Path, option: str, fault: str) -> None:
    (said,) = faults(tmp_path, f"{GOOD}[output]\n{option}\n")
    assert fault in said


def test_what_is_not_toml_or_not_there_is_said_with_its_line(tmp_path: Path) -> None:
    assert faults(tmp_path, 'key = "a"\nmodel = x\n')[0].startswith("2: not TOML")
    with pytest.raises(BadCatalog, match="can't be read"):
        read_catalog(tmp_path / "none.toml")


def test_a_kept_text_is_read_without_its_source(tmp_path: Path) -> None:
    catalog = parse_catalog(GOOD, tmp_path / "shop.toml")
    assert (catalog.name, catalog.key, catalog.pilot.max_problems, str(catalog.caps.max_cost)) == (
        "shop",
        ("sku",),
        0.05,
        "12.5",
    )
    assert catalog.text == GOOD


def test_each_key_of_a_toml_file_has_its_line() -> None:
    text = (
        'a = 1\nb.c = """\nx = 1\n[y]\n"""\n["d e".f]\ng = [\n  {h = 1},\n]  # i = 2\n'
        "[[j]]\nk = '''['''\n[[j]]\nk = {l = 1}\n"
    )
    assert lines_of(text) == {
        (): 1,
        ("a",): 1,
        ("b",): 2,
        ("b", "c"): 2,
        ("d e", "f"): 6,
        ("d e", "f", "g"): 7,
        ("j",): 10,
        ("j", 0): 10,
        ("j", 0, "k"): 11,
        ("j", 1): 12,
        ("j", 1, "k"): 13,
    }


def test_the_schema_for_editors_takes_what_is_read_and_refuses_what_is_not() -> None:
    import tomllib

    validator = jsonschema_rs.validator_for(schema())
    assert validator.is_valid(tomllib.loads(GOOD))
    assert not validator.is_valid(tomllib.loads(GOOD.replace("max_tokens", "max_token")))
    shown = CliRunner().invoke(app, ["catalog", "schema"])
    assert json.loads(shown.stdout)["title"] == "An Overnight catalog"


def test_a_file_with_a_chinese_name_gets_a_catalog_with_a_name_that_can_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("商品.csv", "客户.csv"):
        (tmp_path / name).write_text(ROWS.replace("name", "名称"), encoding="gb18030")
        made = CliRunner().invoke(app, ["catalog", "new", name, "--encoding", "gb18030", "--yes"])
        assert made.exit_code == 0, made.output
    catalogs = [read_catalog(tmp_path / "catalogs" / f"{name}.toml") for name in ("catalog", "catalog-2")]
    assert [(catalog.name, catalog.source.path) for catalog in catalogs] == [
        ("catalog", "../商品.csv"),
        ("catalog-2", "../客户.csv"),
    ]
    assert '{{ row["名称"] }}' in catalogs[0].prompt.row
    to = "catalogs/客户.toml"
    made = CliRunner().invoke(app, ["catalog", "new", "客户.csv", "--encoding", "gb18030", "--yes", "--to", to])
    assert made.exit_code == 0, made.output
    assert read_catalog(tmp_path / to).name == "catalog"


def test_a_first_catalog_names_the_columns_of_its_prompt_that_look_as_if_they_change_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "id,name,unitPrice,created_at,stock\nA,chair,1.10,2026-11-01T10:00,7\nB,bed,2.20,2026-11-02T10:00,9\n"
    (tmp_path / "shop.csv").write_text(rows)
    assert CliRunner().invoke(app, ["catalog", "new", "shop.csv", "--yes"]).exit_code == 0
    text = (tmp_path / "catalogs/shop.toml").read_text()
    assert "# A column in the prompt makes its row new, and paid again, whenever its cell changes.\n" in text
    assert '# "unitPrice", "stock" look as if they change often: take them out if' in text
    (tmp_path / "plain.csv").write_text("id,name\nA,chair\nB,bed\n")
    assert CliRunner().invoke(app, ["catalog", "new", "plain.csv", "--yes"]).exit_code == 0
    assert "change often" not in (tmp_path / "catalogs/plain.toml").read_text()


def test_a_first_catalog_is_written_from_data_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Schöne Möbel.csv").write_bytes(
        ROWS.replace("name", "name it").replace("Chair", "Stühl").encode("cp1252")
    )
    run = CliRunner()
    refused = run.invoke(app, ["catalog", "new", "Schöne Möbel.csv"])
    assert (refused.exit_code, list(tmp_path.glob("catalogs/*"))) == (1, []), "it isn't sure, and nobody can be asked"
    made = run.invoke(app, ["catalog", "new", "Schöne Möbel.csv", "--encoding", "cp1252", "--to", "catalogs/shop.toml"])
    assert made.exit_code == 0, made.output
    catalog = read_catalog(tmp_path / "catalogs" / "shop.toml")
    assert (catalog.key, catalog.source.encoding, catalog.source.path) == (("sku",), "cp1252", "../Schöne Möbel.csv")
    assert '{{ row["name it"] }}' in catalog.prompt.row
    assert '{{ city or "unknown" }}' in catalog.prompt.row
    shown = run.invoke(app, ["catalog", "show", "catalogs/shop.toml", "--all"])
    assert shown.exit_code == 0
    for words in ("name it: Stühl", "city: unknown", "cp1252, separator comma", "No faults: 5 requests can be sent."):
        assert words in shown.stdout
    again = run.invoke(app, ["catalog", "new", "Schöne Möbel.csv", "--yes", "--to", "catalogs/shop.toml"])
    assert again.exit_code == 1, "a file that is there isn't overwritten"


def test_shown_are_rows_that_can_not_be_sent_and_keys_that_are_double(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(ROWS + "A1,Chair,Rome,1\n")
    (tmp_path / "shop.toml").write_text(GOOD.replace("{{ name }}", "{{ name }} {{ city }}"))
    shown = CliRunner().invoke(app, ["catalog", "show", str(tmp_path / "shop.toml")])
    assert shown.exit_code == 1
    assert "'A1' in rows 1, 6" in shown.stdout
    assert "1 of 6 rows: city is null" in shown.stdout
