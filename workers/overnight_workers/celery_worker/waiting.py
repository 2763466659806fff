"""Waiting for the schema: a worker that starts before its database, or before the migration, waits and says so."""

from __future__ import annotations

import time
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from overnight_models.errors import PermanentError, TransientError
from overnight_models.ledger import deployment, schema
from overnight_models.ledger.database import Database
from overnight_workers.settings import settings
from overnight_workers.telemetry import logs

_LOOK_EVERY_S: Final = 1.0

log = logs.get(__name__)


def wait_for_schema() -> None:
    """Return when Postgres answers and has the schema that this code needs, or a newer one.

    Without it a worker would take messages, fail, and they would be gone. Ends the process, with a reason in the log,
    where waiting can't help.
    """
    logs.configure()  # Celery does it later
    database = Database(settings().database_url, name="overnight start", presence_url=settings().presence_url)
    said = ""
    try:
        while (why := _not_ready(database)) is not None:
            if why != said:
                log.warning("waiting for the ledger", why=why)
                said = why
            time.sleep(_LOOK_EVERY_S)
    except PermanentError as error:
        log.error("the ledger can't be used", why=str(error))
        raise SystemExit(1) from error  # Celery lets no other exception end a worker here
    finally:
        # before the pool forks: no child may inherit a connection
        database.close()


def refuse_database() -> None:
    """End the beat, with a reason in the log, where its workers won't start. It needs no database: one may be away."""
    if not settings().database_url:
        return
    logs.configure()
    database = Database(settings().database_url, name="overnight start")
    try:
        with database.transaction() as connection:
            schema.require_utf8(connection)
    except (TransientError, SQLAlchemyError) as error:
        log.warning("the beat starts without a look at the ledger", why=" ".join(str(error).split()))
    except PermanentError as error:
        log.error("the ledger can't be used", why=str(error))
        raise SystemExit(1) from error
    finally:
        database.close()


def _not_ready(database: Database) -> str | None:
    try:
        with database.transaction() as connection:
            current, newest = schema.revisions(connection)
        database.owner()  # raises SharedSession: behind a pooler in transaction mode no lock is a process's own
    except (TransientError, SQLAlchemyError) as error:
        return " ".join(str(error).split())
    # revisions are numbered, so a newer one sorts behind: a worker may be older than the schema while it is replaced
    if current is None or current < newest:
        return f"the schema is at {current or 'nothing'} and not at {newest}: overnight migrate"
    return _of_another_deployment(database)


def _of_another_deployment(database: Database) -> str | None:
    """A copied ledger in an installation of its own must not send what its original sends."""
    wanted = settings().deployment
    if wanted is None:
        return None
    with database.transaction() as connection:
        deployment_id = deployment.read(connection).id
    if deployment_id == wanted:
        return None
    return (
        f"this ledger is of deployment {deployment_id} and the configuration says {wanted}:"
        " it may be another one's copy"
    )
