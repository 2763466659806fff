"""`overnight up`, but with armed workers, and two of each and of the beat: those of two hosts, if they can be apart."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from overnight_workers.one_machine.installation import Installation
from overnight_workers.one_machine.supervisor import Process, Supervisor
from tests.chaos import hosts


def main() -> None:
    """Keep it up until a signal."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--turnaround", default="2s")
    parser.add_argument("--no-flower", action="store_true")
    options = parser.parse_args()
    home: Path = options.data_dir
    home.mkdir(parents=True, exist_ok=True)
    installation = (_OfTwoHosts if hosts.are_apart() else Installation)(
        home,
        sandbox=True,
        sandbox_options=["--turnaround", options.turnaround],
        flower=not options.no_flower,
        app="tests.chaos.armed",
        copies=2,
        say=_say,
    )
    with Supervisor(home, say=_say) as supervisor:
        installation.start(supervisor)
        _say("ready after all")
        supervisor.run_forever()


class _OfTwoHosts(Installation):
    """The second copies reach the servers by another address."""

    def _service(
        self, name: str, arguments: list[str], ready: Callable[[], bool] | None = None, *, ends_first: bool = False
    ) -> Process:
        process = super()._service(name, arguments, ready, ends_first=ends_first)
        return replace(process, env=hosts.as_seen_from_afar(process.env)) if hosts.is_far(name) else process


def _say(news: str) -> None:
    print(news, flush=True)


if __name__ == "__main__":
    main()
