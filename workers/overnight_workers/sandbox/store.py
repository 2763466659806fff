"""What must survive the sandbox's death: one SQLite file, and the bodies of the batches beside it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS setting (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS batch (
    ordinal INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    workspace TEXT NOT NULL,
    requests INTEGER NOT NULL,
    version TEXT NOT NULL,
    betas TEXT NOT NULL,
    created_at INTEGER NOT NULL,      -- sandbox time, microseconds, like every *_at but accepted_real_s
    accepted_real_s REAL NOT NULL,
    drawn_us INTEGER NOT NULL,        -- how long it takes when nothing stops it
    due_at INTEGER NOT NULL,          -- when it ends: drawn, 24 hours, or soon after a cancel
    cancel_at INTEGER,
    faults TEXT NOT NULL,             -- item faults in force when it was created
    seen_before TEXT NOT NULL,        -- position -> how often a marked request had come before
    settled_real_s REAL,              -- set once, with the counts: the batch has ended
    succeeded INTEGER NOT NULL DEFAULT 0,
    errored INTEGER NOT NULL DEFAULT 0,
    canceled INTEGER NOT NULL DEFAULT 0,
    expired INTEGER NOT NULL DEFAULT 0,
    archived_at INTEGER,
    deleted INTEGER NOT NULL DEFAULT 0,
    stranger INTEGER NOT NULL DEFAULT 0,
    -- what its chance is drawn with: another for each batch of a workspace, whatever the other workspaces do
    fate INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS batch_newest_first ON batch (workspace, created_at, ordinal) WHERE deleted = 0;
CREATE INDEX IF NOT EXISTS batch_unsettled ON batch (due_at) WHERE settled_real_s IS NULL;
CREATE INDEX IF NOT EXISTS batch_archivable ON batch (created_at)
    WHERE archived_at IS NULL AND settled_real_s IS NOT NULL;

-- One row each time a request was accepted or billed, by the hash of its params: a tree of hashes would be written anew
-- with every large batch.
CREATE TABLE IF NOT EXISTS seen (params INTEGER NOT NULL, billed INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS marked (params INTEGER PRIMARY KEY, times INTEGER NOT NULL);

CREATE TABLE IF NOT EXISTS accepted (
    workspace TEXT PRIMARY KEY, creates INTEGER NOT NULL, requests INTEGER NOT NULL, strangers INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bill (
    workspace TEXT NOT NULL, model TEXT NOT NULL, road TEXT NOT NULL, requests INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL, write_5m_tokens INTEGER NOT NULL, write_1h_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
    nanodollars INTEGER NOT NULL, realtime_nanodollars INTEGER NOT NULL,
    PRIMARY KEY (workspace, model, road)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answered (
    workspace TEXT NOT NULL, endpoint TEXT NOT NULL, status TEXT NOT NULL, times INTEGER NOT NULL,
    PRIMARY KEY (workspace, endpoint, status)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS cache_entry (
    workspace TEXT NOT NULL, prefix BLOB NOT NULL, road TEXT NOT NULL, expires_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, prefix, road)
) WITHOUT ROWID;
"""


class Store:
    """The sandbox's file. Writers take turns on one connection; every reading thread has its own."""

    def __init__(self, data_dir: Path) -> None:
        self.bodies = data_dir / "bodies"
        self.bodies.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.bodies.chmod(0o700)  # of one that an earlier version made, too
        self._path = data_dir / "sandbox.sqlite"
        self._local = threading.local()
        self._turn = threading.RLock()
        self._writer = self._connect()
        self._writer.executescript(SCHEMA)
        with suppress(sqlite3.OperationalError):  # an earlier version's file has no such column
            self._writer.execute("ALTER TABLE batch ADD COLUMN fate INTEGER NOT NULL DEFAULT 0")
        # Bodies that were on their way in when the last process died: never accepted.
        for left_over in self.bodies.glob("incoming-*"):
            left_over.unlink()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, check_same_thread=False, isolation_level=None, cached_statements=256, timeout=30
        )
        connection.row_factory = sqlite3.Row
        # NORMAL in WAL mode: a commit survives the death of the process, if not of the machine.
        connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-16000;")
        return connection

    @property
    def reader(self) -> sqlite3.Connection:
        """The calling thread's own connection, for reading."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
        return connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; committed when the block ends, rolled back when it raises."""
        with self._turn:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            self._writer.execute("COMMIT")

    def body_path(self, batch_id: str) -> Path:
        """Where the body of a batch lies."""
        return self.bodies / f"{batch_id}.json"

    def get(self, key: str) -> str | None:
        """A kept setting."""
        row = self.reader.execute("SELECT value FROM setting WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row["value"])

    def put(self, key: str, value: str) -> None:
        """Keep a setting."""
        with self.writing() as db:
            db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (key, value))
