"""Every move is tried from every state, on a real row, through its own guard."""

from __future__ import annotations

import itertools
from typing import Final

import psycopg
import pytest

from overnight_models.states import ITEM, LIVES, Life, Move

SEED: Final = """
INSERT INTO lane (name) VALUES ('a');
INSERT INTO catalog (name) VALUES ('c');
INSERT INTO headers (workspace, betas, api_version) VALUES ('w', '', 'v');
INSERT INTO batch (lane_id, headers_id, state, items, size) VALUES (1, 1, 'collected', 1, 1);
"""
# A row in a given state, with whatever that state asks for.
INSERT: Final = {
    "item": "INSERT INTO item"
    " (id, lane_id, headers_id, model_id, max_tokens, state, batch_id, size, waiting_since, held_by)"
    " VALUES (1, 1, 1, 1, 1, %(state)s, CASE WHEN %(state)s IN ('batched', 'racing') THEN 1 END, 1,"
    " CASE WHEN %(state)s = 'waiting' THEN now() END, CASE WHEN %(state)s = 'held' THEN 1 END)",
    "batch": "INSERT INTO batch (lane_id, headers_id, state, items, size) VALUES (1, 1, %(state)s, 1, 1)",
    "submission": "INSERT INTO submission (batch_id, token, state, send_by, api_id)"
    " VALUES (1, 't', %(state)s, now(), 'msgbatch_1')",
    "catalog_run": "INSERT INTO catalog_run (catalog_id, number, state, path, declaration, wish, ended_at)"
    " VALUES (1, 1, %(state)s, '', '', '{}', CASE WHEN %(state)s IN ('complete', 'partial', 'stopped') THEN now() END)",
    "delivery": "INSERT INTO delivery (item_id, lane_id, target_id, state) VALUES (1, 1, 1, %(state)s)",
}
# What the move writes beside the state, where a rule of the table asks for it.
BESIDE: Final = {
    ("item", "pack"): ", batch_id = 1",
    ("item", "leave"): ", batch_id = NULL",
    ("item", "retry"): ", batch_id = NULL",
    ("item", "fall_back"): ", batch_id = 1",
    ("item", "outlast"): ", batch_id = NULL",
    ("catalog_run", "finish"): ", ended_at = now()",
    ("catalog_run", "fall_short"): ", ended_at = now()",
    ("catalog_run", "stop"): ", ended_at = now()",
}


def beside(life: Life, move: Move) -> str:
    columns = BESIDE.get((life.noun, move.name), "")
    if life is ITEM:
        columns += f", waiting_since = {'now()' if move.after == 'waiting' else 'NULL'}"
        columns += f", held_by = {'1' if move.after == 'held' else 'NULL'}"
    return columns


@pytest.mark.parametrize("life", [pytest.param(life, id=life.noun) for life in LIVES])
def test_a_move_leaves_the_states_it_may_leave_and_no_other(database_url: str, life: Life) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(SEED)
        for move, state in itertools.product(life, life.states):
            with connection.transaction(force_rollback=True):
                connection.execute(INSERT[life.noun], {"state": state})
                moved = connection.execute(
                    f"UPDATE {life.noun} SET {move.set}{beside(life, move)} WHERE {move.where} RETURNING state".encode()
                ).fetchall()
                expected = [(move.after,)] if state in move.before else []
                if life.noun == "batch" and "collected" in move.before:
                    expected.append((move.after,))
                assert moved == expected, f"{life.noun} {move.name} from {state}"


@pytest.mark.parametrize("life", [pytest.param(life, id=life.noun) for life in LIVES])
def test_a_state_that_nobody_knows_is_refused(database_url: str, life: Life) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(SEED)
        with pytest.raises(psycopg.errors.CheckViolation, match=f"{life.noun}_state_is_known"):
            connection.execute(INSERT[life.noun], {"state": "nowhere"})


@pytest.mark.parametrize(("state", "batch_id"), [("waiting", "1"), ("batched", "NULL")])
def test_an_item_is_in_a_batch_exactly_when_it_says_so(database_url: str, state: str, batch_id: str) -> None:
    with (
        psycopg.connect(database_url) as connection,
        pytest.raises(psycopg.errors.CheckViolation, match="items_are_in_"),
    ):
        connection.execute(
            f"INSERT INTO item (id, lane_id, headers_id, model_id, max_tokens, state, batch_id, size, waiting_since)"
            f" VALUES (1, 1, 1, 1, 1, '{state}', {batch_id}, 1, CASE '{state}' WHEN 'waiting' THEN now() END)".encode()
        )
