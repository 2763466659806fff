"""Files as they come: dialects found out with their doubts, encodings, faults by line, keys by row, URLs, SQL."""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import duckdb
import fsspec
import psycopg
import pytest
import xlsxwriter

from overnight_models.errors import TransientError
from overnight_workers.catalogs import new
from overnight_workers.catalogs.declaration import DeclaredSource
from overnight_workers.catalogs.faults import BadSource
from overnight_workers.catalogs.sources import dialect, written
from overnight_workers.catalogs.sources.opening import columns_of, opened

# ruff: noqa: RUF001  # a Chinese comma is meant
CHINESE = "编号,名称,描述\n1,椅子,木制的椅子，很结实\n2,桌子,圆桌\n"
KOREAN = "번호,이름\n1,의자는 둥글다\n2,책상\n"
FRENCH = "id;nom;prix\n1;Café crème;1,10\n2;Thé;2,20\n3;Pâté;3,3\n4;Où;1,0\n"

LONG_DECIMALS = (
    "UEFSMRUAFTAVMCwVAhUAFQYVBhwAAAACAAAAAgEAA6DJIHXA2/O4rLxfls4/CtIVABUsFSwsFQIVABUGFQYcAAAAAgAAAAIBCUmw"
    "9vACMxPESZBQ3jjzThUEGTw1ABgGc2NoZW1hFQQAFQ4VJBUCGAVwcmljZSUKFQQVVCxcFQQVVAAAABUOFSAVAhgEcGFpZCUKFQQV"
    "TCxcFQQVTAAAABYCGRwZLCYAHBUOGSUGABkYBXByaWNlFQAWAhZWFlYmCEkcFQAVABUCADwpBhkmAAIAAAAmABwVDhklBgAZGARw"
    "YWlkFQAWAhZSFlImXkkcFQAVABUCADwpBhkmAAIAAAAWqAEWAiYIFqgBACggcGFycXVldC1jcHAtYXJyb3cgdmVyc2lvbiAyNi4w"
    "LjEZLBwAABwAAADfAAAAUEFSMQ=="
)
"""A Parquet file of one row by pyarrow: `price`, a decimal of 42 digits (DuckDB can't write it), and `paid`, of 38."""


def read(directory: Path, **declared: object) -> list[tuple[str | None, ...]]:
    source = DeclaredSource.model_validate({"path": "rows.csv", **declared})
    with opened(source, directory) as opened_source, duckdb.connect() as connection:
        return [tuple(row.values()) for row in opened_source.each(connection)]


def faults(directory: Path, **declared: object) -> list[str]:
    with pytest.raises(BadSource) as refused:
        read(directory, **declared)
    return [fault.removeprefix(str(directory) + "/") for fault in refused.value.faults]


def test_every_encoding_is_found_out_of_a_long_file(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    for text, encoding in (
        (CHINESE, "gb18030"),
        (KOREAN, "cp949"),
        ("番号,名前\n1,椅子です\n2,テーブル\n", "shift_jis"),
        ("編號,名稱\n1,椅子很結實\n2,圓桌與餐廳\n", "big5"),
        (CHINESE, "utf-16"),
        (CHINESE, "utf-16-le"),
        (CHINESE, "utf-8"),
    ):
        file.write_bytes((text * 40).encode(encoding))
        form = dialect.find(str(file))
        assert (form.encoding, form.separator, [d for d in form.doubts if "encoding" in d]) == (
            encoding,
            ",",
            [],
        )


@pytest.mark.parametrize(
    ("text", "encoding", "also"),
    [
        (CHINESE, "gb18030", "as cp949: 긍뵀"),
        (KOREAN, "cp949", "as gb18030"),
        (FRENCH, "cp1252", "as cp1250: Café, crčme"),
    ],
)
def test_a_short_file_is_guessed_with_its_doubts(tmp_path: Path, text: str, encoding: str, also: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(text.encode(encoding))
    form = dialect.find(str(file))
    assert form.encoding == encoding
    (doubt,) = (doubt for doubt in form.doubts if doubt.startswith("encoding"))
    assert also in doubt
    assert not [d for d in dialect.find(str(file), encoding=encoding, separator=",").doubts if "encoding" in d]


@pytest.mark.parametrize(
    ("text", "separator", "quote", "doubt"),
    [
        (FRENCH, ";", '"', None),
        ("a;b\n1;x\u2028y,z\n2;x\u0085y,z\n3;x\u2028y,z\n4;w\n", ";", '"', None),
        ("a\tb\n1\t2,5\n3\t4\n5\t6\n8\t9\n", "\t", '"', None),
        ("a;b,c\n1;2,3\n4;5,6\n7;8,9\n", ",", '"', "it could be a semicolon"),
        ("a,b,c\n1,2\n3,4,5\n6,7,8\n", ",", '"', "rows aren't alike"),
        ("a,b\n1,2\n", ",", '"', "by 2 rows only"),
        ("a\n1\n2\n3\n4\n", ",", '"', "one column only"),
        ('a,b\n3.5" disk,x\n5" y,z\n1,2\n3,4\n', ",", "", "taken for text"),
        ("a,b\n'x,y',1\n'z',2\n'q',3\n", ",", "'", "single quotes"),
    ],
)
def test_separator_and_quoting_are_found_out(
    tmp_path: Path, text: str, separator: str, quote: str, doubt: str | None
) -> None:
    (tmp_path / "rows.csv").write_text(text)
    form = dialect.find(str(tmp_path / "rows.csv"))
    assert (form.separator, form.quote) == (separator, quote)
    said = [doubt for doubt in form.doubts if not doubt.startswith("encoding")]
    assert (not said) if doubt is None else doubt in " ".join(said)


@pytest.mark.parametrize(
    ("encoding", "named"),
    [
        ("gb18030", "gb18030"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-8-sig", "utf-8"),
        ("utf-8", "utf-8"),
        ("cp936", "gbk"),
    ],
)
def test_a_file_in_another_encoding_is_the_same_rows(tmp_path: Path, encoding: str, named: str) -> None:
    (tmp_path / "rows.csv").write_bytes(CHINESE.encode(encoding))
    assert read(tmp_path, encoding=named) == [("1", "椅子", "木制的椅子，很结实"), ("2", "桌子", "圆桌")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_in_any_way_and_cells_keep_their_breaks(tmp_path: Path, end: str) -> None:
    (tmp_path / "rows.csv").write_bytes(f'a,b{end}"x\ny","p\r\nq"{end}3,""{end}'.encode())
    assert read(tmp_path) == [("x\ny", "p\r\nq"), ("3", None)]


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (
            b"a,b\n1\n2,3\n4,5,6\n",
            ["rows.csv:2: the row has too few cells (1 of 2)", "rows.csv:4: the row has too many cells"],
        ),
        (b'a,b\n1,2\n"x,2\n3,4\n', ["rows.csv:3: the row has a quote that isn't closed"]),
        (b"a,b\n1,2\n3,\xff\n", ["rows.csv:3: the row has bytes"]),
        (b"a,b\n1,2\r\n3,4\n", ["rows.csv:2: the line doesn't end as the first one does"]),
        (b"a,A,,b\n1,2,3,4\n", ["rows.csv:1: columns 1 and 2 are both called 'A'", "rows.csv:1: column 3 has no name"]),
        (b"", ["rows.csv:1: it is empty"]),
    ],
)
def test_what_can_not_be_read_is_named_by_its_line(tmp_path: Path, data: bytes, wanted: list[str]) -> None:
    (tmp_path / "rows.csv").write_bytes(data)
    said = faults(tmp_path)
    assert len(said) == len(wanted)
    for fault, begins in zip(said, wanted, strict=True):
        assert fault.startswith(begins)


def test_many_short_rows_are_a_few_lines_and_a_number(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b\n" + "1\n" * 50)
    assert faults(tmp_path)[-1] == "rows.csv: and 40 more lines"


def test_bytes_of_another_encoding_are_named_by_their_line(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(CHINESE.encode("gb18030") + b"3,\xff\xff,x\n")
    assert faults(tmp_path, encoding="gb18030") == ["rows.csv:4: the bytes ff ff 2c 78 aren't gb18030"]
    assert "no encoding 'gb18O3O'" in faults(tmp_path, encoding="gb18O3O")[0]
    assert "No such file" in faults(tmp_path, path="none.csv")[0]


@pytest.mark.parametrize(
    "rows", [[["x\r\ny", "\r"], ["\n", '"'], ["", "a"], ["a,b", "'"], ["\\", '\\"'], ["é中", "\t"], ["  ", " a "]]]
)
def test_what_python_reads_is_written_down_as_it_is(tmp_path: Path, rows: list[list[str]]) -> None:
    source = written.source_of(written.write(rows, ["p", "q"], tmp_path), ["p", "q"], "rows")
    with duckdb.connect() as connection:
        assert [[cell or "" for cell in row.values()] for row in source.each(connection)] == rows


def test_rows_without_a_key_and_with_anothers_are_named(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("shop,sku\n1,a\n1,\n2,a\n1,a\n,b\n2,a\n")
    with opened(DeclaredSource(path="rows.csv"), tmp_path) as source, duckdb.connect() as connection:
        assert source.key_faults(connection, ("shop", "sku")) == [
            '2 rows have no key ("shop", "sku"): row 2; row 5',
            "2 keys (\"shop\", \"sku\") stand more than once: '1, a' in rows 1, 4; '2, a' in rows 3, 6",
        ]


def test_rows_are_numbered_as_they_stand_whatever_order_they_are_read_in(tmp_path: Path) -> None:
    lines = "".join(f"{number:07d},{'x' * 60}\n" for number in range(600_000))
    (tmp_path / "rows.csv").write_text(f"sku,name\n{lines}0599999,again\n")
    with opened(DeclaredSource(path="rows.csv"), tmp_path) as source, duckdb.connect() as connection:
        connection.execute("SET preserve_insertion_order = false")
        (said,) = source.key_faults(connection, ("sku",))
        assert said.endswith("'0599999' in rows 600,000, 600,001")
        assert connection.execute("SELECT current_setting('preserve_insertion_order')").fetchall() == [(False,)]


def test_two_cells_of_a_key_are_not_one_text(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("shop,sku\n1,11\n11,1\n")
    with opened(DeclaredSource(path="rows.csv"), tmp_path) as source, duckdb.connect() as connection:
        assert source.key_faults(connection, ("shop", "sku")) == []


def test_packed_files_and_urls_are_read(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "rows.csv.gz", "wb") as file:
        file.write(CHINESE.encode("gb18030"))
    wanted = [("1", "椅子", "木制的椅子，很结实"), ("2", "桌子", "圆桌")]
    assert read(tmp_path, path="rows.csv.gz", encoding="gb18030") == wanted
    with fsspec.open("memory://shop/rows.csv", "wb") as file:
        file.write(CHINESE.encode())
    assert read(tmp_path, path="memory://shop/rows.csv") == wanted
    assert "can't be read" in faults(tmp_path, path="memory://shop/none.csv")[0]


def test_json_lines_may_have_a_column_late_and_faults_by_line(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"a": 1.10, "b": {"x": [1.0, "é"]}}\n\n{"a": 12345678901234567890123, "late": true}\n')
    assert read(tmp_path, path="rows.jsonl") == [
        ("1.10", '{"x":[1.0,"é"]}', None),
        ("12345678901234567890123", None, "true"),
    ]
    file.write_text("{}\n" * 2000 + '{"late": 1}\n')
    declared = DeclaredSource(path="rows.jsonl")
    assert columns_of(declared, tmp_path, {"late"}) == ("late",)
    file.write_text('{"a": 1}\n[1]\n{"a": \n')
    assert faults(tmp_path, path="rows.jsonl") == [
        "rows.jsonl:2: it is no JSON object",
        "rows.jsonl:3: not JSON: Expecting value at column 6",
    ]


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize("name", ["rows[1]", "rows*", "rows?", "night=2026-11-30/rows"])
def test_the_named_file_is_read_and_no_other_whatever_its_name(tmp_path: Path, name: str, suffix: str) -> None:
    (tmp_path / "night=2026-11-30").mkdir()
    for path, night in ((f"{name}.{suffix}", "named"), (f"rows1.{suffix}", "another"), (f"rowsx.{suffix}", "another")):
        select, place = f"SELECT '{night}' AS night", str(tmp_path / path).replace("'", "''")
        duckdb.sql(f"COPY ({select}) TO '{place}'" + (" (FORMAT json)" if suffix == "jsonl" else ""))
    assert read(tmp_path, path=f"{name}.{suffix}") == [("named",)]


def test_lines_above_the_names_are_skipped_where_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "titled.csv").write_text("Our goods, November\n\nsku,name\n1,red\n2\n")
    (fault,) = faults(tmp_path, path="titled.csv", skip_lines=2)
    assert fault.startswith("titled.csv:5: the row has too few cells")
    (tmp_path / "titled.csv").write_text("Our goods, November\n\nsku,name\n1,red\n2,blue\n")
    assert columns_of(DeclaredSource(path="titled.csv", skip_lines=2), tmp_path, ()) == ("sku", "name")
    assert read(tmp_path, path="titled.csv", skip_lines=2) == [("1", "red"), ("2", "blue")]
    (fault,) = faults(tmp_path, path="titled.csv", skip_lines=7)
    assert "titled.csv:8: it is empty" in fault
    with xlsxwriter.Workbook(str(tmp_path / "titled.xlsx")) as book:
        sheet = book.add_worksheet("goods")
        for at, row in enumerate((("Our goods, November",), ("sku", "name"), ("1", "red"))):
            sheet.write_row(at, 0, row)
    assert read(tmp_path, path="titled.xlsx", skip_lines=1) == [("1", "red")]
    assert columns_of(DeclaredSource(path="titled.xlsx", skip_lines=1), tmp_path, ()) == ("sku", "name")


def test_a_first_line_that_tells_excel_the_separator_is_no_row(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(b"sep=|\r\nsku|name;x\r\n1|red;\r\n2|blue;\r\n")
    source, doubts = new.source_of(str(tmp_path / "rows.csv"), encoding=None, separator=None)
    assert (source.separator, source.skip_lines, doubts) == ("|", 1, ())
    looked = new.look(source, doubts, rows=5)
    assert (looked.columns, looked.preview) == (("sku", "name;x"), (("1", "red;"), ("2", "blue;")))
    assert "skip_lines = 1\n" in new.written(looked, tmp_path / "catalogs" / "rows.toml")


def test_a_table_that_begins_in_the_middle_of_a_sheet_is_read_from_there(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(str(tmp_path / "rows.xlsx")) as book:
        sheet = book.add_worksheet("goods")
        for at, row in enumerate((("sku", "name"), ("1", "red"), ("2", "blue"))):
            sheet.write_row(2 + at, 1, row)
    assert columns_of(DeclaredSource(path="rows.xlsx"), tmp_path, ()) == ("sku", "name")
    assert read(tmp_path, path="rows.xlsx") == [("1", "red"), ("2", "blue")]
    with xlsxwriter.Workbook(str(tmp_path / "error.xlsx")) as book:
        sheet = book.add_worksheet("goods")
        sheet.write_row(2, 1, ("sku", "price"))
        sheet.write_row(3, 1, ("1",))
        sheet.write_formula(3, 2, "=1/0", value="#DIV/0!")
    assert "C4 (#DIV/0!)" in faults(tmp_path, path="error.xlsx")[0]


def test_a_value_in_a_column_without_a_name_is_not_lost_in_silence(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(str(tmp_path / "titled.xlsx")) as book:
        sheet = book.add_worksheet("goods")
        for at, row in enumerate((("Our goods, November",), ("sku", "name"), ("1", "red"))):
            sheet.write_row(at, 0, row)
    (fault,) = faults(tmp_path, path="titled.xlsx")
    assert "'name' in a column without a name" in fault
    assert "skip_lines" in fault


def test_a_sheet_of_excel_has_its_names_in_the_first_row(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(str(tmp_path / "rows.xlsx")) as book:
        book.add_worksheet("empty")
        sheet = book.add_worksheet("rows")
        sheet.write_row(0, 0, ["id", 2024])
        sheet.write_row(1, 0, ["007", 3])
        sheet.write_row(4, 0, ["a", 1.5])
    assert read(tmp_path, path="rows.xlsx", sheet="rows") == [("007", "3"), ("a", "1.5")]
    assert columns_of(DeclaredSource(path="rows.xlsx", sheet="rows"), tmp_path, ()) == ("id", "2024")
    assert "there is no sheet 'Rows': it has empty, rows" in faults(tmp_path, path="rows.xlsx", sheet="Rows")[0]
    assert "the sheet 'empty' is empty" in faults(tmp_path, path="rows.xlsx")[0]


def test_the_first_sheet_is_the_first_that_is_seen(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(str(tmp_path / "rows.xlsx")) as book:
        old, new = book.add_worksheet("lists"), book.add_worksheet("rows")
        old.write_column(0, 0, ["id", "stale"])
        new.write_column(0, 0, ["id", "fresh"])
        new.activate()
        old.hide()
    assert read(tmp_path, path="rows.xlsx") == [("fresh",)]
    assert read(tmp_path, path="rows.xlsx", sheet="lists") == [("stale",)]


def test_a_decimal_that_can_not_be_read_exactly_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").write_bytes(base64.b64decode(LONG_DECIMALS))
    (fault,) = faults(tmp_path, path="rows.parquet")
    assert "decimals of more than 38 digits, which would be read inexactly: price (42)" in fault
    long = "123456789012345678901234567890123456.78"
    duckdb.sql(f"COPY (SELECT '{long}'::DECIMAL(38, 2) AS paid) TO '{tmp_path}/rows.parquet'")
    assert read(tmp_path, path="rows.parquet") == [(long,)]


def test_a_sheet_with_errors_or_formulas_without_a_result_is_refused(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(str(tmp_path / "rows.xlsx")) as book:
        sheet = book.add_worksheet("prices")
        sheet.write_row(0, 0, ["id", "price", "text"])
        sheet.write_row(1, 0, ["a", 1, "fine"])
        sheet.write_formula(1, 1, "=1/0", None, "#DIV/0!")
        sheet.write_formula(2, 1, "=1+1", None, 2)
        sheet.write_string(2, 0, "b")
        sheet.write_formula(9_999, 1, "=NA()", None, "#N/A")
        sheet.write_formula(3, 3, "=1/0", None, "#DIV/0!")  # below no name: it isn't read
        book.add_worksheet("others").write_row(0, 0, ["id"])
    (fault,) = faults(tmp_path, path="rows.xlsx")
    assert "cells without a value in the sheet 'prices', 2 of them: B2 (#DIV/0!), B10000 (#N/A)" in fault
    assert read(tmp_path, path="rows.xlsx", sheet="others") == []


def test_a_formula_that_nobody_has_calculated_is_no_empty_text(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(str(tmp_path / "by_a_program.xlsx")) as book:
        sheet = book.add_worksheet("prices")
        sheet.write_row(0, 0, ["id", "price"])
        sheet.write_string(1, 0, "a")
        sheet.write_formula(1, 1, "=1+1", None, "")
    (fault,) = faults(tmp_path, path="by_a_program.xlsx")
    assert "1 of them: B2 (a formula that hasn't been calculated)" in fault
    _rewrite(tmp_path / "by_a_program.xlsx", rb"><f>1\+1</f><v></v>", b' t="str"><f>""</f><v></v>')
    assert read(tmp_path, path="by_a_program.xlsx") == [("a", None)], "a formula whose result is an empty text"


def _rewrite(path: Path, pattern: bytes, by: bytes) -> None:
    """Other XML in a workbook's first sheet, as programs write it that calculate nothing."""
    with ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    parts[sheet], n = re.subn(pattern, by, parts[sheet])
    assert n == 1, parts[sheet]
    with ZipFile(path, "w") as book:
        for name, content in parts.items():
            book.writestr(name, content)


@pytest.fixture
def shop(postgres: str) -> Iterator[str]:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE SEQUENCE of_sold")
        connection.execute("CREATE TABLE sold (id bigint, at timestamptz, tags jsonb, span interval, raw bytea)")
        connection.execute(
            "INSERT INTO sold VALUES (1, '2026-01-02 03:04:05+02', '{\"b\": 1.10, \"a\": [1]}', '90 min', '\\x00ff')"
        )
        yield postgres
        connection.execute("DROP TABLE sold; DROP SEQUENCE of_sold")


def test_a_query_is_read_in_utc_and_writes_nothing(tmp_path: Path, shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_URL", shop)

    def declared(query: str) -> dict[str, object]:
        return {"path": None, "query": query, "url_variable": "SHOP_URL"}

    assert read(tmp_path, **declared("SELECT *, at::text AS text FROM sold WHERE 'a:b%s' LIKE '%'")) == [
        ("1", "2026-01-02T01:04:05Z", '{"a":[1],"b":1.10}', "5400", "00ff", "2026-01-02 01:04:05+00")
    ]
    for query in ("DELETE FROM sold", "SELECT nextval('of_sold')", "SELECT * FROM none", "SET LOCAL work_mem = '1MB'"):
        (said,) = faults(tmp_path, **declared(query))
        assert said.startswith("the query fails at 127.0.0.1: ")
    monkeypatch.delenv("SHOP_URL")
    assert "SHOP_URL isn't set" in faults(tmp_path, **declared("SELECT 1"))[0]


@pytest.mark.parametrize("at", ["postgresql://u:secret@127.0.0.1:1", "postgresql://u:sec/ret@h", "none://u:secret@h"])
def test_the_password_of_a_database_is_never_said(tmp_path: Path, at: str) -> None:
    with pytest.raises((BadSource, TransientError)) as refused:  # one that is away may come back
        read(tmp_path, path=None, query="SELECT 1", url=f"{at}/x")
    assert not re.search("secret|sec/ret", str(refused.value))
