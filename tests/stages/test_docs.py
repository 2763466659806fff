"""What the READMEs show is so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from overnight_models import states, tables
from overnight_workers import settings as told
from overnight_workers.cli import app
from overnight_workers.cli.plan_page import QUESTIONS, WIDTH
from overnight_workers.operators.alarms import KINDS

ROOT = Path(__file__).parents[2]
READMES = [ROOT / "README.md", *sorted(ROOT.glob("*/README.md"))]


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(), re.DOTALL)


def test_diagrams_are_the_lives() -> None:
    assert blocks(ROOT / "README.md", "mermaid") == [states.ITEM.diagram + "\n"]
    assert blocks(ROOT / "models" / "README.md", "mermaid") == [life.diagram + "\n" for life in states.LIVES]


def test_the_documented_configuration_is_the_default_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (block,) = blocks(ROOT / "workers" / "README.md", "toml")
    documented = tomllib.loads(block)
    (tmp_path / "overnight.toml").write_text(block.replace("redis://…", "redis://127.0.0.1:6379/1"))
    monkeypatch.setenv("OVERNIGHT_CONFIG", str(tmp_path / "overnight.toml"))
    read = told.Settings()
    assert set(documented["timing"]) == set(told.Timing.model_fields)
    assert read.timing == told.Timing()
    assert set(documented["lanes"]["copy"]) == set(told.Lane.model_fields)
    assert read.lanes["copy"].model_copy(update={"callbacks": ("*",), "max_input_tokens": None}) == told.Lane()
    assert set(documented["brokers"]["shop"]) == set(told.Broker.model_fields)
    assert set(documented["own_broker"]) == set(told.BrokerLimits.model_fields)
    limits = told.BrokerLimits()
    for broker in (read.brokers["shop"], read.own_broker):
        assert broker.max_queue == limits.max_queue
        assert (broker.max_memory, limits.max_memory) == (500_000_000, None)


def test_every_alarm_is_documented_for_whoever_is_on_call() -> None:
    text = (ROOT / "workers" / "README.md").read_text()
    for name, kind in KINDS.items():
        mark = " !" if kind.urgent else ""
        assert f"| **{name}**{mark} | {kind.means} | {kind.does} | {kind.do} |" in text


def test_the_plan_that_is_shown_is_of_the_page() -> None:
    plan, compared = blocks(ROOT / "workers" / "README.md", "text")
    shown = [line.rstrip(" ─") for line in plan.splitlines() if line.endswith("─")]
    assert shown == list(QUESTIONS)
    assert all(len(line) <= WIDTH for line in (plan + compared).splitlines())


def test_every_file_of_the_plan_stands_in_its_map() -> None:
    text = (ROOT / "workers" / "README.md").read_text()
    for file in (ROOT / "workers" / "overnight_workers" / "plan").glob("[a-z]*.py"):
        assert f"`{file.name}`" in text, file.name


def test_every_variable_is_documented() -> None:
    text = (ROOT / "workers" / "README.md").read_text()
    for name in ("database_url", "redis_url", "data_dir", "config", "prices", "deployment"):
        assert f"OVERNIGHT_{name.upper()}" in text


def test_every_command_helps() -> None:
    listed = CliRunner().invoke(app, ["--help"])
    assert listed.exit_code == 0
    for command in app.registered_commands:
        assert command.callback is not None
        name = command.name or command.callback.__name__
        assert name in listed.output
        helped = CliRunner().invoke(app, [name, "--help"])
        assert helped.exit_code == 0
        assert "Usage" in helped.output


@pytest.mark.parametrize("path", READMES, ids=lambda path: path.parent.name or "top")
def test_links_and_files_exist(path: Path) -> None:
    text = path.read_text()
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (path.parent / link).exists(), f"{path.name} links to {link}"


@pytest.mark.parametrize(
    "package", ["models/overnight_models", "producers/overnight_producers", "workers/overnight_workers"]
)
def test_every_file_stands_in_its_code_map(package: str) -> None:
    text = (ROOT / package).parent.joinpath("README.md").read_text()
    shown = set(re.findall(r"[a-z_]+", text))
    mapped_by_folder = {"migrations", "flower_tab", "sandbox", "one_machine", "cli"}
    for file in (ROOT / package).rglob("*.py"):
        if mapped_by_folder & set(file.parts):
            continue
        assert file.stem in shown or file.stem == "__init__", f"{file.name} is missing in {package}'s README"


def test_every_noun_is_a_word() -> None:
    words = (ROOT / "models" / "README.md").read_text()
    nouns = set(tables.Table.metadata.tables) - {"item_key", "output_schema", "inbox", "request", "spending", "model"}
    for noun in sorted(nouns):
        assert f"**{noun}**" in words, noun


def test_every_fault_of_the_table_has_its_test() -> None:
    named = re.findall(r"`(\w+/test_\w+\.py)(?:::(\w+))?`", (ROOT / "tests" / "README.md").read_text())
    assert len(named) > 50
    for file, test in named:
        assert f"\ndef {test}(" in (ROOT / "tests" / file).read_text() or not test, f"{file}::{test}"
