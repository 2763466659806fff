"""URLs of Postgres as companies write them, with several hosts too; what isn't one is said without showing it."""

from __future__ import annotations

import pytest

from overnight_models.errors import BadSettings
from overnight_models.ledger.connecting import Connector
from overnight_models.ledger.database_url import read_database_url, read_link, shown


@pytest.mark.parametrize(
    ("url", "host", "port", "where"),
    [
        ("postgresql://u:p@one:1,two:2/db", "one,two", "1,2", "one:1, two:2"),
        ("postgresql://u:p%2C@one,two:2/db?sslmode=require", "one,two", "5432,2", "one:5432, two:2"),
        ("postgresql://u:p@[::1]:1,two/db", "::1,two", "1,5432", "::1:1, two:5432"),
        ("postgres://u:p@/db?host=one,two&port=1,2", "one,two", "1,2", "one:1, two:2"),
        ("postgresql://u:p@/db?host=one:1&host=two:2", ("one:1", "two:2"), None, "one:1, two:2"),
    ],
)
def test_of_several_hosts_the_one_that_takes_writes_is_meant(url: str, host: object, port: object, where: str) -> None:
    read = read_database_url(url)
    assert (read.query["host"], read.query.get("port")) == (host, port)
    assert read.query["target_session_attrs"] == "read-write"
    assert (read.username, read.database, shown(read)) == ("u", "db", where)


def test_what_the_url_says_of_its_hosts_is_kept() -> None:
    read = read_database_url("postgresql://u:p@one,two/db?target_session_attrs=primary")
    assert read.query["target_session_attrs"] == "primary"


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("postgresql://u:p@one/db", "one:5432"),
        ("postgresql://u:p@[::1]:7/db", "::1:7"),
        ("postgresql:///db?host=/run/postgresql", "/run/postgresql:5432"),
        ("postgresql:///db", "the local socket"),
    ],
)
def test_one_host_is_as_it_was(url: str, where: str) -> None:
    read = read_database_url(url)
    assert "target_session_attrs" not in read.query
    assert shown(read) == where


@pytest.mark.parametrize("url", ["s3cret", "mysql://u:s3cret@one/db", "postgresql://u:s3cret@one:x/db", "http://one"])
def test_what_is_no_postgres_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(BadSettings, match="isn't the URL of a Postgres") as caught:
        read_database_url(url)
    with pytest.raises(BadSettings, match="isn't the URL of a Postgres") as again:
        read_link(url)
    assert "s3cret" not in str(caught.value) + str(again.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p%2C%20@one/db",
        "postgresql://u:pl:an/ted@one:7/db?sslmode=require&application_name=x",
        "postgres://u:p@one:1,two:2/db",
        "postgresql+psycopg://u:p@one,two:2/db?connect_timeout=9",
        "postgresql://u:p@[::1]:1,two/db",
        "postgresql://u:p@[::1]:7/db",
        "postgres://u:p@/db?host=one,two&port=1,2",
        "postgresql:///db?host=/run/postgresql",
        "postgresql:///db",
    ],
)
def test_read_without_sqlalchemy_it_is_the_same(url: str) -> None:
    ours = read_link(url)
    with_sqlalchemy = {name: str(value) for name, value in Connector(url).arguments.items() if value != ""}
    assert with_sqlalchemy == {**with_sqlalchemy, **ours}
    assert {"host", "port", "user", "password", "dbname"} & set(with_sqlalchemy) == {
        "host", "port", "user", "password", "dbname",
    } & set(ours)  # fmt: skip
