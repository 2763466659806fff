"""The `overnight` command."""

from __future__ import annotations

import errno
import sys
from typing import Final

import typer

from overnight_models.errors import OvernightError
from overnight_workers.cli import actions as actions_command
from overnight_workers.cli import budget, catalog_try, console, costs, decide, errors, look, outcomes, sandbox, steer
from overnight_workers.cli import cancel as cancel_command
from overnight_workers.cli import catalog as catalog_command
from overnight_workers.cli import compare as compare_command
from overnight_workers.cli import demo as demo_command
from overnight_workers.cli import doctor as doctor_command
from overnight_workers.cli import encryption as encryption_command
from overnight_workers.cli import enqueue as enqueue_command
from overnight_workers.cli import enrich as enrich_command
from overnight_workers.cli import inbox as inbox_command
from overnight_workers.cli import lanes as lanes_command
from overnight_workers.cli import links as links_command
from overnight_workers.cli import plan as plan_command
from overnight_workers.cli import purge as purge_command
from overnight_workers.cli import redo as redo_command
from overnight_workers.cli import relay as relay_command
from overnight_workers.cli import replay as replay_command
from overnight_workers.cli import runs as runs_command
from overnight_workers.cli import schedules as schedules_command
from overnight_workers.cli import schema as schema_command
from overnight_workers.cli import status as status_command
from overnight_workers.cli import up as up_command
from overnight_workers.cli import webhooks as webhooks_command

app = typer.Typer(
    name="overnight",
    help="LLM work at half price: single requests in, Message Batches out, each outcome to its own callback.",
    epilog=(
        "Exit codes: 0 done; 1 it can't be done, or (doctor, health) somebody is needed; 2 called wrongly, or (doctor,"
        " health) it can't be told; 3 (enrich) some rows have no useful answer; 130 Ctrl-C."
    ),
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for panel, commands in {
    "Begin": (
        demo_command.demo,
        up_command.up,
        up_command.migrate,
        sandbox.sandbox,
        relay_command.relay,
        links_command.links,
    ),
    "Check": (doctor_command.doctor, doctor_command.health, schema_command.schema),
    "Work": (
        plan_command.plan,
        enqueue_command.enqueue,
        enrich_command.enrich,
        compare_command.compare,
        outcomes.outcomes,
    ),
    "Look": (
        status_command.status,
        lanes_command.lanes,
        look.batches,
        look.items,
        errors.errors,
        errors.tail,
        costs.costs,
        actions_command.actions,
    ),
    "Steer": (
        steer.pause,
        steer.drain,
        steer.resume,
        budget.budget,
        decide.decide,
        redo_command.redo,
        cancel_command.cancel,
        replay_command.replay,
        purge_command.purge,
        actions_command.abort,
    ),
}.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
# the word that other queues have for it
app.command("retry", hidden=True)(redo_command.redo)
catalog_command.catalog.command("try")(catalog_try.try_rows)
app.add_typer(catalog_command.catalog, name="catalog", rich_help_panel="Work")
app.add_typer(encryption_command.encryption, name="encryption", rich_help_panel="Steer")
app.add_typer(inbox_command.inbox, name="inbox", rich_help_panel="Begin")
app.add_typer(runs_command.runs, name="runs", rich_help_panel="Look")
app.add_typer(schedules_command.schedules, name="schedules", rich_help_panel="Look")
app.add_typer(webhooks_command.webhooks, name="webhooks", rich_help_panel="Look")


_OF_CATALOGS: Final = (
    "charset_normalizer",
    "cronsim",
    "duckdb",
    "fsspec",
    "jinja2",
    "numpy",
    "python_calamine",
    "scipy",
)
"""What the extra `catalogs` installs; `overnight[workers]` has none of it."""


def main() -> None:
    """Run it; errors that Overnight raises on purpose are sentences, not tracebacks."""
    try:
        app()
    except OvernightError as error:
        console.fail(str(error))
        sys.exit(1)
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] not in _OF_CATALOGS:
            raise
        console.fail(f"this needs catalogs (no module {error.name!r}): pip install 'overnight[catalogs]'")
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        console.fail(f"{error.filename or 'a file'} can't be written, the disk is full: make room and try again")
        sys.exit(1)
    except Exception as error:  # whatever it is, it is raised again but for one kind, whose class isn't imported for it
        if not _is_of_another_schema(error):
            raise
        console.fail(
            f"the database has no ledger, or one of another version ({' '.join(str(error).split())}): run"
            " `overnight migrate` with the newest version installed; `overnight doctor` says which version it has"
        )
        sys.exit(1)


def _is_of_another_schema(error: Exception) -> bool:
    """Whether Postgres doesn't know a table, column or function that this version asks for."""
    if "overnight_models.ledger.database" not in sys.modules:
        return False
    from overnight_models.ledger.schema import lacks_what_is_asked

    return lacks_what_is_asked(error)


__all__ = ["app", "main"]
