"""A night, and the questions that an operator asks in the morning, with where each is answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from overnight_models.ledger.answer import key_hash
from tests.stages.operators.planted_rows import PLANTED

PAGE = Path(__file__).parents[3] / "workers" / "docs" / "drill.md"
NIGHT: Final = f"""
{PLANTED}
UPDATE lane SET paused_by = 'bob', paused_reason = 'a new prompt is tried' WHERE name = 'odd';
INSERT INTO budget (tenant_id, period, cap_nano, strict) VALUES (1, 'month', 4000000, true);
INSERT INTO booking (budget_id, begins, spent_nano, reserved_nano)
    SELECT id, date_trunc('month', now() AT TIME ZONE 'UTC'), 3900000, 0 FROM budget WHERE tenant_id = 1;
INSERT INTO item (id, lane_id, headers_id, model_id, tenant_id, max_tokens, state, size, held_by, held_since,
                  held_reason, reserved_nano)
    SELECT i, 1, 1, 1, 1, 500, 'held', 1000, budget.id, now() - interval '130 min', 'over budget', 1000000
    FROM generate_series(101, 140) i, budget WHERE tenant_id = 1;
INSERT INTO request (item_id, receipt, key, params, enqueued_at)
    SELECT i, gen_random_uuid(), 'late-' || i, '{{}}', now() - interval '130 min' FROM generate_series(101, 140) i;
UPDATE catalog_run SET state = 'sending',
    plan = '{{"send": 2, "rows": 5, "usd": "3.25", "reasons": {{}}, "left": {{}}}}';
INSERT INTO action (name, actor, via, wish, items, done, reason, ended_at)
    VALUES ('redo', 'bob', 'command', '{{"lane": "default", "problem": "expired"}}', 12, 12, 'the API is well',
            now());
INSERT INTO item_key VALUES (1, '\\x{key_hash("sku-1").hex()}', 1, '');
"""
"""What the night has left behind: forty items of a tenant are over its budget, and more of everything else."""

Step = str | Mapping[str, str]
"""A click: the text of a link; or the words of the page's filter, sent with its button."""


@dataclass(frozen=True)
class Question:
    """One question, and where its answer stands."""

    asked: str
    steps: tuple[Step, ...]
    """From *Now* on."""
    reads: tuple[str, ...]
    """What the page says then."""
    command: str
    prints: tuple[str, ...]


QUESTIONS: Final = (
    Question(
        "Is anything wrong, and what is to be done?",
        (),
        ("40 items are held by the budget of tenant acme, a month", "wait, or raise it", "Look at the budgets"),
        "overnight status",
        ("40 items are held by the budget of tenant acme, a month",),
    ),
    Question(
        "Which tenant is over its budget, and since when?",
        ("Look at the budgets",),
        ("tenant acme, a month 40 items held, the first of them waits for 2 h 10 min", "$0.000100", "$0.0040"),
        "overnight budget",
        ("tenant acme, a month", "40 over budget, for 2 h 10 min"),
    ),
    Question(
        "What would raising its cap let go?",
        ("Look at the budgets", "Change… tenant acme, a month"),
        ("The cap is $0.0040: $0.0039 are spent", "40 items held"),
        "overnight budget --tenant acme",
        ("tenant acme, a month", "40 over budget"),
    ),
    Question(
        "What would retrying what failed cost?",
        ("Items", {"state": "failed", "lane": "default"}, "Try again…"),
        ("2 items", "another costs", "at the most"),
        "overnight redo --lane default --state failed --dry-run",
        ("2 items", "another costs", "at the most"),
    ),
    Question(
        "Why is a batch unclear, and since when?",
        ("Batches", {"state": "unclear"}, "3"),
        ("unclear", "no usable answer", "sent: its last bytes were let go", "Adopt"),
        "overnight batches --unclear",
        ("no usable answer",),
    ),
    Question(
        "Where is the item of this key, and what happened to it?",
        ("Items", {"key": "sku-1"}, "sku-1"),
        ("succeeded", "packed into batch 1", "Anthropic created msgbatch_a", "dead after 12 tries"),
        "overnight items sku-1",
        ("packed into batch 1", "dead after 12 tries"),
    ),
    Question(
        "Which outcomes did nobody take, and why?",
        ("Deliveries",),
        ("shop", "OperationalError", "Replay"),
        "overnight items --delivery dead",
        ("sku-1", "OperationalError"),
    ),
    Question(
        "Who paused a lane, when and why?",
        ("Lanes",),
        ("odd", "by bob", "a new prompt is tried", "Resume…"),
        "overnight lanes",
        ("odd", "bob", "a new prompt is tried"),
    ),
    Question(
        "What did each tenant cost this week, and what was saved?",
        ("Money", {"by": "tenant", "days": "7"}),
        ("acme", "$0.0100", "$0.0200"),
        "overnight costs --by tenant",
        ("acme", "$0.0100"),
    ),
    Question(
        "When will the run be done that is under way?",
        ("Runs",),
        ("shop-1", "2 rows aren't back", "Done by", "in 95 of 100 cases"),
        "overnight runs",
        ("shop-1", "2 rows aren't back", "in 95 of 100 cases"),
    ),
    Question(
        "Who did what, and why?",
        ("Actions",),
        ("bob", "redo", "lane default, problem expired", "the API is well"),
        "overnight actions",
        ("bob", "redo", "lane default, problem expired", "the API is well"),
    ),
)
