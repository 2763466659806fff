"""Keys are replaced while workers run: in a file, or by what a command prints; a call with an old one holds nothing."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from overnight_models.errors import BadSettings
from overnight_workers.keys import api_keys
from overnight_workers.operators import checkup, findings
from overnight_workers.settings import settings
from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.direct.direct import direct
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, item

INVALID = "sk-sandbox-invalid"
"""The sandbox's 401."""


def write(path: Path, key: str) -> None:
    """As a secret's mount does it: another file takes the place of the old one."""
    fresh = path.with_suffix(".new")
    fresh.write_text(f"{key}\n")
    fresh.replace(path)


def prints(path: Path) -> str:
    """The source of a command that prints what a file holds."""
    return f"command:{sys.executable} -c 'print(open(\"{path}\").read())'"


def held(service: Service) -> str | None:
    row = service.ledger.fetch_one("SELECT held_reason FROM workspace WHERE name = 'default'")
    reason: str | None = row["held_reason"]
    return reason


def submitted(service: Service, key: str) -> str:
    """The state of the last batch, after one that is new was packed and submitted."""
    service.accept(item(key))
    pack()
    submit()
    return service.ledger.states("batch")[-1]


def use(service: Service, source: str) -> None:
    service.configure(workspaces={"default": {"api_key": source}})


def test_a_file_that_is_written_anew_counts_at_once(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "key"
    write(path, service.api.key)
    use(service, f"file:{path}")
    assert submitted(service, "a") == "open"
    write(path, INVALID)
    assert submitted(service, "b") == "packed"
    assert "401" in (held(service) or "")
    write(path, f"{service.api.key}-2")
    service.clock.pauses_are_over()
    service.ledger.execute("UPDATE workspace SET held_at = held_at - interval '1 day'")
    poll()
    submit()
    assert (service.ledger.states("batch"), held(service)) == (["ended", "open"], None)


def test_a_create_with_an_old_key_while_there_is_a_new_one_is_no_hold(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "key"
    write(path, service.api.key)
    use(service, prints(path))
    assert submitted(service, "a") == "open"
    service.api.fault("create", "status", status=401, count=1)
    write(path, f"{service.api.key}-2")
    assert submitted(service, "b") == "open", "the next try, at once, bears the new one"
    assert (service.ledger.states("submission"), held(service)) == (["open", "void", "open"], None)
    assert service.api.meter()["creates"] == 2


def test_a_list_results_and_a_direct_call_with_an_old_key_are_asked_once_more(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key"
    write(path, service.api.key)
    service.configure(
        workspaces={"default": {"api_key": prints(path)}}, lanes={"urgent": {"road": "direct", "max_wait": "0s"}}
    )
    assert submitted(service, "a") == "open"
    for number, (at, step) in enumerate({"list": poll, "results": collect}.items()):
        write(path, f"{service.api.key}-{number}")
        monkeypatch.setattr(api_keys, "_REFUSED_EVERY_S", 0.0)  # so soon after the one before
        service.api.fault(at, "status", status=401, count=1)
        step()
    assert service.ledger.item("a")["state"] == "succeeded"
    service.accept(item("b"), lane="urgent")
    write(path, f"{service.api.key}-direct")
    service.api.fault("messages", "status", status=401, count=1)
    direct()
    assert (service.ledger.item("b")["state"], held(service)) == ("succeeded", None)
    assert service.api.meter()["billed"] == 2


def test_a_key_that_is_turned_down_and_is_still_the_only_one_holds(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "key"
    write(path, INVALID)
    use(service, prints(path))
    assert submitted(service, "a") == "packed"
    assert "401" in (held(service) or "")


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("import sys; print('pl4nt3d-word', file=sys.stderr); sys.exit(3)", "ended with 3"),
        ("pass", "printed nothing"),
        ("print('pl4nt3d-word two words')", "a key is one word"),
    ],
)
def test_a_command_that_fails_holds_its_workspace_and_says_why_without_its_words(
    service: Service, capfd: pytest.CaptureFixture[str], program: str, why: str
) -> None:
    service.accept(item("known"))
    service.finish()
    use(service, f'command:{sys.executable} -c "{program}"')
    assert submitted(service, "a") == "packed"
    reason = held(service) or ""
    assert why in reason
    (finding,) = (found for found in checkup._keys(settings(), None) if found.state == findings.FAULT)
    assert why in str(finding)
    assert "pl4nt3d" not in reason + str(finding) + "".join(capfd.readouterr())


def test_while_its_source_has_trouble_the_key_that_was_read_last_is_used(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "key"
    write(path, service.api.key)
    use(service, f"file:{path}")
    assert submitted(service, "a") == "open"
    path.unlink()
    assert submitted(service, "b") == "open"


def test_a_command_that_takes_its_time_keeps_no_event_loop_waiting(service: Service, tmp_path: Path) -> None:
    """Other calls of the loop go on while it runs: a connection that is being made has a time limit."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    use(service, f"command:cat {gate}")

    async def another_call_opens_the_gate() -> str:
        looking = asyncio.create_task(api_keys.current_beside_loop("default"))
        await asyncio.sleep(0)  # it has begun
        await asyncio.to_thread(gate.write_text, "pl4nt3d-key\n")
        return await looking

    assert asyncio.run(another_call_opens_the_gate()) == "pl4nt3d-key"


def test_nothing_of_a_key_is_in_a_repr(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "pl4nt3d-key")
    use(service, "env:SOME_KEY")
    assert api_keys.current("default") == "pl4nt3d-key"
    assert "pl4nt3d" not in repr(settings()) + repr(api_keys._kept("default"))
    os.environ["SOME_KEY"] = ""
    with pytest.raises(BadSettings, match="has no key: set SOME_KEY"):
        api_keys.current("default")


@pytest.mark.parametrize("given", ["sk-ant-pl4nt3d", "env:", "env:sk-ant-pl4nt3d", "command:'", "vault:pl4nt3d"])
def test_the_key_itself_is_refused_and_never_shown(service: Service, given: str) -> None:
    with pytest.raises(BadSettings) as caught:
        use(service, given)
    assert "[workspaces.default] api_key: " in str(caught.value)
    assert "pl4nt3d" not in str(caught.value)
