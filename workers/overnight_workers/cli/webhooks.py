"""`overnight webhooks`: the endpoints that outcomes are sent to, a test of each, and one that is there again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from overnight_workers.cli import console
from overnight_workers.cli.act import by

if TYPE_CHECKING:
    from overnight_workers.configuration.webhook_settings import Webhook

webhooks = typer.Typer(invoke_without_command=True, help="Endpoints that outcomes are sent to, over HTTPS.")

Name = Annotated[str, typer.Argument(help="The NAME of `[webhooks.NAME]`.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON Lines, a webhook each.")]


@webhooks.callback()
def listed(context: typer.Context, as_json: Json = False) -> None:
    """Show every webhook: where it leads, what is due for it, and what stands in its way.

    `overnight webhooks test NAME` sends one a signed request.
    """
    if context.invoked_subcommand is not None:
        return
    rows = _rows()
    if as_json:
        console.as_json(rows)
        return
    if not rows:
        console.say("the configuration has no [webhooks.NAME]: see workers/docs/webhooks.md")
        return
    table = Table("webhook", "leads to", "due", "sending", "oldest due", "in its way", box=None)
    for row in rows:
        table.add_row(*("" if row[name] is None else str(row[name]) for name in row))
    console.OUT.print(table)


@webhooks.command()
def test(name: Name) -> None:
    """Send a signed request without outcomes (`type`: `overnight.test`) and say what came back.

    It is sent from here: an endpoint that only the workers reach has to be tried where they run.
    """
    from overnight_workers.webhooks.once import ping

    webhook = _webhook(name)
    answer = ping(webhook)
    took = f"{answer.took_s * 1000:,.0f} ms"
    tls = answer.tls or ("no TLS" if answer.status is not None else "")
    if answer.is_taken:
        console.OUT.print(f"{name} at {webhook.place}: HTTP {answer.status}, {took}, {tls}", markup=False)
        return
    console.fail(f"{name} at {webhook.place}: {answer.why} ({', '.join(part for part in (took, tls) if part)})")
    raise typer.Exit(1)


@webhooks.command()
def resume(name: Name) -> None:
    """Let a webhook be tried at once, whatever it waits for: after a 410, a long `Retry-After`, or failures."""
    from overnight_workers.operators import steering

    console.say(steering.resume_webhook(name, by(None)))


def _rows() -> list[dict[str, object]]:
    from overnight_models.ledger.operators import delivery_list
    from overnight_models.wire.message import WEBHOOK
    from overnight_workers.process import database
    from overnight_workers.settings import settings

    with database().transaction() as connection:
        targets = {target.broker: target for target in delivery_list.targets(connection)}
    rows: list[dict[str, object]] = []
    for name, webhook in settings().webhooks.items():
        target = targets.get(f"{WEBHOOK}{name}")
        rows.append(
            {
                "webhook": name,
                "place": webhook.place,
                "due": target.due if target else 0,
                "sending": target.sending if target else 0,
                "oldest_due_at": target.oldest_due_at if target else None,
                "obstacle": target.obstacle if target else None,
            }
        )
    return rows


def _webhook(name: str) -> Webhook:
    from overnight_workers.operators import steering
    from overnight_workers.settings import settings

    return settings().webhooks[steering.known_webhook(name)]
