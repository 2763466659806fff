"""`overnight doctor`: what is wrong, and what to do about it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from rich.text import Text

from overnight_models.errors import BadSettings, OvernightError
from overnight_workers.cli import console


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    check: str
    ok: bool
    found: str
    do: str = ""
    """What to do about it."""


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Check database, schema, Redis, key, clock, alarms and workers; exits with 1 when something is wrong."""
    from overnight_workers.settings import settings, without_password

    try:
        current = settings()
    except BadSettings as error:
        findings = [
            Finding("configuration", False, fault, "mend overnight.toml or the environment") for fault in error.faults
        ]
        _report(findings, {}, as_json)
        raise typer.Exit(1) from error
    findings = [Finding("configuration", True, f"lanes: {', '.join(current.lanes)}")]
    for check in (_database, _presence, _schema, _deployment, _redis, _keys, _clock, _alarms, _workers):
        findings += _looked(check)
    _report(
        findings,
        {"database_url": without_password(current.database_url), "redis_url": without_password(current.redis_url)},
        as_json,
    )
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def _looked(check: Callable[[], list[Finding]]) -> list[Finding]:
    """A check's findings; one that breaks is a finding too."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return check()
    except (OvernightError, SQLAlchemyError) as error:
        # a database without the ledger's tables, too
        why = str(error).partition("\n")[0]
        return [Finding(check.__name__.strip("_"), False, why, "mend what stands above first")]


def _report(findings: list[Finding], urls: dict[str, str], as_json: bool) -> None:
    if as_json:
        console.as_json(
            {"ok": all(finding.ok for finding in findings), "findings": [asdict(one) for one in findings], **urls}
        )
        return
    for finding in findings:
        mark = Text("ok   ", style="green") if finding.ok else Text("FAULT", style="bold red")
        console.OUT.print(mark, Text(f"{finding.check}: {finding.found}"))
        if not finding.ok and finding.do:
            console.OUT.print(Text(f"      → {finding.do}", style="yellow"))


def _database() -> list[Finding]:
    from overnight_models.ledger import schema
    from overnight_workers.process import database
    from overnight_workers.settings import settings

    if not settings().database_url:
        return [Finding("database", False, "no URL", "set OVERNIGHT_DATABASE_URL, or start `overnight up`")]
    try:
        with database().transaction() as connection:
            version = schema.server_version(connection)
    except OvernightError as error:
        return [Finding("database", False, str(error), "start Postgres (`overnight up`), or correct the URL")]
    through = ", through a pooler" if database().is_pooled else ""
    return [Finding("database", True, f"PostgreSQL {version}{through}")]


def _presence() -> list[Finding]:
    from overnight_models.ledger.presence import SharedSession
    from overnight_workers.process import database

    try:
        database().owner()
    except SharedSession as error:
        return [Finding("presence", False, str(error), "see *Behind a pooler* in workers/docs/running.md")]
    return [Finding("presence", True, "processes can show that they live")]


def _schema() -> list[Finding]:
    from overnight_models.ledger import schema
    from overnight_workers.process import database

    with database().transaction() as connection:
        current, newest = schema.revisions(connection)
    if current == newest:
        return [Finding("schema", True, f"revision {current}")]
    return [Finding("schema", False, f"revision {current}, the newest is {newest}", "run `overnight migrate`")]


def _redis() -> list[Finding]:
    from overnight_workers.operators import redis_health
    from overnight_workers.process import redis_client
    from overnight_workers.settings import settings

    if not settings().redis_url:
        return [Finding("redis", False, "no URL", "set OVERNIGHT_REDIS_URL, or start `overnight up`")]
    health = redis_health.look(redis_client())
    return [
        Finding(
            "redis", health.fault is None, health.fault or health.version, "see `redis away` in workers/docs/alarms.md"
        )
    ]


def _keys() -> list[Finding]:
    from overnight_workers.settings import settings

    return [
        Finding(f"key of workspace {name}", True, f"{workspace.api_key_env} is set")
        if workspace.api_key()
        else Finding(
            f"key of workspace {name}",
            # with embedded servers the workers may have the sandbox's key, which this process can't see
            bool(_sandbox_url()),
            f"{workspace.api_key_env} isn't set here"
            + (f"; the workers of `overnight up` use the sandbox at {_sandbox_url()}" if _sandbox_url() else ""),
            f"set {workspace.api_key_env} for the workers",
        )
        for name, workspace in settings().workspaces.items()
    ]


def _sandbox_url() -> str | None:
    from overnight_models.embedded_urls import read_urls
    from overnight_workers.settings import settings

    return read_urls(settings().data_dir).get("sandbox_url")


def _clock() -> list[Finding]:
    from overnight_models.ledger import poll
    from overnight_workers.process import database

    began = time.time()
    with database().transaction() as connection:
        theirs = poll.now(connection).timestamp()
    apart = abs(theirs - (began + time.time()) / 2)
    if apart < 5:
        return [Finding("clock", True, f"{apart:.2f} s apart from the database's")]
    return [Finding("clock", False, f"{apart:.0f} s apart from the database's", "set the clocks by NTP")]


def _alarms() -> list[Finding]:
    from overnight_workers.operators.snapshot import take_snapshot
    from overnight_workers.process import database
    from overnight_workers.settings import settings

    on = take_snapshot(database()).alarms(settings())
    return [Finding(alarm.kind, False, alarm.text, alarm.do) for alarm in on] or [Finding("alarms", True, "none is on")]


def _deployment() -> list[Finding]:
    from overnight_models.ledger import deployment
    from overnight_workers.process import database
    from overnight_workers.settings import settings

    with database().transaction() as connection:
        found = deployment.read(connection).id
    if settings().deployment in (None, found):
        return [Finding("deployment", True, str(found))]
    return [
        Finding(
            "deployment",
            False,
            f"the ledger is of {found}",
            f"OVERNIGHT_DEPLOYMENT is {settings().deployment}: which?",
        )
    ]


def _workers() -> list[Finding]:
    from kombu.exceptions import KombuError
    from redis.exceptions import RedisError

    from overnight_models import routes
    from overnight_workers.celery_app import app

    try:
        answers = app.control.inspect(timeout=1.0).active_queues() or {}
    except (KombuError, RedisError, OSError) as error:
        return [Finding("workers", False, str(error), "start Redis first")]
    listened_to = {queue["name"] for queues in answers.values() for queue in queues}
    silent = [queue for queue in routes.QUEUES if queue not in listened_to]
    if not answers:
        return [
            Finding("workers", False, "none answers", "start `overnight up`, or celery -A overnight_workers.app worker")
        ]
    if silent:
        return [Finding("workers", False, f"nobody works on {', '.join(silent)}", "start a worker with -Q for them")]
    return [Finding("workers", True, f"{len(answers)} answer: {', '.join(sorted(answers))}")]
