"""Killed at every point: one scenario after the other, until there is no point at which nobody has died.

And between any two effects on the outside there is a point, so that every death that could differ is tried. The
witnesses are the servers: whatever a stage does to them, by whatever code, they see it, and in between the marks that
the process leaves with them at each of its points. What one of these tests has seen the others needn't run again.
"""

from __future__ import annotations

import ast
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import psycopg
import pytest
import redis
from psycopg import sql

from overnight_workers import stages
from overnight_workers.one_machine.embedded import EmbeddedPostgres
from overnight_workers.sandbox.process import Running, running
from tests.chaos.deaths import Stage
from tests.chaos.life import Lived, Same, Sandbox
from tests.chaos.same_deaths import MARK, same_deaths
from tests.chaos.scenarios import SCENARIOS
from tests.kept_sessions import APPLICATION

ON_THE_WAY: Final = {"accept", "answer", "pack", "submit", "poll", "collect", "deliver", "rescue"}

OTHERS: Final = {
    *{"brokers", "doorbell"},  # through which stages reach the outside
}
"""Modules of the stages' rooms that aren't a stage, nor a part of one."""
OUTSIDE: Final = re.compile(
    r".*\.(?:transaction|quick)|.*\.owner|.*\.publish|process\.names\(\)\..*|process\.redis_client\(\)\.(?!get).*"
    r"|doorbell\.(ring|heard)|api\.(?!client|ahead)[a-z_]+"
)
"""What a stage calls to reach the outside."""
CLIENTS: Final = {"anthropic", "celery", "httpx2", "kombu", "psycopg", "redis", "requests", "socket", "urllib"}
"""Packages with which one can."""
CLIENTS_IN_STAGES: Final = {
    ("accept", "celery"),
    ("answer", "redis"),
    ("gather", "redis"),
    ("rescue", "redis"),
    ("restored", "redis"),
    ("acknowledge", "redis"),
    ("purging", "redis"),
    ("waiting_messages", "redis"),
}
"""For the exceptions that they raise."""

NOT_REACHED: Final = {
    "answer_spans.write: process.database().transaction": "only where the process has a tracer provider",
    "submit._spans: process.database().transaction": "as the line before",
    "api_deletions._delete: process.database().transaction": "when the API wouldn't delete a batch just now",
    "retain.keeps: process.names().lane": "where a lane says how long something is kept",
    "retain.retain: process.database().transaction": "as the line before",
    "submit.submit: doorbell.ring": "after four minutes of submitting",
    "submit._give_back: process.database().transaction": "after a failure of our own: no room for the body",
    "submit._put_aside: process.database().transaction": "for a batch with a request that can't be read",
    "pulse.failed: process.database().transaction": "after a failure of our own",
    "pulse.succeeded: process.database().transaction": "as the line before, once it is over",
    "measure._measure_alone: process.database().transaction": "after a failure of our own, of a whole group",
    "accept.take_in: database.transaction": "when Postgres' disk is full",
    "measure.measure: doorbell.ring": "after a minute of measuring",
    "collect.collect: doorbell.ring": "after four minutes of collecting",
    "collect.give_up: process.database().transaction": "29 days after its end, or on a person's word",
    "collect.give_up: doorbell.ring": "29 days after its end, or on a person's word",
    "poll._stop: api.cancel": "while a double runs, or deadlines are at risk: here batches end at once",
    "poll._stop: process.database().transaction": "as the line before",
    "abandoned.bring_home: doorbell.ring": "after a death of a process that sends",
    "turns._give_back_unsent: process.database().quick": "after a turn that the ledger broke off",
    "direct._hand_over: doorbell.ring": "when a callback's broker takes less than it was given",
    "recording._write: doorbell.ring": "when something stands in a callback's way",
    "turns._sign: process.database().quick": "after some seconds of sending",
    "turns._take: process.database().quick": "when there is something to send in two lanes, or to two models",
    "turns._take: doorbell.ring": "when more waits than may be under way at once",
    "turns._within_limits: process.database().quick": "when the account's rate limit is used up",
    "choosing.choose: process.names().model": "when a lane chooses models by size, once for each model",
    "choosing.choose: process.names().shape": "as the line before",
    "looking._take_out: process.database().transaction": "when deadlines are at risk in a batch that isn't sent yet",
    "recording.go_on: process.database().transaction": "after some seconds of sending to a webhook",
    "recording.claim: process.database().transaction": "when the body of a webhook can't be written",
    "deliver._deliver: process.database().transaction": "when a broker can't even be asked",
    "acknowledge._requeue: process.redis_client().rpush": "when Postgres goes away in between",
    "gather._requeue: process.redis_client().pipeline": "when Postgres goes away in between",
    "listing.read_list: api.list_batches": "the second page comes after a thousand batches",
    "collect._archived: api.retrieve": "29 days after its end: until then a 404 of results heals",
    "collect._disown: process.database().transaction": "when results bear others' tokens, read after read",
    "unknown_batches.judge: process.database().transaction": "when the token of an unknown batch can't be read yet",
}
"""Calls that these runs don't make, and when they are made. Their points are in the same few places."""
KEEPING: Final = {"DISCARD ALL", f"SET application_name = '{APPLICATION}'", "RESET application_name"}
"""How a session is kept for the next test, and given to it."""
BY_SPEED: Final = {
    "recording.go_on: process.database().transaction",
    "turns._sign: process.database().quick",
    "turns._take: doorbell.ring",
    "turns._within_limits: process.database().quick",
}
"""Those of them that a slow machine makes all the same."""


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An API of their own: every call counts here, and a process of another test may still call the session's."""
    with running(tmp_path_factory.mktemp("sandbox"), "--instant", "--counts-per-minute", "1000000") as sandbox:
        yield sandbox


@pytest.fixture
def stage(tmp_path: Path, emptied_url: str, redis_server: str, sandbox: Running) -> Stage:
    return Stage(tmp_path, emptied_url, redis_server, Sandbox(sandbox.url, sandbox.data_dir))


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Lived]:
    """The scenarios that ran undisturbed, and the points that they reached."""
    return {}


@pytest.fixture(scope="module")
def same() -> dict[str, Same]:
    """For each of them, the points between which the servers have seen nothing."""
    return {}


@pytest.fixture(scope="module")
def died_at() -> set[str]:
    """Points at which somebody has died, in whatever scenario."""
    return set()


# --- what the servers see ------------------------------------------------------------------------------------------


@pytest.fixture
def postgres_log(postgres_server: EmbeddedPostgres, emptied_url: str) -> Iterator[Path]:
    """What Postgres is told, word by word."""
    name = sql.Identifier(emptied_url.rpartition("/")[2])
    with psycopg.connect(postgres_server.url, autocommit=True) as admin:
        admin.execute(sql.SQL("ALTER DATABASE {} SET log_statement = 'all'").format(name))
        yield postgres_server.data_dir / "log"
        admin.execute(sql.SQL("ALTER DATABASE {} RESET log_statement").format(name))


@contextmanager
def monitored(url: str) -> Iterator[list[str]]:
    """What Redis is told meanwhile, and by its end."""
    commands: list[str] = []
    listening = threading.Event()

    def listen() -> None:
        with redis.Redis.from_url(url, socket_timeout=None) as client, client.monitor() as monitor:
            listening.set()
            for event in monitor.listen():
                if event["command"] == "ECHO the end of the monitor":
                    return
                if event["client_type"] != "lua":  # a script is one
                    commands.append(event["command"])

    listener = threading.Thread(target=listen)
    listener.start()
    assert listening.wait(60)
    try:
        yield commands
    finally:
        with redis.Redis.from_url(url) as client:
            client.echo("the end of the monitor")
        listener.join(60)


def calls_of_the_api(sandbox: Running) -> Counter[str]:
    calls: dict[str, dict[str, int]] = httpx2.get(f"{sandbox.url}/sandbox/meter").json()["calls"]
    return Counter({endpoint: sum(times.values()) for endpoint, times in calls.items()})


def calls_before(sandbox: Running) -> Counter[str]:
    """The calls so far, once none of the scenario before is under way."""
    before: Counter[str] | None = None
    while (calls := calls_of_the_api(sandbox)) != before:
        before = calls
        time.sleep(0.3)  # nothing says that the sandbox is idle, but that its counts stand still
    return calls


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_effect_follows_another_without_a_point_between_them(
    stage: Stage,
    sandbox: Running,
    redis_server: str,
    postgres_log: Path,
    undisturbed: dict[str, Lived],
    same: dict[str, Same],
    name: str,
) -> None:
    logged, calls = postgres_log.stat().st_size, calls_before(sandbox)
    with monitored(redis_server) as commands:
        lived = stage.undisturbed(name, marks=True)
    undisturbed[name], points = lived, lived.points
    by_postgres = list(postgres_effects(postgres_log.read_bytes()[logged:].decode()))
    by_redis = list(redis_effects(commands, redis_server))
    same[name] = same_deaths(lived, by_postgres, by_redis)
    assert_marked(by_postgres, len(points))
    assert_marked(by_redis, len(points))
    assert_called(points, calls_of_the_api(sandbox) - calls)


@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_at_every_point(
    stage: Stage, died_at: set[str], undisturbed: dict[str, Lived], same: dict[str, Same], name: str
) -> None:
    """What dies in one scenario isn't killed again in the next; `make chaos` does that, and each death alone."""
    for killed in stage.die_everywhere(name, died_at, undisturbed.get(name), same.get(name, frozenset())):
        died_at |= killed
    if name == "the whole way":
        # what is around all tasks is no stage: points of two stages would have one name, and one of them no death
        assert {point.partition(".")[0].partition(" ")[0] for point in died_at} >= ON_THE_WAY


def assert_marked(events: Sequence[str], points: int) -> None:
    """No effect comes before the first mark, after the last, or right after another effect.

    Threads of one process may announce several commits before the first of them is done: so many may follow each other.
    """
    marks, before, announced, since = 0, "the beginning", 0, 0
    for event in events:
        if event.startswith(MARK):
            marks += 1
            since = 0
            announced += event.endswith("before commit") - event.endswith("after commit")
        else:
            since += 1
            assert marks, f"no point between {before!r} and {event!r}"
            assert since <= max(announced, 1), f"no point between {before!r} and {event!r}"
        before = event
    assert marks == points + 1
    assert before.startswith(MARK), f"no point after {before!r}"


def assert_called(points: Sequence[str], calls: Counter[str]) -> None:
    """Every call is announced, and its end is told before the next one's beginning."""
    moments = [re.sub(r"^.*:\d+ ", "", point) for point in points]
    announced = Counter(moments)
    assert announced["before create"] == calls.pop("batches.create", 0)
    # several messages are under way at once: each is announced, in no order
    assert announced["before message"] == calls.pop("messages", 0)
    assert announced["before calling the API"] == calls.total(), f"{calls}: {points}"
    reads = [moment for moment in moments if moment.endswith("calling the API")]
    assert reads == ["before calling the API", "after calling the API"] * (len(reads) // 2)
    creates = [moment for moment in moments if moment.endswith(("create", "last bytes"))]
    whole = ["before create", "before last bytes", "after last bytes", "after create"]
    assert creates == whole * (len(creates) // 4)


def postgres_effects(log: str) -> Iterator[str]:
    """Commits, and what takes effect without one, up to the end of the scenario."""
    statements = list(_statements(log))
    marking = next(who for who, words in statements if words.startswith("SELECT 'point"))
    inside: set[int] = set()
    for who, words in statements:
        if who == marking and words.startswith("SELECT 'point"):
            yield f"{MARK}: {words.rstrip(chr(39))}"
            if words == "SELECT 'point of the end'":
                return
        elif who == marking or words.startswith("DO $$") or words in KEEPING:
            continue  # a step of the scenario itself, or what comes before it
        elif words == "BEGIN":
            inside.add(who)
        elif words in ("COMMIT", "ROLLBACK"):
            inside.discard(who)
            if words == "COMMIT":
                yield words
        elif who not in inside and ("lock" in words or not re.match(r"(?i)select|show|;|$", words)):
            yield words


def _statements(log: str) -> Iterator[tuple[int, str]]:
    """Who said what, in order."""
    for record in re.split(r"\n(?=\d{4}-\d\d-\d\d )", log):
        match = re.match(r".*?\[(\d+)\] LOG:  (?:statement|execute \S+): (.*)", record, re.DOTALL)
        if match:
            yield int(match[1]), " ".join(match[2].split())


def redis_effects(monitored_commands: Sequence[str], url: str) -> Iterator[str]:
    """What changes something there, up to the end of the scenario; a transaction is one.

    Not what kombu keeps for itself (which queues it knows, the same each time): no point of ours can be in between.
    """
    with redis.Redis.from_url(url) as client:
        commands: Any = client.command()
    transaction: list[str] | None = None
    for words in monitored_commands:
        command, _, rest = words.partition(" ")
        if words.startswith("ECHO point"):
            yield f"{MARK}: {words}"
            if words == "ECHO point of the end":
                return
        elif command == "MULTI":
            transaction = []
        elif command == "EXEC":
            if transaction:
                yield "; ".join(transaction)
            transaction = None
        elif (
            (command == "EVAL" or "write" in commands[command.lower()]["flags"])
            and not rest.startswith("_kombu.")
            and command != "FLUSHALL"
        ):
            if transaction is None:
                yield words
            else:
                transaction.append(words)


# --- what the code could do ----------------------------------------------------------------------------------------


def test_every_call_of_a_stage_is_in_a_scenario(stage: Stage, undisturbed: dict[str, Lived]) -> None:
    for name in SCENARIOS.keys() - undisturbed.keys():  # when it runs alone
        undisturbed[name] = stage.undisturbed(name)
    every = {point for lived in undisturbed.values() for point in lived.points}
    places = {place[0] for point in every if (place := re.search(r"\S+:\d+(?= )", point))}
    missed = {f"{function}: {called}" for function, called, lines in calls_of_the_stages() if not lines & places}
    assert not missed - set(NOT_REACHED), f"in no scenario: {', '.join(sorted(missed - set(NOT_REACHED)))}"
    assert set(NOT_REACHED) - missed <= BY_SPEED


def calls_of_the_stages() -> Iterator[tuple[str, str, set[str]]]:
    """Where stages reach the outside: function, what is called, and the places of its points."""
    for module, tree in _sources():
        for qualified, function in functions(tree):
            calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
            own = {call.lineno for call in calls if ast.unparse(call.func) == "reach"}
            for call in calls:
                if OUTSIDE.fullmatch(called := ast.unparse(call.func)):
                    places = {f"{module}.{qualified}:{line}" for line in own | {call.lineno}}
                    yield f"{module}.{function.name}", called, places


def functions(tree: ast.AST, within: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    """Functions and methods, with their qualified names."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            yield f"{within}{node.name}", node
            yield from functions(node, f"{within}{node.name}.<locals>.")
        else:
            yield from functions(node, f"{within}{node.name}." if isinstance(node, ast.ClassDef) else within)


def _sources() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(Path(stages.__file__).parent.rglob("*.py")):
        if path.stem not in OTHERS:
            yield path.stem, ast.parse(path.read_text())


def test_stages_have_no_other_way_to_the_outside() -> None:
    modules = set()
    for module, tree in _sources():
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules |= {(module, name.partition(".")[0]) for name in names if name.partition(".")[0] in CLIENTS}
    assert modules == CLIENTS_IN_STAGES
