"""A product's endpoint that does everything wrong once, and keeps what came and what it acknowledged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import orjson
import psycopg

from tests.endpoints import CLOSED, Came, Reply, listening
from tests.kept_sessions import APPLICATION

SECRET_OF_SHOP: Final = "CHAOS_SECRET_OF_SHOP"
"""The variable that has its secret."""
TIMEOUT_S: Final = 1.5
"""As `timeout` of its webhook: a slow answer comes later."""
_STORED: Final = """
SELECT count(*) FROM every_delivery JOIN request USING (item_id) WHERE state = 'delivered' AND key = ANY(%s)
"""


def _some(came: Came) -> Reply:
    """It takes the first outcome of a request, and says why not the others."""
    first, *others = [outcome["delivery_id"] for outcome in came.outcomes]
    return Reply(200, orjson.dumps({"delivered": [first], "failed": dict.fromkeys(others, "not now")}))


TROUBLES: Final = (
    Reply(500, b"out of order"),
    Reply(204, after_s=2 * TIMEOUT_S),
    _some,
    Reply(429, headers={"retry-after": "3600"}),
    Reply(CLOSED),
    Reply(410),
    Reply(200, b'{"delivered": ['),
    Reply(302, headers={"location": "http://127.0.0.1:1/elsewhere"}),
    Reply(503, headers={"retry-after": "Fri, 31 Dec 2099 23:59:59 GMT"}),
    _some,
)
"""What it answers to its first requests, whoever sends them."""


@dataclass
class Product:
    """What came.

    url: where it listens.
    """

    url: str
    came: Counter[str] = field(default_factory=Counter)
    """By delivery id, how often."""
    taken: set[str] = field(default_factory=set)
    """Delivery ids that it acknowledged."""
    in_vain: list[str] = field(default_factory=list)
    """Keys of outcomes that came when the ledger had their acknowledgement already."""


@contextmanager
def a_product(database_url: str) -> Iterator[Product]:
    """It listens for as long as the block lasts. database_url: where it sees what is stored when a request comes."""
    with listening() as endpoint:
        product = Product(endpoint.url)
        troubles = iter(TROUBLES)

        def answer(came: Came) -> Reply:
            with psycopg.connect(database_url, autocommit=True, application_name=APPLICATION) as connection:
                row = connection.execute(_STORED, (came.keys,)).fetchone()
            if row is not None and row[0]:
                product.in_vain += came.keys
            product.came.update(outcome["delivery_id"] for outcome in came.outcomes)
            trouble = next(troubles, endpoint.always)
            reply = trouble(came) if callable(trouble) else trouble
            product.taken |= _taken(came, reply)
            return reply

        endpoint.chooses = answer
        yield product


def _taken(came: Came, reply: Reply) -> set[str]:
    """Which of the outcomes that came this answer takes, if it comes back."""
    if reply.status not in (200, 204):
        return set()
    if not reply.body:
        return {outcome["delivery_id"] for outcome in came.outcomes}
    try:
        return set(orjson.loads(reply.body)["delivered"])
    except orjson.JSONDecodeError:
        return set()
