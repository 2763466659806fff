"""`overnight links`: serves the links to answers that are too large for a webhook."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from overnight_models.errors import BadSettings
from overnight_workers.cli.console import say


def links(
    host: Annotated[str, typer.Option(help="The address that it listens on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port.")] = 5570,
    certificate: Annotated[Path | None, typer.Option(help="Serve HTTPS by this certificate (PEM).")] = None,
    certificate_key: Annotated[Path | None, typer.Option(help="The certificate's key (PEM).")] = None,
) -> None:
    """Serve, for as long as it runs, the links to answers that are too large for a webhook.

    Needs `[links]` of the workers' configuration and reads the ledger; any number may run. Each link is for one
    outcome, signed, and good for an hour: nothing is listed. Put a proxy with TLS before it, or give it a certificate.
    """
    from overnight_workers.telemetry import logs

    try:
        from overnight_workers.links import serving
    except ModuleNotFoundError as error:
        raise BadSettings([f"this needs pip install 'overnight[links]' (no module {error.name!r})"]) from None
    if (certificate is None) != (certificate_key is None):
        raise BadSettings(["--certificate and --certificate-key belong together"])
    logs.configure()
    files = [str(file) for file in (certificate, certificate_key) if file is not None]
    serving.check()
    with serving.bound(host, port) as listens:
        say(f"links: answers at http{'s' if files else ''}://{host}:{port}; Ctrl-C ends it")
        serving.serve(listens, tls=files)
