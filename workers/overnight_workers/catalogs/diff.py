"""The difference: which rows are sent, and why. DuckDB reads the source once and joins it with the memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from overnight_models.ledger.catalogs.memory import KeptRecipe
from overnight_models.ledger.catalogs.memory import Recipe as RecipeHashes
from overnight_workers.catalogs import memory
from overnight_workers.catalogs.faults import BadSource
from overnight_workers.catalogs.memory import Came, Hashes, Learned
from overnight_workers.catalogs.rows import Row, Rows

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from overnight_workers.catalogs.memory import Entries


class Reason(IntEnum):
    """Why a row is sent; from `LEFT` on, why it isn't."""

    NEW = 1
    ROW = 2
    MODEL = 3
    SCHEMA = 4
    PROMPT = 5
    PARAMETERS = 6
    FAILED = 7
    VALID = 8
    """Its answer was of no use, and is by now: it is taken, and costs nothing."""
    ANSWERED = 9
    """What would be sent was asked already, by a try, a comparison, or a run that was stopped: it costs nothing."""
    LOST = 10
    """It was in the sink, and nothing is there now; where its answer is still kept, it costs nothing."""
    LEFT = 20
    """It was sent by an older recipe, and only new and changed rows are wanted."""
    USELESS = 21
    """It came back without a useful answer; `--retry-failed` sends it again."""
    REFUSED = 22
    UNSENT = 23
    ASIDE = 24
    """It didn't fail, and only what failed is wanted."""
    GONE = 30
    UNCHANGED = 40

    @property
    def words(self) -> str:
        """As a person says it."""
        return _WORDS[self]


_WORDS: Final = {
    Reason.NEW: "new",
    Reason.ROW: "row changed",
    Reason.MODEL: "model changed",
    Reason.SCHEMA: "schema changed",
    Reason.PROMPT: "prompt changed",
    Reason.PARAMETERS: "parameters changed",
    Reason.FAILED: "failed last time",
    Reason.VALID: "answered before, and valid by now",
    Reason.ANSWERED: "asked before: tried, compared, or by a stopped run",
    Reason.LOST: "not in the sink any more",
    Reason.LEFT: "left with their older prompt",
    Reason.USELESS: "without a useful answer last time",
    Reason.REFUSED: "refused last time",
    Reason.UNSENT: "can't be sent as they are",
    Reason.ASIDE: "that didn't fail",
    Reason.GONE: "gone from the source",
    Reason.UNCHANGED: "unchanged",
}
_COUNTED_AT_ONCE: Final = 1_000_000
"""Hashes that are compared with each other at once."""
PAID: Final = (Reason.VALID, Reason.ANSWERED)
"""Rows that a run takes the answers of, which are there already."""
_SHOWN_ANSWERED: Final = 1_000
OF_RECIPE: Final = (Reason.MODEL, Reason.SCHEMA, Reason.PROMPT, Reason.PARAMETERS)


@dataclass(frozen=True)
class Wanted:
    """What of the rows is wanted."""

    limit: int | None = None
    retry_failed: bool = False
    """Only those that failed last time, also those whose answers were of no use."""
    failed_before: Hashes | None = None
    """Hashes of rows that failed in some run: with `retry_failed` also those that the memory doesn't know, since the
    run was stopped."""
    valid_by_now: Collection[tuple[bytes, bytes]] = ()
    """Rows whose answer was of no use, and is by now: the row's hash, and half the hash of what was sent."""
    answered: Learned | None = None
    """Rows that were asked without the memory's knowledge, with half the hash of what was sent: OK where a run takes
    what came, FAILED where it asks again."""
    is_lost: bool = False
    """Nothing is in the sink, so that unchanged rows are wanted too."""
    new_only: bool = False
    """Rows that an older recipe sent stay as they are."""
    is_partial: bool = False
    """The source shows only some of its rows, so that nothing can be said about those that are gone."""


class AskedBefore(NamedTuple):
    """A row that was asked before just as it is now."""

    row: Row
    sent: int
    """Half the hash of what is sent."""
    is_taken: bool
    """A run takes what came; else it asks again."""


@dataclass(frozen=True)
class Diff:
    """What a run sends."""

    rows: int
    """Of the source, times its variants."""
    reasons: dict[Reason, int]
    """How many rows for each."""
    connection: DuckDBPyConnection = field(repr=False)
    """In which rows are judged, while it is open."""
    rendered_alike: int
    """Rows that render as before though the recipe changed; they aren't sent, and the memory takes the new number."""
    answered: Sequence[AskedBefore] = field(default=(), repr=False)
    """A thousand at most of those that were asked before as they are now."""

    @property
    def sent(self) -> int:
        """How many are sent."""
        return sum(rows for reason, rows in self.reasons.items() if reason < Reason.LEFT)

    def entries(self) -> Iterator[Entries]:
        """Those that are sent or gone, a group of the memory's parts after the other: the reason is their `state`."""
        for parts in memory.groups((self.sent + self.reasons.get(Reason.GONE, 0)) * memory.ENTRY.itemsize):
            yield memory.made(
                self.connection.execute(f"""
                    SELECT {memory.HALVES}, input, coalesce(sent, 0) AS sent, reason AS state FROM judged
                    WHERE (reason < {Reason.LEFT} OR reason = {Reason.GONE}) AND {memory.is_in(parts)}
                """).fetchnumpy()
            )

    def same_by_another_recipe(self, parts: range) -> Entries:
        """Those of some parts that render as before though the recipe changed."""
        return memory.made(
            self.connection.execute(f"""
                SELECT {memory.HALVES}, alike.input, memory.sent, memory.run, memory.state FROM alike
                JOIN (SELECT *, {memory.HASH} AS hash FROM memory) memory ON memory.hash = n
                WHERE {memory.is_in(parts)}
            """).fetchnumpy()
        )


def differences(
    connection: DuckDBPyConnection,
    rows: Rows,
    hashes: RecipeHashes,
    kept: Sequence[KeptRecipe],
    known: Iterable[bytes],
    wanted: Wanted,
    *,
    key_faults: Callable[[], list[str]],
) -> Diff:
    """What differs from last time.

    rows: of the source, in that connection.
    kept: the recipes that the memory's entries name. known: the memory, in pieces.
    key_faults: names the rows whose keys are wrong; called when there are any.

    Raises BadSource when a key is null or stands twice.
    """
    connection.execute(f"CREATE OR REPLACE TABLE seen AS SELECT {rows.hash} AS n, {rows.input} AS input {rows.source}")
    memory.load(connection, "memory", (memory.with_valid(piece, wanted.valid_by_now) for piece in known))
    connection.execute("CREATE OR REPLACE TABLE recipe (number USMALLINT, reason UTINYINT, is_comparable BOOLEAN)")
    connection.executemany(
        "INSERT INTO recipe VALUES (?, ?, ?)",
        [(0, 0, True), *((recipe.number, *_compared(recipe, hashes)) for recipe in kept)],
    )
    connection.execute("CREATE OR REPLACE TABLE failed_before (n UHUGEINT)")
    for some in () if wanted.failed_before is None else wanted.failed_before.pieces():
        memory.insert(connection, "failed_before", some)
    connection.execute(f"""
        CREATE OR REPLACE TABLE judged AS SELECT * FROM (
            SELECT seen.n, seen.input, memory.sent, {_judged(wanted)} AS reason
            FROM seen
            LEFT JOIN (SELECT {memory.HASH} AS n, input, sent, recipe, state FROM memory) memory ON memory.n = seen.n
            LEFT JOIN recipe ON recipe.number = memory.recipe
        ) WHERE reason <> {Reason.UNCHANGED}
    """)
    total = _checked(connection, wanted, key_faults)
    same = _rendered_alike(
        connection, rows, [recipe for recipe in kept if _compared(recipe, hashes)[0] == Reason.PROMPT], hashes, wanted
    )
    answered = [] if wanted.answered is None else _note_answered(connection, rows, wanted.answered)
    counted = connection.execute("SELECT reason, count(*) FROM judged GROUP BY reason ORDER BY reason").fetchall()
    reasons = {Reason(reason): n for reason, n in counted}
    differing = sum(n for reason, n in reasons.items() if reason is not Reason.UNCHANGED)
    if total > differing:
        reasons[Reason.ASIDE if wanted.retry_failed else Reason.UNCHANGED] = total - differing
    gone = 0 if wanted.is_partial else _note_gone(connection)
    if gone:
        reasons[Reason.GONE] = gone
    return Diff(total, _limited(connection, reasons, wanted), connection, same, answered)


def _checked(connection: DuckDBPyConnection, wanted: Wanted, key_faults: Callable[[], list[str]]) -> int:
    """How many rows there are; makes the table `gone`. Raises BadSource for keys that are null, or stand twice.

    In the memory each key stands once, so keys that it knows are counted and not compared.
    """
    # with retries only, new rows aren't among the judged
    unknown = f"(SELECT n FROM seen ANTI JOIN (SELECT {memory.HASH} AS n FROM memory) USING (n))"
    new = unknown if wanted.retry_failed else f"(SELECT n FROM judged WHERE reason = {Reason.NEW})"
    ((rows, nulls),) = connection.execute(f"SELECT count(*), count(*) FILTER (n IS NULL) FROM {new}").fetchall()
    distinct = _distinct(connection, new, rows)
    seen, known = _sums(connection, "SELECT n FROM seen"), _sums(connection, f"SELECT {memory.HASH} AS n FROM memory")
    all_there = _are_all_there(seen, _sums(connection, f"SELECT n FROM {new}"), known)
    total = seen[0]
    gone_ones = "WHERE false" if all_there else "ANTI JOIN seen USING (n)"
    connection.execute(f"""
        CREATE OR REPLACE TABLE gone AS
        SELECT n, input, sent FROM (SELECT {memory.HASH} AS n, input, sent FROM memory) memory
        {gone_ones}
    """)
    ((gone,),) = connection.execute("SELECT count(*) FROM gone").fetchall()
    twice = (rows - nulls - distinct) + (total - rows) - (known[0] - gone)
    if nulls or twice:
        faults = key_faults() or [f"{nulls:,} rows have no key, and {twice:,} have that of another"]
        raise BadSource([*faults, "nothing was sent: each row needs a key of its own"])
    return total


def _distinct(connection: DuckDBPyConnection, hashes: str, rows: int) -> int:
    """How many different hashes there are. In parts: three million at once have no room in DuckDB's memory."""
    parts = -(-rows // _COUNTED_AT_ONCE)
    counted = 0
    for part in range(parts):
        some = "" if parts == 1 else f"WHERE (n & {memory.FULL}::UHUGEINT)::UBIGINT % {parts} = {part}"
        ((here,),) = connection.execute(f"SELECT count(DISTINCT n) FROM {hashes} {some}").fetchall()
        counted += here
    return counted


def _sums(connection: DuckDBPyConnection, hashes: str) -> tuple[int, int, int]:
    """How many hashes there are, and the sums of their halves. hashes: a query of `n`."""
    ((rows, low, high),) = connection.execute(
        "SELECT count(*), coalesce(sum(low::HUGEINT), 0), coalesce(sum(high::HUGEINT), 0)"
        f" FROM (SELECT {memory.HALVES} FROM ({hashes}))"
    ).fetchall()
    return rows, low, high


def _are_all_there(seen: tuple[int, int, int], new: tuple[int, int, int], known: tuple[int, int, int]) -> bool:
    """Whether the rows that the memory knows are all of its entries, each once: without a second join.

    Their number and the sums of their hashes say so; MD5s with the same sums are no accident.
    """
    return all(of_seen - of_new == of_known for of_seen, of_new, of_known in zip(seen, new, known, strict=True))


def _compared(kept: KeptRecipe, now: RecipeHashes) -> tuple[int, bool]:
    """What differs between two recipes (0: nothing), and whether the hashes of their cells can be compared."""
    is_comparable = kept.columns == now.columns
    pairs = {
        Reason.MODEL: (kept.model, now.model),
        Reason.SCHEMA: (kept.output, now.output),
        Reason.PROMPT: ((kept.prompt, kept.columns), (now.prompt, now.columns)),
        Reason.PARAMETERS: (kept.params, now.params),
    }
    return next((int(reason) for reason, (then, here) in pairs.items() if then != here), 0), is_comparable


def _judged(wanted: Wanted) -> str:
    """The reason of a row, in SQL."""
    recipe = f"{Reason.LEFT}" if wanted.new_only and not wanted.is_lost else "recipe.reason"
    judged = f"""
        CASE WHEN memory.n IS NULL THEN {Reason.NEW}
             WHEN recipe.is_comparable AND memory.input <> seen.input THEN {Reason.ROW}
             WHEN recipe.reason <> 0 THEN {recipe}
             ELSE {_of_state(wanted)} END
    """
    if wanted.retry_failed:
        unknown = f"({judged}) = {Reason.NEW} AND seen.n IN (SELECT n FROM failed_before)"
        return f"""
            CASE WHEN ({judged}) = {Reason.VALID} THEN {Reason.VALID}
                 WHEN ({judged}) = {Reason.FAILED} OR ({unknown}) THEN {Reason.FAILED} ELSE {Reason.UNCHANGED} END
        """
    return judged


def _of_state(wanted: Wanted) -> str:
    """The reason of a row that would be sent as it was last time, in SQL: by what came of it."""
    if wanted.is_lost and not wanted.retry_failed:
        return f"{Reason.LOST}"
    again = (Came.FAILED, Came.USELESS) if wanted.retry_failed else (Came.FAILED,)
    return f"""
        CASE WHEN memory.state IN ({", ".join(str(int(state)) for state in again)}) THEN {Reason.FAILED}
             WHEN memory.state = {Came.VALID} THEN {Reason.VALID}
             WHEN memory.state = {Came.USELESS} THEN {Reason.USELESS}
             WHEN memory.state = {Came.REFUSED} THEN {Reason.REFUSED}
             WHEN memory.state = {Came.UNSENT} THEN {Reason.UNSENT}
             ELSE {Reason.UNCHANGED} END
    """


def _rendered_alike(
    connection: DuckDBPyConnection, rows: Rows, others: Sequence[KeptRecipe], hashes: RecipeHashes, wanted: Wanted
) -> int:
    """Make a table of rows of an older prompt, or with a file that was touched, whose requests are as they were.

    Returns how many they are.
    """
    is_possible = bool(rows.recipe.file_columns) or any(
        (recipe.model, recipe.output, recipe.params) == (hashes.model, hashes.output, hashes.params)
        for recipe in others
    )
    if not is_possible:
        return 0
    # a file that was only touched is no change either
    looked_at = f"reason = {Reason.PROMPT}" + (f" OR reason = {Reason.ROW}" if rows.recipe.file_columns else "")
    (waiting,) = connection.execute(f"SELECT count(*) FROM judged WHERE {looked_at}").fetchall()[0]
    if not waiting:
        return 0
    alike = (
        (row.number & memory.FULL, row.number >> 64, row.input)
        for row, sent in rows.rendered(connection, f"SELECT n, sent FROM judged WHERE {looked_at}")
        if sent == row.beside
    )
    memory.load(connection, "alike_entries", memory.of_halves(alike))
    connection.execute(f"CREATE OR REPLACE TABLE alike AS SELECT {memory.HASH} AS n, input FROM alike_entries")
    connection.execute(f"""
        UPDATE judged SET reason = {_of_state(wanted)} FROM alike
        JOIN (SELECT *, {memory.HASH} AS hash FROM memory) memory ON memory.hash = alike.n WHERE alike.n = judged.n
    """)
    ((same,),) = connection.execute("SELECT count(*) FROM alike").fetchall()
    return int(same)


def _note_answered(connection: DuckDBPyConnection, rows: Rows, answered: Learned) -> list[AskedBefore]:
    """Rows that would be sent just as they were asked before have that for their reason, where that answer is taken.

    Returns some of those that were asked before, whatever came of it.
    """
    if not len(answered):
        return []
    memory.load(connection, "answered_entries", answered.pieces())
    connection.execute(f"""
        CREATE OR REPLACE TABLE answered AS
        SELECT n, answered.sent, bool_or(state = {Came.OK}) AS is_taken FROM judged
        JOIN (SELECT {memory.HASH} AS n, sent, state FROM answered_entries) answered USING (n)
        WHERE reason <= {max(OF_RECIPE)} GROUP BY ALL
    """)
    shown: list[tuple[Row, int]] = []

    def rendered_alike() -> Iterator[tuple[int, int, int]]:
        for row, sent in rows.rendered(connection, "SELECT n, sent FROM answered"):
            if sent == row.beside:
                if len(shown) < _SHOWN_ANSWERED:
                    shown.append((row, sent))
                yield row.number & memory.FULL, row.number >> 64, sent  # what was sent stands as `input`

    memory.load(connection, "same_entries", memory.of_halves(rendered_alike()))
    connection.execute(f"""
        UPDATE judged SET reason = {Reason.ANSWERED} FROM answered
        JOIN (SELECT {memory.HASH} AS hash, input AS sent FROM same_entries) same
            ON same.hash = answered.n AND same.sent = answered.sent
        WHERE answered.n = judged.n AND is_taken
    """)
    asked_again = set(connection.execute("SELECT n, sent FROM answered WHERE NOT is_taken").fetchall())
    return [AskedBefore(row, sent, (row.number, sent) not in asked_again) for row, sent in shown]


def _note_gone(connection: DuckDBPyConnection) -> int:
    """Rows that the memory knows and the source has no more are among the judged from now on. Returns how many."""
    connection.execute(f"INSERT INTO judged SELECT n, input, sent, {Reason.GONE} FROM gone")
    return int(connection.execute("SELECT count(*) FROM gone").fetchall()[0][0])


def _limited(connection: DuckDBPyConnection, reasons: dict[Reason, int], wanted: Wanted) -> dict[Reason, int]:
    """Leave out what is above the limit: a choice of rows that is the same each time."""
    sent = sum(n for reason, n in reasons.items() if reason < Reason.LEFT)
    if wanted.limit is None or sent <= wanted.limit:
        return reasons
    connection.execute(f"""
        DELETE FROM judged WHERE reason < {Reason.LEFT} AND n NOT IN (
            SELECT n FROM judged WHERE reason < {Reason.LEFT} ORDER BY n LIMIT {wanted.limit}
        )
    """)
    counted = connection.execute(
        f"SELECT reason, count(*) FROM judged WHERE reason < {Reason.LEFT} GROUP BY reason ORDER BY reason"
    ).fetchall()
    return {Reason(reason): n for reason, n in counted} | {
        reason: n for reason, n in reasons.items() if reason >= Reason.LEFT
    }
