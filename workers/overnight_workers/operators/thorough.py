"""The ledger, looked at thoroughly: what is the matter with it, and its alarms, read by this process itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from sqlalchemy.exc import SQLAlchemyError

from overnight_models.errors import OvernightError
from overnight_models.ledger import deployment as ledger_deployment
from overnight_models.ledger import lock_room as ledger_lock_room
from overnight_models.ledger import poll, schema
from overnight_models.ledger.database import DatabaseUnavailable
from overnight_models.ledger.presence import SharedSession
from overnight_models.ledger.retention import keep
from overnight_models.wire.policy import Policy
from overnight_workers.operators import words
from overnight_workers.operators.findings import (
    FAULT,
    NOTE,
    OK,
    UNKNOWN,
    Finding,
    clock,
    deployment,
    kept,
    lock_room,
    relays,
)
from overnight_workers.operators.snapshot import take_snapshot
from overnight_workers.process import database
from overnight_workers.settings import Settings, settings


def ledger(current: Settings, policy: Policy | None) -> list[Finding]:
    """Every check of the ledger. One that doesn't answer is asked for nothing more.

    policy: the one in force.
    """
    try:
        with database().transaction() as connection:
            version = schema.server_version(connection)
            schema.require_utf8(connection)
    except DatabaseUnavailable as error:
        return [Finding("database", UNKNOWN, _line(error), "start Postgres (`overnight up`), or correct the URL")]
    except OvernightError as error:
        return [Finding("database", FAULT, _line(error), "correct OVERNIGHT_DATABASE_URL")]
    through = ", through a pooler" if database().is_pooled else ""
    findings = [Finding("database", OK, f"PostgreSQL {version}{through}")]
    for name, check in (("presence", presence), ("schema", revision)):
        findings += looked(check, name)
    if any(finding.check == "schema" and finding.state == FAULT for finding in findings):
        # whatever else is asked would fail for that alone
        return findings
    for name, check in (("deployment", which_deployment), ("clock", clocks), ("locks", locks), ("kept", retention)):
        findings += looked(check, name)
    return findings + looked(lambda: seen(policy), "alarms")


def looked(check: Callable[[], list[Finding]], name: str) -> list[Finding]:
    """A check's findings; one that breaks is a finding too."""
    try:
        return check()
    except (OvernightError, SQLAlchemyError) as error:
        # a database without the ledger's tables, too
        return [Finding(name, FAULT, _line(error), "mend what stands above first")]


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def presence() -> list[Finding]:
    """Whether processes can show that they live."""
    try:
        database().owner()
    except SharedSession as error:
        return [Finding("presence", FAULT, str(error), "see *Behind a pooler* in workers/docs/running.md")]
    return [Finding("presence", OK, "processes can show that they live")]


def revision() -> list[Finding]:
    """The schema's revision, and the newest one."""
    with database().transaction() as connection:
        current, newest = schema.revisions(connection)
    if current == newest:
        return [Finding("schema", OK, f"revision {current}")]
    return [Finding("schema", FAULT, f"revision {current}, the newest is {newest}", "run `overnight migrate`")]


def which_deployment() -> list[Finding]:
    """The deployment of the ledger, beside the configured one."""
    with database().transaction() as connection:
        id_ = ledger_deployment.read(connection).id
    wanted = settings().deployment
    if wanted in (None, id_):
        return [deployment(str(id_), None)]
    return [
        Finding("deployment", FAULT, f"the ledger is of {id_}", f"OVERNIGHT_DEPLOYMENT is {wanted}: which?"),
    ]


def clocks() -> list[Finding]:
    """The clock of this host beside the database's."""
    began = time.time()
    with database().transaction() as connection:
        theirs = poll.now(connection).timestamp()
    return [clock(abs(theirs - (began + time.time()) / 2))]


def locks() -> list[Finding]:
    """Whether Postgres has room for the locks of those who work at once."""
    with database().transaction() as connection:
        return [lock_room(ledger_lock_room.lock_room(connection))]


def retention() -> list[Finding]:
    """What is kept, and what is still there although it is older."""
    with database().transaction() as connection:
        waiting = [
            f"items from {table.first_item}: {table.waits_for}" for table in keep.kept(connection) if table.waits_for
        ]
    return kept(settings(), "; ".join(waiting) or None)


def seen(policy: Policy | None) -> list[Finding]:
    """How it stands with the relays, and every alarm that is on."""
    snapshot = replace(take_snapshot(database()), policy=policy)
    on = snapshot.alarms(settings())
    standing = relays({relay.name: words.of_relay(relay) for relay in snapshot.troubles.relays})
    return standing + (
        [Finding(alarm.kind, FAULT if alarm.urgent else NOTE, alarm.text, alarm.do) for alarm in on]
        or [Finding("alarms", OK, "none is on")]
    )
