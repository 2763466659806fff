"""`overnight up` and `overnight migrate`: the services on this machine, and the database's schema."""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import typer

from overnight_models.embedded_urls import default_data_dir, is_told_to_products, made, write_product_environment
from overnight_models.errors import BadSettings, TransientError
from overnight_workers.cli.console import interruptible, say

_SANDBOX_MAX_WAIT: Final = "2s"
_ANTHROPIC: Final = "api.anthropic.com"

DataDir = Annotated[
    Path | None,
    typer.Option(help="Where everything is kept between runs. [default: OVERNIGHT_DATA_DIR, else the user's own]"),
]
Plays = Annotated[
    bool | None,
    typer.Option(
        "--sandbox/--no-sandbox",
        help="Play the API on this machine. [default: yes, unless ANTHROPIC_API_KEY is set]",
    ),
]


def up(
    data_dir: DataDir = None,
    sandbox: Plays = None,
    turnaround: Annotated[str, typer.Option(help="How long the sandbox's batches take, half of them less.")] = "3s",
    flower: Annotated[bool, typer.Option("--flower/--no-flower", help="Start Flower too.")] = True,
) -> None:
    """Run all services in the foreground; Ctrl-C stops them.

    Postgres, Redis, the sandbox (without a key), the workers, the beat, Flower, the relays, and where there are
    `[links]` their server. What dies is started again. The next `up` on the same data directory goes on where this one
    was, even if it was killed. Prints a line with the word `ready` when everything answers.
    """
    from overnight_workers.celery_worker.start_checks import require_configuration
    from overnight_workers.configuration.broker_settings import without_urls
    from overnight_workers.configuration.webhook_settings import without_secrets
    from overnight_workers.one_machine.installation import Installation
    from overnight_workers.one_machine.supervisor import Supervisor
    from overnight_workers.settings import settings

    require_configuration()
    settings.cache_clear()  # its servers aren't known yet
    home = made(data_dir or os.environ.get("OVERNIGHT_DATA_DIR") or default_data_dir())
    plays = not os.environ.get("ANTHROPIC_API_KEY") if sandbox is None else sandbox
    pace = sandbox_pace() if plays else {}
    given_redis = _given_redis(home)
    installation = Installation(
        home,
        database_url=os.environ.get("OVERNIGHT_DATABASE_URL", ""),
        redis_url=given_redis,
        sandbox=plays,
        sandbox_options=["--turnaround", turnaround],
        flower=flower,
        environment=variables_of(pace),
        relays=relays_here(),
        say=say,
    )
    began = time.monotonic()
    with interruptible(), Supervisor(home, say=say) as supervisor:
        installation.start(supervisor)
        _say_where_it_answers(installation.urls, home, pace, writes_environment=not given_redis)
        for line in (*without_secrets(settings().webhooks), *without_urls(settings().brokers), *_without_keys()):
            say(line)
        typer.echo(f"ready after {time.monotonic() - began:.1f} s; Ctrl-C stops everything")
        supervisor.run_forever()
    say("stopped")


def _given_redis(home: Path) -> str:
    """The URL of a Redis that is somebody else's; empty where one is started here. Read before anything starts.

    Starting tells this process where its servers are, by the same variable. A product's shell names the server that is
    started here: that is forgotten.
    """
    url = os.environ.get("OVERNIGHT_REDIS_URL", "")
    if not is_told_to_products(home, url):
        return url
    del os.environ["OVERNIGHT_REDIS_URL"]
    return ""


def relays_here() -> list[str]:
    """The relays of the configuration: what is wrong with it is said by the workers, with everything else."""
    from overnight_workers.configuration import sources

    relays = sources.given((), ("relays",))[0].get("relays")
    return sorted(relays) if isinstance(relays, dict) else []


def _say_where_it_answers(
    urls: Mapping[str, str], home: Path, pace: Mapping[str, Mapping[str, object]], *, writes_environment: bool
) -> None:
    """What runs, where, and whether it costs money. pace: the settings that only the sandbox gets."""
    say(f"data and logs: {home}; where everything answers: {home / 'urls.json'}")
    if "sandbox_url" in urls:
        say(f"the API is played by the sandbox at {urls['sandbox_url']}: answers are made up")
        if quick := pace.get("lanes"):
            say(f"packed after {_SANDBOX_MAX_WAIT} here, with the real API after 5m: lane {', '.join(quick)}")
    else:
        _say_whose_api()
    if "flower_url" in urls:
        say(f"Flower: {urls['flower_url']}")
    if writes_environment:
        # the URL has a password, and what is printed may end in anybody's log
        environment_file = write_product_environment(home, urls["redis_url"])
        typer.echo(f"for your product: . {shlex.quote(str(environment_file))}")


def _say_whose_api() -> None:
    """Which API is called, and whether that is billed: whoever answers elsewhere is known to its owner alone."""
    from overnight_workers.settings import settings

    # the SDK's own variable, and its own default
    default = os.environ.get("ANTHROPIC_BASE_URL") or f"https://{_ANTHROPIC}"
    places = {_host(workspace.base_url or default) for workspace in settings().workspaces.values()}
    if _ANTHROPIC in places:
        say("the API is Anthropic's own: what you enqueue is billed")
    if others := sorted(places - {_ANTHROPIC}):
        say(f"the API is what answers at {', '.join(others)}: it may bill what you enqueue")


def _host(url: str) -> str:
    """Host and port of an API, and nothing of a password."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _without_keys() -> list[str]:
    """Of each workspace without a key: a line that says so."""
    from overnight_workers.keys.api_keys import key_of
    from overnight_workers.settings import settings

    lines = []
    for name, workspace in settings().workspaces.items():
        try:
            key_of(name, workspace)
        except BadSettings as error:
            lines.append(f"[workspaces.{name}] sends nothing, its items wait: {'; '.join(error.faults)}")
    return lines


def sandbox_pace() -> dict[str, Mapping[str, object]]:
    """Against the sandbox nobody wants to wait for minutes: of `lanes` and `timing`, quick values where none are given.

    `default`, and each lane that file or variable names.
    """
    from overnight_workers.configuration import sources

    given, _ = sources.given((), ("lanes", "timing"))  # what is wrong with it was said before
    lanes, timing = (_table(given.get(name)) for name in ("lanes", "timing"))
    slow = [name for name in {"default": None, **lanes} if "max_wait" not in _table(lanes.get(name))]
    return {
        "lanes": {name: {"max_wait": _SANDBOX_MAX_WAIT} for name in slow},
        "timing": {} if "poll_every" in timing else {"poll_every": "1s"},
    }


def variables_of(pace: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    """The variables that say so, beside what they say already."""
    from overnight_workers.configuration.sources import over

    variables = {part: f"OVERNIGHT_{part.upper()}" for part in pace}
    said = {part: json.loads(os.environ.get(variable) or "{}") for part, variable in variables.items()}
    return {variable: json.dumps(over(said[part], pace[part])) for part, variable in variables.items()}


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def migrate(
    wait: Annotated[float, typer.Option(help="Seconds to wait for a database that isn't there yet.")] = 60.0,
) -> None:
    """Bring the database's schema up to date. Harmless when it is."""
    from overnight_models.ledger import schema
    from overnight_workers.process import database
    from overnight_workers.settings import settings

    if not settings().database_url:
        settings().require_urls()
    give_up_at = time.monotonic() + wait
    while True:
        try:
            schema.migrate(database())
            break
        except TransientError as error:
            if time.monotonic() > give_up_at:
                raise
            say(f"waiting for the database: {error}")
            time.sleep(1)  # a database that is starting gives no sign to wait on
    typer.echo("the schema is up to date")
