"""`overnight budget`: what may be spent, what is left of it, and what waits for more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from overnight_models.errors import PermanentError
from overnight_models.quantities import spoken
from overnight_workers.cli import console
from overnight_workers.cli.act import by

if TYPE_CHECKING:
    from overnight_models.ledger.money.budgets import BudgetView

_NONE: Final = "none"
_DOLLARS: Final = "Dollars, such as 50 or 0.25; `none` takes the budget away."


def budget(
    lane: Annotated[str | None, typer.Option(help="The budget of this lane.")] = None,
    tenant: Annotated[str | None, typer.Option(help="The budget of this tenant, in all lanes.")] = None,
    run: Annotated[str | None, typer.Option(help="The budget of this run.")] = None,
    day: Annotated[str | None, typer.Option(help=f"What a lane or tenant may spend a day (UTC). {_DOLLARS}")] = None,
    month: Annotated[str | None, typer.Option(help=f"… a month. {_DOLLARS}")] = None,
    total: Annotated[str | None, typer.Option(help=f"What a run may spend in all. {_DOLLARS}")] = None,
    strict: Annotated[
        bool | None,
        typer.Option(
            "--strict/--estimated",
            help="Reserve the most that items may cost, so that it is never exceeded; or what history expects, plus its"
            " error. [default: as it is; a new one is strict]",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Budgets: shown; set, raised or taken away with --day, --month or --total. They hold from the next batch on.

    What a budget has no room for is held, and goes on by itself when there is room: when it is raised, when less was
    billed than reserved, or when its next period begins. A new one counts what was billed in its
    period before, and reserves for what is on its way.
    """
    chosen = {of: name for of, name in (("lane", lane), ("tenant", tenant), ("run", run)) if name is not None}
    caps = {period: cap for period, cap in (("day", day), ("month", month), ("all", total)) if cap is not None}
    if len(chosen) > 1 or (caps and not chosen):
        raise PermanentError("a budget is of one lane, one tenant or one run: say which with --lane, --tenant or --run")
    if (run is not None and (day or month)) or (run is None and total):
        raise PermanentError("a lane or a tenant has budgets by --day and --month, a run has one for --total")
    if strict is not None and not caps:
        raise PermanentError("say which budget is to be strict or estimated: with --day, --month or --total")
    if lane is not None:
        from overnight_workers.operators import filters

        filters.check(lane=lane)
    if caps:
        from overnight_workers.operators import steering

        parsed = {period: _nano(cap) for period, cap in caps.items()}
        for of, name in chosen.items():
            for period, cap_nano in parsed.items():
                steering.set_cap(of, name, period, cap_nano, by(None), strict=strict)  # type: ignore[arg-type]
    if as_json:
        console.as_json([_document(budget) for budget in _found(chosen)])
    else:
        show(chosen)


def _nano(text: str) -> int | None:
    """A sum in nano-dollars; None for `none`, which takes a budget away."""
    from overnight_workers.operators import steering

    return None if text.strip().lower() == _NONE else steering.nano_of(text)


def documents() -> list[dict[str, object]]:
    """Every budget as JSON."""
    return [_document(budget) for budget in _found({})]


def _found(chosen: dict[str, str]) -> list[BudgetView]:
    from overnight_models.ledger.money import budgets
    from overnight_workers.process import database

    with database().transaction() as connection:
        return [budget for budget in budgets.budgets(connection) if not chosen or chosen == {budget.of: budget.name}]


def show(chosen: dict[str, str]) -> None:
    """The budgets of a lane, a tenant or a run, or all, as a table."""
    shown = _found(chosen)
    if not shown:
        console.OUT.print("No budget: set one with --lane, --tenant or --run, and --day, --month or --total.")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("budget", "", "cap", "spent", "reserved", "left", "held", "next period in"):
        table.add_column(title, justify="left" if title in ("budget", "") else "right")
    for budget in shown:
        held = ", ".join(f"{n:,} {why}" for why, n in budget.held.items())
        if budget.held_waits_s is not None:
            held += f", for {spoken(budget.held_waits_s)}"
        table.add_row(
            Text(budget.title),
            "strict" if budget.strict else "estimated",
            console.money(budget.cap_nano),
            console.money(budget.spent_nano),
            console.money(budget.reserved_nano),
            Text(console.money(budget.left_nano), style="red" if budget.left_nano < 0 else ""),
            Text(held, style="yellow"),
            "-" if budget.ends_s is None else spoken(budget.ends_s),
        )
    console.OUT.print(table)
    for budget in shown:
        if budget.too_small:
            console.OUT.print(Text(f"{budget.title}: {budget.too_small}", style="yellow"))


def _document(budget: BudgetView) -> dict[str, object]:
    """A budget as JSON; money in dollars, as decimal strings."""
    from overnight_models.wire.outcome import dollars

    return {
        "of": budget.of,
        "name": budget.name,
        "period": budget.period,
        "strict": budget.strict,
        "cap_usd": dollars(budget.cap_nano),
        "spent_usd": dollars(budget.spent_nano),
        "reserved_usd": dollars(budget.reserved_nano),
        "left_usd": dollars(budget.left_nano),
        "held": budget.held,
        "held_waits_s": budget.held_waits_s,
        "too_small": budget.too_small,
        "ends_in_s": budget.ends_s,
    }
