"""Answer: a product asks about a message, an item or a run, and reads the answer from a short-lived Redis list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

import orjson
import redis

from overnight_models import routes
from overnight_models.crash_points import reach
from overnight_models.ledger import answer as ledger
from overnight_models.ledger import documents, recall, redo
from overnight_models.ledger.answer import Asked, Standing
from overnight_models.ledger.bodies.encryption import NoKey
from overnight_models.ledger.cancel import Canceled
from overnight_models.ledger.cancel import cancel as cancel_item
from overnight_workers import process
from overnight_workers.celery_worker.celery_app import app
from overnight_workers.stages import doorbell, pulse
from overnight_workers.telemetry import logs

_KEPT_S: Final = 60

log = logs.get(__name__)

About = Mapping[str, Any]
"""What is asked about, as it came: whatever isn't as it should be is answered with an error."""


@app.task(name=routes.ANSWER, send_events=False)
def answer(question: str, reply_to: str, about: About, **_later: object) -> str:
    """Answer one question. An unknown question is answered with an error, not with silence."""
    pulse.at_work(routes.ANSWER)
    document = _document(question, about)
    key = routes.REPLY_KEY.format(reply_to)
    reach("before reply")
    try:
        with process.redis_client().pipeline() as pipe:
            pipe.rpush(key, orjson.dumps(document))
            pipe.expire(key, _KEPT_S)
            pipe.execute()
        reach("after reply")
    except redis.RedisError as error:
        log.warning("answer not given, the product will ask again", question=question, error=str(error))
    return question


def _document(question: str, about: About) -> dict[str, object]:
    """`{"answer": …}`, or `{"error": why}` for what nobody here understands.

    `{"error": why, "key_missing": true}` while what is asked for waits for its encryption key.
    """
    ask = _QUESTIONS.get(question)
    if ask is None:
        return {"error": f"workers of this version can't answer {question!r}"}
    try:
        return {"answer": ask(about)}
    except NoKey as error:
        log.warning("a question that waits for an encryption key", question=question, error=str(error))
        return {"error": str(error), "key_missing": True}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        log.warning("a question that can't be answered", question=question, exc_info=True)
        return {"error": f"workers can't answer {question!r} as it was asked: {error!r}"}


def _confirm(about: About) -> dict[str, object]:
    """Verdicts by message id: null while it isn't done, absent when it never arrived."""
    with process.database().transaction() as connection:
        verdicts = ledger.verdicts(connection, [UUID(message_id) for message_id in about["message_ids"]])
    return {
        message_id: None if verdict is None else orjson.Fragment(verdict) for message_id, verdict in verdicts.items()
    }


def _asked(about: About) -> Asked:
    """Which item it is about: products of an older version ask by key alone, whatever they hold."""
    receipt, message_id = (None if about.get(name) is None else UUID(about[name]) for name in ("id", "message_id"))
    return Asked(about["lane"], about["key"], receipt, message_id)


def _outcome(about: About) -> dict[str, object] | None:
    """`{"state", "outcome"}`, `{"rejected": why}` or `{"not_yet": why}`; null when there is no such item."""
    with process.database().quick() as connection:
        standing, row = ledger.asked_for(connection, _asked(about))
    if row is None:
        return _without_item(standing)
    return {"state": row.state, "outcome": None if row.ok is None else documents.document(row)}


def _cancel(about: About) -> str | dict[str, object] | None:
    """A word of `Canceled`, `{"rejected": why}` or `{"not_yet": why}`.

    What is on its way is canceled when it comes, and nobody who is accepting just now overlooks that.
    """
    asked = _asked(about)
    with process.database().transaction() as connection:
        standing = ledger.locate(connection, asked)
        if standing.item_id is not None:
            return cancel_item(connection, standing.item_id)
    if standing.not_yet is None or asked.receipt is None:
        return _without_item(standing) or Canceled.UNKNOWN
    with process.database().transaction() as connection:
        recall.exclusively(connection)
        standing = ledger.locate(connection, asked)
        if standing.not_yet is not None:
            recall.note(connection, asked.receipt)
            # with a key that is taken it may be the item that is there, which may have been sent
            taken = ledger.locate(connection, asked._replace(receipt=None)).item_id is not None
            return _without_item(standing) if taken else Canceled.CANCELED
    return _cancel(about)


def _redo(about: About) -> dict[str, object] | None:
    """`{"receipt"}` of what is tried again; `{"refused": why}`, `{"rejected": why}`, `{"not_yet": why}`; null for none.

    Asked again, it says the same.
    """
    with process.database().transaction() as connection:
        standing = ledger.locate(connection, _asked(about))
        if standing.item_id is None:
            return _without_item(standing)
        item_id = redo.redo(connection, [standing.item_id]).get(standing.item_id, standing.item_id)
        why_not = redo.why_not(connection, item_id)
        if why_not is not None:
            return {"refused": why_not}
        row = ledger.read_item(connection, item_id)
    doorbell.ring(routes.PACK)
    return {"receipt": None if row is None else row.receipt}


def _without_item(standing: Standing) -> dict[str, object] | None:
    """What is said of an item that isn't in Postgres."""
    if standing.rejected is not None:
        return {"rejected": standing.rejected}
    return None if standing.not_yet is None else {"not_yet": standing.not_yet}


def _run(about: About) -> dict[str, int] | None:
    """Items by state; null when there is no such run."""
    with process.database().transaction() as connection:
        return ledger.run_counts(connection, about["run"])


def _outcomes(about: About) -> dict[str, object]:
    """A page of a run's outcomes, and where the next one begins: null after the last."""
    with process.database().transaction() as connection:
        rows, after = ledger.outcomes_page(
            connection,
            run=about["run"],
            lane=about.get("lane"),
            problem=about.get("problem"),
            after=int(about.get("after") or 0),
        )
    return {"outcomes": [documents.document(row) for row in rows], "next": after}


_QUESTIONS: Final[dict[str, Callable[[About], object]]] = {
    "confirm": _confirm,
    "outcome": _outcome,
    "outcomes": _outcomes,
    "cancel": _cancel,
    "redo": _redo,
    "run": _run,
}
