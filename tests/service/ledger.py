"""What a service's ledger holds, read over a connection that no stage uses."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson
import psycopg
from psycopg.rows import dict_row

from overnight_models.ledger.bodies.packed import read_group

Json = dict[str, Any]


class Ledger:
    """The ledger of one service. The fetches are named as those of `overnight_models.ledger.rows`."""

    def __init__(self, database_url: str) -> None:
        self._connection = psycopg.connect(database_url, autocommit=True, row_factory=dict_row)

    def close(self) -> None:
        """End its connection."""
        self._connection.close()

    def execute(self, statement: str, *values: object) -> None:
        """Execute one statement and commit it."""
        self._connection.execute(statement.encode(), values)

    def fetch_all(self, statement: str, *values: object) -> list[Json]:
        """The rows of one statement."""
        return self._connection.execute(statement.encode(), values).fetchall()

    def fetch_one(self, statement: str, *values: object) -> Json:
        """The only row of one statement; a ValueError when there is none, or more than one."""
        (row,) = self.fetch_all(statement, *values)
        return row

    def backend(self) -> int:
        """The number of its connection's process on the server."""
        return self._connection.info.backend_pid

    def states(self, table: str) -> list[str]:
        """The states of all rows, in order."""
        view, order = ("every_delivery", "item_id") if table == "delivery" else (table, "id")
        return [row["state"] for row in self.fetch_all(f"SELECT state FROM {view} ORDER BY {order}")]

    def give_rows(self) -> None:
        """Each delivery has a row, so that a test can change it: also those that were handed over at once."""
        self.execute(
            """WITH given AS (
                   INSERT INTO delivery (item_id, lane_id, target_id, state, size, due_at, tries)
                   SELECT item_id, lane_id, target_id, state, size, due_at, tries FROM every_delivery
                   WHERE state = 'delivered'
                   ON CONFLICT DO NOTHING RETURNING lane_id, state
               )
               INSERT INTO tally (noun, lane_id, state, n, bytes)
               SELECT 'delivery', lane_id, state, -count(*), 0 FROM given GROUP BY lane_id, state"""
        )

    def item(self, key: str) -> Json:
        """An item with its outcome, if it has one."""
        row = self.fetch_one(
            """SELECT item.*, request.key, outcome.ok, problem, detail, message, cost_nano,
                      coalesce(api_batch_id, (SELECT api_id FROM submission WHERE id = submission_id)) AS api_batch_id
               FROM item JOIN request ON request.item_id = item.id LEFT JOIN outcome ON outcome.item_id = item.id
               WHERE key = %s""",
            key,
        )
        return row | {"message": self.answers(row["id"]).get(row["id"])}

    def answers(self, *item_ids: int) -> dict[int, str]:
        """The answers of these items, or of all, as JSON; without those of items that have none."""
        some = "WHERE item_id = ANY(%s)" if item_ids else ""
        rows = self.fetch_all(
            f"""SELECT item_id, message, body_place, packed
                FROM outcome LEFT JOIN answer_group ON answer_group.id = body_group {some} ORDER BY item_id""",
            *([list(item_ids)] if item_ids else []),
        )
        texts = {row["item_id"]: row["message"] for row in rows if row["message"] is not None}
        grouped = [row for row in rows if row["packed"] is not None]
        return texts | {row["item_id"]: read_group(row["packed"])[row["body_place"]].decode() for row in grouped}

    def asked(self) -> dict[int, str]:
        """What items ask, without their prefixes, by their ids: from their own rows and from groups."""
        rows = self.fetch_all(
            "SELECT item_id, params, packed, body_place FROM request LEFT JOIN request_group ON id = body_group"
            " ORDER BY item_id"
        )
        return {
            row["item_id"]: row["params"] or read_group(bytes(row["packed"]))[row["body_place"]].decode()
            for row in rows
        }

    def group_texts(self) -> list[str]:
        """The requests that lie in groups, whosever they are."""
        rows = self.fetch_all("SELECT packed FROM request_group ORDER BY id")
        return [body.decode() for row in rows for body in read_group(bytes(row["packed"]))]

    def verdict(self, message_id: str) -> Json:
        """What became of a message."""
        row = self.fetch_one("SELECT verdict FROM inbox WHERE message_id = %s", UUID(message_id))
        verdict: Json = orjson.loads(row["verdict"])
        return verdict
