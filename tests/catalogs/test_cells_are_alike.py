"""The same rows from CSV, Parquet, JSON Lines, Excel and Postgres are the same texts and are sent as the same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
import sqlalchemy as sa
import xlsxwriter

from overnight_workers.catalogs import cells
from overnight_workers.catalogs.declaration import Catalog
from overnight_workers.catalogs.reading import read_catalog
from overnight_workers.catalogs.recipe import recipe_of
from overnight_workers.catalogs.sources import open_source

BERLIN = timezone(timedelta(hours=1))
MORNING = datetime(2026, 1, 2, 4, 4, 5, tzinfo=BERLIN)
MIDNIGHT = datetime(2026, 7, 1, 0, 0, tzinfo=UTC)
SPLIT_SECOND = datetime(2026, 1, 2, 3, 4, 5, 120000, tzinfo=UTC)
COLUMNS = ("sku", "name", "price", "stock", "listed", "seen", "active", "items")
ROWS: list[tuple[Any, ...]] = [
    ("A1", "Chair", Decimal("1.10"), 7, date(2026, 3, 4), MORNING, True, "one"),
    ("A2", '"quoted", über', Decimal("0.50"), 0, date(1999, 12, 31), MIDNIGHT, False, None),
    ("A3", "two\nlines", None, None, None, None, None, "  spaces "),
    ("A4", "<&>'", Decimal("-1000000.00"), -12345678901234, date(2026, 2, 3), SPLIT_SECOND, True, "007"),
]
WANTED = [
    ("A1", "Chair", "1.10", "7", "2026-03-04", "2026-01-02T03:04:05Z", "true", "one"),
    ("A2", '"quoted", über', "0.50", "0", "1999-12-31", "2026-07-01T00:00:00Z", "false", None),
    ("A3", "two\nlines", None, None, None, None, None, "  spaces "),
    ("A4", "<&>'", "-1000000.00", "-12345678901234", "2026-02-03", "2026-01-02T03:04:05.12Z", "true", "007"),
]
TYPES = """
[source.types]
price = "decimal(2)"
stock = "integer"
listed = "date"
seen = "datetime"
active = "boolean"
"""


def csv(directory: Path, _: str) -> str:
    """As somebody's export writes them: signs, offsets and words of its own."""
    (directory / "rows.csv").write_text(
        "sku,name,price,stock,listed,seen,active,items\n"
        "A1,Chair,1.1,+7,2026-03-04,2026-01-02T04:04:05+01:00,yes,one\n"
        'A2,"""quoted"", über",.50,0,1999-12-31 00:00:00,2026-07-01 00:00:00Z,F,""\n'
        'A3,"two\nlines",,,,,,"  spaces "\n'
        "A4,<&>',-1000000,-12345678901234.0,2026-02-03,2026-01-02T03:04:05.120+00:00,TRUE,007\n"
    )
    return 'path = "rows.csv"'


def parquet(directory: Path, _: str) -> str:
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE t (sku TEXT, name TEXT, price DECIMAL(18, 2), stock BIGINT, listed DATE, seen TIMESTAMPTZ,"
            " active BOOLEAN, items TEXT)"
        )
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?)", ROWS)
        connection.execute(f"COPY t TO '{directory / 'rows.parquet'}' (FORMAT parquet)")
    return 'path = "rows.parquet"'


def jsonl(directory: Path, _: str) -> str:
    def plain(value: object) -> object:
        return value.isoformat() if isinstance(value, date) else value

    lines = []
    for row in ROWS:
        document = {name: plain(value) for name, value in zip(COLUMNS, row, strict=True) if value is not None}
        price = document.pop("price", None)
        written = json.dumps(document, ensure_ascii=False)
        lines.append(written if price is None else f'{written[:-1]}, "price": {price}}}')
    (directory / "rows.jsonl").write_text("\n".join(lines) + "\n")
    return 'path = "rows.jsonl"'


def excel(directory: Path, _: str) -> str:
    """Moments as texts: Excel has no time zones."""
    with xlsxwriter.Workbook(str(directory / "rows.xlsx")) as book:
        sheet = book.add_worksheet("rows")
        sheet.write_row(0, 0, COLUMNS)
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for number, row in enumerate(ROWS, start=1):
            for column, value in enumerate(row):
                if isinstance(value, datetime):
                    sheet.write_string(number, column, value.isoformat())
                elif isinstance(value, date):
                    sheet.write_datetime(number, column, value, day)
                elif value is not None:
                    sheet.write(number, column, value)
    return 'path = "rows.xlsx"'


def postgres_table(_: Path, url: str) -> str:
    with psycopg.connect(url) as connection:
        connection.execute(
            "DROP TABLE IF EXISTS shop; CREATE TABLE shop (sku text, name text,"
            " price numeric(18, 2), stock bigint, listed date, seen timestamptz, active boolean, items text)"
        )
        connection.cursor().executemany("INSERT INTO shop VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", ROWS)
    # the zone of a session doesn't matter
    zone = "?options=-c%20timezone%3DAmerica/New_York"
    return f'query = "SELECT * FROM shop WHERE name <> \':x %(a)s\' ORDER BY sku"\nurl = "{url}{zone}"'


SOURCES = (csv, parquet, jsonl, excel, postgres_table)


def catalog_of(directory: Path, source: str, types: str = TYPES) -> Catalog:
    file = directory / "shop.toml"
    file.write_text(
        'key = "sku"\nmodel = "claude-haiku-5-5"\nmax_tokens = 100\n'
        f"[source]\n{source}\n{types}\n"
        '[prompt]\nrow = """\n{{ name }}: {{ price or "-" }} {{ stock or 0 }} {{ listed or "-" }} {{ seen or "-" }}'
        ' {{ active or "-" }} {{ row.items or "-" }}\n"""\n'
    )
    return read_catalog(file)


def rows_of(catalog: Catalog) -> list[dict[str, str | None]]:
    with open_source(catalog) as source, duckdb.connect() as connection:
        return list(source.each(connection))


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_the_same_row_is_the_same_texts_from_every_source(
    tmp_path: Path, postgres: str, source: Callable[[Path, str], str]
) -> None:
    rows = rows_of(catalog_of(tmp_path, source(tmp_path, postgres)))
    assert [tuple(row[name] for name in COLUMNS) for row in rows] == WANTED


def test_the_same_row_is_sent_as_the_same_bytes_from_every_source(tmp_path: Path, postgres: str) -> None:
    sent = {}
    for source in SOURCES:
        directory = tmp_path / source.__name__
        directory.mkdir()
        catalog = catalog_of(directory, source(directory, postgres))
        recipe = recipe_of(catalog)
        sent[source.__name__] = [recipe.request(row).sent_hash for row in rows_of(catalog)]
    assert len({tuple(hashes) for hashes in sent.values()}) == 1
    assert len(set(sent["csv"])) == len(ROWS)


def test_the_same_row_is_the_same_texts_from_mariadb_whose_moments_have_no_zone(
    tmp_path: Path, mariadb_url: str
) -> None:
    engine = sa.create_engine(mariadb_url)
    with engine.begin() as connection:
        for statement in ("SET time_zone = '+00:00'", "DROP TABLE IF EXISTS sold"):
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql(
            "CREATE TABLE sold (sku VARCHAR(9) PRIMARY KEY, name LONGTEXT, price DECIMAL(18, 2), stock BIGINT,"
            " listed DATE, seen TIMESTAMP(6) NULL, active BOOLEAN, items TEXT) CHARACTER SET utf8mb4"
        )
        rows = [[v.astimezone(UTC) if isinstance(v, datetime) else v for v in row] for row in ROWS]
        for row in rows:
            connection.exec_driver_sql(f"INSERT INTO sold VALUES ({', '.join(['%s'] * 8)})", tuple(row))
    engine.dispose()
    query = "SELECT * FROM sold WHERE name NOT LIKE ':x %(a)s%' ORDER BY sku"
    read = rows_of(catalog_of(tmp_path, f'query = "{query}"\nurl = "{mariadb_url}"'))
    wanted = [(*row[:5], row[5] and row[5].removesuffix("Z"), *row[6:]) for row in WANTED]
    assert [tuple(row[name] for name in COLUMNS) for row in read] == wanted


@pytest.mark.parametrize("source", [parquet, jsonl, postgres_table], ids=lambda source: source.__name__)
def test_sources_with_types_agree_where_nothing_is_declared(
    tmp_path: Path, postgres: str, source: Callable[[Path, str], str]
) -> None:
    rows = rows_of(catalog_of(tmp_path, source(tmp_path, postgres), types=""))
    texts = [tuple(row[name] for name in COLUMNS if name != "seen") for row in rows]
    assert texts == [(*row[:5], *row[6:]) for row in WANTED]


@pytest.mark.parametrize("value", [0.1, 2.0, 1e16, 1e-7, 123456789.123456, 1 / 3, -0.0, 5e-324, 1.7976931348623157e308])
def test_a_double_has_the_same_digits_from_python_and_from_duckdb(value: float) -> None:
    with duckdb.connect() as connection:
        ((cell,),) = connection.execute(
            f"SELECT {cells.as_text('x', 'DOUBLE')} FROM (SELECT ?::DOUBLE AS x)", [value]
        ).fetchall()
    assert cell == cells.text_of(value)


@pytest.mark.parametrize(
    ("declared", "given", "wanted"),
    [
        ("integer", "007", "7"),
        ("integer", "-0", "0"),
        ("integer", "+12.00", "12"),
        ("integer", "1.5", "1.5"),
        ("integer", "n/a", "n/a"),
        ("decimal", "1.10", "1.10"),
        ("decimal", " +.5 ", "0.5"),
        ("decimal", "007.50", "7.50"),
        ("decimal", "0", "0"),
        ("decimal", "-00", "-0"),
        ("decimal", "5.", "5"),
        ("decimal", "1,10", "1,10"),
        ("decimal(2)", "1.1", "1.10"),
        ("decimal(2)", "1.005", "1.01"),
        ("decimal(0)", "2.5", "3"),
        ("boolean", "Yes", "true"),
        ("boolean", "0", "false"),
        ("boolean", "maybe", "maybe"),
        ("date", "2026-03-04T00:00:00Z", "2026-03-04"),
        ("date", "03/04/2026", "03/04/2026"),
        ("date(%d/%m/%Y)", "03/04/2026", "2026-04-03"),
        ("datetime", "2026-03-04", "2026-03-04T00:00:00"),
        ("datetime", "2026-03-04 05:06:07.100", "2026-03-04T05:06:07.1"),
        ("datetime", "2026-03-04T05:06:07-0230", "2026-03-04T07:36:07Z"),
        ("datetime(%d.%m.%Y %H:%M)", "04.03.2026 05:06", "2026-03-04T05:06:00"),
        ("text", "  as it is ", "  as it is "),
    ],
)
def test_a_declared_type_has_one_form_and_what_is_not_of_it_stays_as_it_is(
    declared: str, given: str, wanted: str
) -> None:
    with duckdb.connect() as connection:
        ((cell,),) = connection.execute(
            f"SELECT {cells.canonical('x', declared)} FROM (SELECT ? AS x)", [given]
        ).fetchall()
    assert cell == wanted


def test_no_cell_depends_on_another_row(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("sku,name,price,stock,listed,seen,active,items\nA1,2,1.10,03/04,x,y,yes,0x1F\n")
    catalog = catalog_of(tmp_path, 'path = "rows.csv"', types="")
    before = rows_of(catalog)[0]
    with file.open("a") as more:
        more.write("A2,2.5,n/a,31/12,,,maybe,\n")
    assert (
        rows_of(catalog)[0]
        == before
        == dict(zip(COLUMNS, ("A1", "2", "1.10", "03/04", "x", "y", "yes", "0x1F"), strict=True))
    )
