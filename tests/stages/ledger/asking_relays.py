"""All that a relay asks of an inbox, and tells the ledger."""

from __future__ import annotations

from uuid import uuid4

from sqlalchemy import Connection

from overnight_models.ledger import accept
from overnight_models.ledger.relays import inbox, seen
from overnight_models.ledger.rows import execute
from overnight_models.wire import inbox_migrations, message
from overnight_models.wire.inbox import InboxRow, InboxTable, insert_statement


def ask_relays(connection: Connection) -> None:
    table = InboxTable()
    for statement in inbox_migrations.sql(table):
        execute(connection, statement)
    for _ in range(2):
        row = InboxRow(str(uuid4()), message.VERSION, "default", None, None, "{}", 1)
        execute(connection, insert_statement(table, ":{}"), **row._asdict())
    assert len(inbox.lying(connection, table, lane="default", run=None, after=0, limit=9)) == 2
    assert inbox.lying(connection, table, lane=None, run="spring", after=0, limit=9) == []
    first, second = inbox.take(connection, table, lambda _: False)
    inbox.remove(connection, table, [first.id])
    inbox.put_aside(connection, table, {second.id: "no lane"})
    look = inbox.look(connection, table)
    assert (look.waiting, look.oldest_s, look.aside, look.aside_why) == (0, None, 1, "no lane")
    assert [aside.error for aside in inbox.aside(connection, table)] == ["no lane"]
    assert inbox.all_aside(connection, table) == (1, 1, "no lane")
    assert inbox.aside_messages(connection, table, [0]) == []
    messages = inbox.aside_messages(connection, table, [])
    accept.forget(connection, messages)
    assert inbox.let_go_on(connection, table, messages) == 1
    assert inbox.drop_aside(connection, table, messages) == 0
    seen.note_failure(connection, "shop", "no table")
    seen.note_look(connection, "shop", look)
    seen.note_items(connection, "shop", 7)
    seen.relays(connection)
