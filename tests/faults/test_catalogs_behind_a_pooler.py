"""A catalog whose source and sink are tables behind PgBouncer in transaction mode, read in flat memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.catalogs.publishing import Place, answer, publish
from tests.faults.pooler import PROGRAM, running_pooler

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs PgBouncer (Debian: apt-get install pgbouncer)")

ROWS = 60_000
READ = """
import resource, sys
from pathlib import Path
from overnight_workers.catalogs.opened import duck
from overnight_workers.catalogs.reading import read_catalog
from overnight_workers.catalogs.sources import open_source
from overnight_workers.catalogs.sources import sql, written
catalog = read_catalog(Path(sys.argv[1]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with duck() as connection, open_source(catalog) as source:
    rows, cells = connection.execute(f"SELECT count(*), sum(length(said)) FROM ({source.query})").fetchall()[0]
print(rows, cells, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
CATALOG = """
key = "id"
model = "claude-haiku-4-5"
max_tokens = 100
[source]
query = "SELECT id, said, at FROM pooled_feedback"
url = "{url}"
[prompt]
row = "{{{{ said }}}} {{{{ at }}}}"
[sink]
table = "pooled_answers"
url = "{url}"
"""


@pytest.fixture
def pooled(postgres: str) -> Iterator[str]:
    """A database with rows, by its pooler."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS pooled_feedback")
        connection.execute("""
            CREATE TABLE pooled_feedback AS
            SELECT id, repeat('it is 100% fine: ', 12) || id AS said, timestamptz '2026-03-29 00:30+01' AS at
            FROM generate_series(1, 60000) AS id
        """)
        with running_pooler(postgres, "transaction", default_pool_size="2") as url:
            yield url
        connection.execute("DROP TABLE pooled_feedback")
        connection.execute("DROP TABLE IF EXISTS answers")


def test_rows_are_read_by_a_server_side_cursor_in_flat_memory(pooled: str, tmp_path: Path) -> None:
    file = tmp_path / "feedback.toml"
    file.write_text(CATALOG.format(url=pooled))
    command = [sys.executable, "-c", READ, str(file)]
    # the second one gets a server connection that another has used
    first, second = (subprocess.run(command, capture_output=True, text=True, check=False) for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    rows, cells, grown_mb = map(int, second.stdout.split())
    assert (rows, cells > ROWS * 200) == (ROWS, True)
    assert grown_mb < 150, "DuckDB's own bound; the rows are some 13 MB, and a client-side cursor would keep all"


def test_a_table_behind_it_is_upserted_again_and_again(pooled: str, tmp_path: Path) -> None:
    place = Place(tmp_path, "postgresql", pooled)
    with place.connected() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS answers")
    sink = place.sink(gone="delete")
    for number in range(1, 8):  # psycopg would prepare a statement at its fifth time
        sink.check()
        publish(sink, number, [answer(f"A{at}", {"title": f"{number}", "stars": at}) for at in range(3)])
    publish(sink, 8, [], gone=[("A1",)])
    assert place.seen("sku", "title") == [("A0", "7"), ("A2", "7")]
