"""What the pages show is so."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields, replace
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from overnight_models import states, tables
from overnight_models.wire.judgement import ANY_OTHER, PROBLEMS, Content
from overnight_workers import settings as told
from overnight_workers.cli import app
from overnight_workers.cli.plan_page import QUESTIONS, WIDTH
from overnight_workers.configuration import broker_settings
from overnight_workers.configuration.encryption_settings import Encryption
from overnight_workers.configuration.link_settings import Links
from overnight_workers.configuration.relay_settings import RelaySettings
from overnight_workers.configuration.webhook_settings import Webhook
from overnight_workers.configuration.workspace_settings import Workspace
from overnight_workers.operators.alarm_kinds import KINDS
from overnight_workers.stages.protocol import Rule

ROOT = Path(__file__).parents[2]
WORKERS = ROOT / "workers"
PAGES = sorted((WORKERS / "docs").glob("*.md"))
READMES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("*/README.md")), *PAGES]
PACKAGES = ["models/overnight_models", "producers/overnight_producers", "workers/overnight_workers"]


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(), re.DOTALL)


def test_diagrams_are_the_lives() -> None:
    assert blocks(ROOT / "README.md", "mermaid") == [states.ITEM.diagram + "\n"]
    assert blocks(ROOT / "models" / "README.md", "mermaid") == [life.diagram + "\n" for life in states.LIVES]


def names(part: type) -> set[str]:
    """What may be set."""
    return {field.name for field in fields(part)}


def test_the_documented_configuration_is_the_default_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (block,) = blocks(WORKERS / "docs" / "running.md", "toml")
    documented = tomllib.loads(block)
    (tmp_path / "overnight.toml").write_text(block.replace("redis://…", "redis://127.0.0.1:6379/1"))
    monkeypatch.setenv("OVERNIGHT_CONFIG", str(tmp_path / "overnight.toml"))
    read = told.read_settings()
    assert set(documented["timing"]) == names(told.Timing)
    assert read.timing == told.Timing()
    assert (documented["direct"], read.direct) == ({"calls": told.Direct().calls}, told.Direct())
    assert set(documented["lanes"]["copy"]) == names(told.Lane)
    copy = replace(read.lanes["copy"], callbacks=("*",), max_input_tokens=None)
    copy = replace(
        copy, deadline=None, max_calls=None, max_cost_per_trace=None, submit_window=None, target_batches=None, models=()
    )
    copy = replace(copy, keep_deliveries=None, keep_bodies=None, keep_outcomes=None, keep_keys=None, keep_money=None)
    copy = replace(copy, delete_batches=None, encrypt=None)
    assert copy == told.Lane()
    assert set(documented["brokers"]["shop"]) == names(broker_settings.Broker)
    assert set(documented["encryption"]["main"]) == names(Encryption)
    assert set(documented["relays"]["shop"]) == names(RelaySettings)
    assert read.relays["shop"] == RelaySettings(database_url=read.relays["shop"].database_url)
    assert [field for field in sorted(names(Workspace)) if f"{field} = " not in block] == []
    assert set(documented["own_broker"]) == names(broker_settings.BrokerLimits)
    assert set(documented["webhooks"]["shop"]) == names(Webhook)
    shop = read.webhooks["shop"]
    by_default = Webhook(url=shop.url, secrets=shop.secrets)
    assert replace(shop, max_per_second=None, window=None, allow_private=(), deliver_for=None) == by_default
    assert set(documented["links"]) == names(Links)
    assert replace(read.links, url="", secrets=None) == Links()
    limits = broker_settings.BrokerLimits()
    for broker in (read.brokers["shop"], read.own_broker):
        assert broker.max_queue == limits.max_queue
        assert (broker.max_memory, limits.max_memory) == (500_000_000, None)


def test_every_alarm_is_documented_for_whoever_is_on_call() -> None:
    text = (WORKERS / "docs" / "alarms.md").read_text()
    for name, kind in KINDS.items():
        mark = " !" if kind.urgent else ""
        anchor = f'<a id="{name.replace(" ", "-")}"></a>'
        assert f"| {anchor}**{name}**{mark} | {kind.means} | {kind.does} | {kind.do} |" in text
    shown = re.findall(r"^\| <a id=.*?></a>\*\*(.+?)\*\*", text, re.MULTILINE)
    assert shown == list(KINDS)


def test_what_is_decided_about_answers_is_what_products_are_shown() -> None:
    header = f"| `stop_reason` | {' | '.join(Content)} |\n|---|---|---|---|---|\n"
    rows = [
        f"| {stop if stop == ANY_OTHER else f'`{stop}`'} | "
        + " | ".join("ok" if (problem := row[content]) is None else f"`{problem}`" for content in Content)
        + " |\n"
        for stop, row in PROBLEMS.items()
    ]
    assert header + "".join(rows) in (ROOT / "producers" / "README.md").read_text()


def test_the_plan_that_is_shown_is_of_the_page() -> None:
    plan, compared = blocks(WORKERS / "docs" / "plan.md", "text")
    shown = [line.rstrip(" ─") for line in plan.splitlines() if line.endswith("─")]
    assert shown == list(QUESTIONS)
    assert all(len(line) <= WIDTH for line in (plan + compared).splitlines())


def test_every_variable_is_documented() -> None:
    shown = set(re.findall(r"OVERNIGHT_[A-Z_]+", (WORKERS / "docs" / "running.md").read_text()))
    read = set[str]()
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            read |= set(re.findall(r"OVERNIGHT_[A-Z_]+", file.read_text()))
    settings = {f"OVERNIGHT_{name.upper()}" for name in names(told.Settings)}
    assert shown == read | settings


def test_every_command_helps() -> None:
    listed = CliRunner().invoke(app, ["--help"])
    assert listed.exit_code == 0
    for command in app.registered_commands:
        assert command.callback is not None
        name = command.name or command.callback.__name__
        # another name of a command isn't listed: the command says it
        assert (f" {name} " in listed.output) is not command.hidden, name
        helped = CliRunner().invoke(app, [name, "--help"])
        assert helped.exit_code == 0
        assert "Usage" in helped.output


def test_help_is_read_whole_in_80_columns() -> None:
    for command in app.registered_commands:
        assert command.callback is not None
        name = command.name or command.callback.__name__
        helped = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "80"})
        cut = re.findall(r"(?<![\w.-])\w[\w.]*…", helped.output)
        assert not cut, f"overnight {name} --help"


def test_the_first_page_names_no_lane_that_somebody_must_make_first() -> None:
    shown = re.findall(r"^    overnight .*--lane (\S+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert set(shown) == {"default"}


def test_every_command_that_a_page_shows_is_there_with_its_options() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    for page in READMES:
        for name, rest in re.findall(r"(?:`|^    )overnight ([a-z]+)([^`\n#]*)", page.read_text(), re.MULTILINE):
            command = group.commands.get(name)
            assert command is not None, f"{page.name} shows `overnight {name}`"
            subcommand = next(iter(rest.split()), "")
            if isinstance(command, TyperGroup) and subcommand and not subcommand.startswith("-"):
                assert subcommand in command.commands, f"{page.name} shows `overnight {name} {subcommand}`"
                command = command.commands[subcommand]
            known = {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}
            unknown = set(re.findall(r"--[a-z-]+", rest)) - known
            assert not unknown, f"{page.name} shows `overnight {name}` with {unknown}"


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_files_exist(path: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
        assert (path.parent / link).exists(), f"{path.name} links to {link}"


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_source_file_that_a_page_names_exists(path: Path) -> None:
    if path.name == "CHANGELOG.md":
        pytest.skip("it names what was there then")
    named = set(re.findall(r"`((?:\w+/)*\w+\.py)(?:::\w+)?`", path.read_text())) - {"shop.py"}
    files = [f"/{file.relative_to(ROOT)}" for part in (*PACKAGES, "tests") for file in (ROOT / part).rglob("*.py")]
    assert [name for name in sorted(named) if not any(file.endswith(f"/{name}") for file in files)] == []


def test_every_page_is_in_the_table_of_pages() -> None:
    listed = re.findall(r"\]\(docs/([a-z-]+\.md)\)", (WORKERS / "README.md").read_text())
    assert sorted(set(listed)) == [page.name for page in PAGES]


def test_each_question_of_a_newcomer_has_its_file() -> None:
    """The first two tables. That each file exists, the test of links says."""
    table = (WORKERS / "README.md").read_text().split("\n## ")[1]
    answers = re.findall(r"^\| .+\? \| ([MW]) \[(.+?)\]\((.+?)\) \|$", table, re.MULTILINE)
    assert len(answers) == 42
    for letter, shown, link in answers:
        package = {"M": "models/overnight_models", "W": "workers/overnight_workers"}[letter]
        assert (WORKERS / link).resolve() == ROOT / package / shown


def mapped_files(readme: Path) -> set[str]:
    """The files of a code map: the first cells of its tables, each in the room that the heading names."""
    section = readme.read_text().split("\n## Code map\n")[1].split("\n## ")[0]
    room, files = "", set[str]()
    for line in section.splitlines():
        if heading := re.match(r"### `(.+/)`$", line):
            room = heading[1]
        elif line.startswith("| "):
            for name in re.findall(r"`([^`]+)`", line.split(" | ")[0]):
                if braces := re.match(r"(.*)\{(.+)\}(.*)", name):
                    files |= {f"{room}{braces[1]}{part}{braces[3]}" for part in braces[2].split(",")}
                else:
                    files.add(room + name)
    return files


@pytest.mark.parametrize("package", PACKAGES)
def test_every_file_stands_in_its_code_map_and_no_other(package: str) -> None:
    root = ROOT / package
    page = root.parent / "docs" / "code-map.md"
    mapped = mapped_files(page if page.exists() else root.parent / "README.md")
    assert [name for name in sorted(mapped) if not (root / name).exists()] == []
    files = {str(file.relative_to(root)) for file in root.rglob("*.py") if file.name != "__init__.py"}
    # the migrations are a list of their own: their folder stands for them
    assert sorted(file for file in files - mapped if "versions/" not in file) == []


def test_every_room_of_the_workers_stands_in_the_readme_and_no_other() -> None:
    root = ROOT / "workers" / "overnight_workers"
    rooms = {f"{place.name}/" for place in root.iterdir() if (place / "__init__.py").exists()}
    alone = {place.name for place in root.glob("*.py")} - {"__init__.py"}
    assert mapped_files(WORKERS / "README.md") == rooms | alone


def test_no_file_has_a_name_that_the_rules_forbid() -> None:
    rule = re.search(r"No (`utils`.+?)\. A cut", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    assert rule is not None
    forbidden = set(re.findall(r"`(\w+)`", rule[1]))
    assert len(forbidden) == 6
    for part in (*PACKAGES, "tests"):
        assert [file for file in (ROOT / part).rglob("*") if file.stem in forbidden] == []


def test_every_noun_is_a_word() -> None:
    words = (ROOT / "models" / "README.md").read_text()
    nouns = set(tables.Table.metadata.tables) - {"item_key", "output_schema", "inbox", "request", "spending", "model"}
    for noun in sorted(nouns):
        assert f"**{noun}**" in words, noun


def test_every_fault_of_the_table_has_its_test() -> None:
    named = re.findall(r"`([\w/]+/test_\w+\.py)(?:::(\w+))?`", (ROOT / "tests" / "README.md").read_text())
    assert len(named) > 50
    for file, test in named:
        assert f"\ndef {test}(" in (ROOT / "tests" / file).read_text() or not test, f"{file}::{test}"


CITATION = re.compile(r"(?<![\w-])R(\d+)(?!\w)")


def test_the_rules_of_the_protocol_are_the_documented_ones_and_cited_where_they_are_kept() -> None:
    page = WORKERS / "docs" / "paid-once.md"
    rows = re.findall(r"^\| \*\*(R\d+)\*\* \| (.+) \| (.+) \|$", page.read_text(), re.MULTILINE)
    assert [(name, text) for name, text, _ in rows] == [(rule.name, rule.value) for rule in Rule]
    for name, _, kept_in in rows:
        files = re.findall(r"\]\((.+?)\)", kept_in)
        assert files, f"{name} is kept nowhere"
        for file in files:
            cited = {f"R{number}" for number in CITATION.findall((page.parent / file).read_text())}
            assert name in cited, f"{page.name} says that {file} keeps {name}, and it doesn't cite it"


@pytest.mark.parametrize("place", ["models", "producers", "workers", "tests"])
def test_every_cited_rule_exists(place: str) -> None:
    for file in [*READMES, *(ROOT / place).rglob("*.py")]:
        unknown = {f"R{number}" for number in CITATION.findall(file.read_text())} - set(Rule.__members__)
        assert not unknown, f"{file} cites {unknown}"


def test_every_finding_says_what_happens_and_what_depends_on_it() -> None:
    form = re.findall(r"^\| `(# \w+: )…` \|", (ROOT / "findings" / "README.md").read_text(), re.MULTILINE)
    assert len(form) == 4
    for script in (ROOT / "findings").glob("*.sh"):
        lines = script.read_text().splitlines()
        assert lines[0] == "#!/usr/bin/env bash", script.name
        assert script.stat().st_mode & 0o111, f"{script.name} can't be run"
        for line in form:
            assert any(written.startswith(line) for written in lines[:20]), f"{script.name} doesn't say {line}"
