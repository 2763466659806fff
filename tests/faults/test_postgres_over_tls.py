"""A Postgres over TLS, verified by `sslmode=verify-full`: all goes through it, and nobody else is spoken to."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url
from typer.testing import CliRunner

from overnight_models.ledger.database import Database, DatabaseUnavailable
from overnight_models.ledger.schema import migrate
from overnight_workers.cli import app
from overnight_workers.sandbox.process import Running
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.rescue import sweep
from tests.driving import Service, callback, item
from tests.faults.redis_servers import certificates
from tests.faults.tls_front import TlsFront

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make certificates with")


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def front(database_url: str, held: Path) -> Iterator[TlsFront]:
    front = TlsFront(make_url(database_url).port or 0, held)
    yield front
    front.close()


def over_tls(database_url: str, front: TlsFront, ca: Path, host: str = "127.0.0.1") -> str:
    """The database's URL as a company writes it."""
    url = make_url(database_url).set(host=host, port=front.port)
    checked = url.update_query_dict({"sslmode": "verify-full", "sslrootcert": str(ca)})
    return checked.render_as_string(hide_password=False)


def test_every_stage_and_command_works_over_tls_and_says_nothing_in_the_clear(
    database_url: str,
    redis_url: str,
    front: TlsFront,
    held: Path,
    sandbox: Running,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = over_tls(database_url, front, held / "ca.pem")
    database = Database(url)
    migrate(database)
    database.close()
    service = Service(tmp_path, url, redis_url, sandbox, monkeypatch)
    try:
        service.accept(item("a", callback=callback()), item("b"))
        sweep()
        service.finish()
        deliver()
        assert service.ledger.states("item") == ["succeeded", "succeeded"]
        assert service.ledger.states("delivery") == ["delivered"]
        assert service.api.meter()["requests"] == 2
        assert CliRunner().invoke(app, ["items"]).exit_code == 0
    finally:
        service.close()
    assert front.encrypted > 2, "statements, COPY and the sign of life"
    assert front.plain == 0


@pytest.mark.parametrize(
    ("ca", "host", "said"),
    [("other", "127.0.0.1", "certificate verify failed"), ("ca.pem", "127.0.0.2", "does not match host name")],
)
def test_a_server_that_is_not_verified_is_said_and_gets_no_password(
    database_url: str, front: TlsFront, held: Path, tmp_path: Path, ca: str, host: str, said: str
) -> None:
    file = certificates(tmp_path / "other") / "ca.pem" if ca == "other" else held / ca
    database = Database(over_tls(database_url, front, file, host))
    with pytest.raises(DatabaseUnavailable, match=said):
        database.owner()
    with pytest.raises(DatabaseUnavailable, match=said), database.transaction():
        pass
    database.close()
    assert front.plain == 0
