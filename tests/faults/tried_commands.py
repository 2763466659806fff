"""Every command of `overnight`, with words that it takes and words that it refuses: what it prints is searched."""

from __future__ import annotations

from typer.models import CommandInfo

from overnight_workers.cli import app as command_line

ARGUMENTS: dict[str, list[list[str]]] = {
    "demo": [["--rows", "0"]],
    "up": [["--data-dir", "/dev/null/nowhere"]],
    "migrate": [["--wait", "0"]],
    "sandbox": [["--faults", "{"]],
    "doctor": [[], ["--json"]],
    "health": [["--queue", "overnight.pack"], ["--queue", "overnight.pack", "--json"]],
    "plan": [["work.jsonl"], ["work.jsonl", "--json"], ["bad.jsonl"], ["--compare", "none"]],
    "enqueue": [
        ["work.jsonl", "--run", "r"],
        ["work.jsonl", "--run", "r", "--json"],
        ["bad.jsonl"],
        ["bad.jsonl", "--json"],
    ],
    "enrich": [["none.toml", "--dry-run"], ["none.toml", "--json"]],
    "compare": [["none.toml", "--models", "a,b"], ["none.toml", "--prompts", "a,b", "--json"]],
    "outcomes": [["--lane", "none"], ["--problem", "none"]],
    "status": [[], ["--json"]],
    "batches": [[], ["--json"], ["--unclear"], ["--unclear", "--json"]],
    "items": [[], ["--json"]],
    "costs": [[], ["--json"], ["--csv"]],
    "pause": [["default"], ["none"]],
    "resume": [["default"], ["--all"], ["none"]],
    "budget": [[], ["--json"], ["--lane", "default", "--day", "x"]],
    "decide": [["1", "--gone"], ["999"]],
    "lanes": [[], ["--json"]],
    "errors": [[], ["--json"], ["--problem", "none"]],
    "tail": [["--since", "1h", "--number", "1"], ["--since", "1h", "--number", "1", "--json"]],
    "actions": [[], ["--json"]],
    "abort": [["1"]],
    "drain": [["none"]],
    "cancel": [["--all"], ["--all", "--json"], ["--all", "--dry-run"], ["--older", "x"]],
    "retry": [["--all", "--dry-run"]],
    "schema": [["accept"], ["none"]],
    "relay": [["none"], []],
    "links": [["--certificate", "none.pem"], ["--port", "99999"]],
    "purge": [["--all", "--dry-run"], ["--all", "--dry-run", "--json"], ["--tenant", "none"], []],
    "redo": [["--all"], ["--all", "--json"], ["--all", "--yes"]],
    "replay": [[], ["--json"], ["--delivered", "--all"]],
    "catalog new": [["none.csv"]],
    "catalog schema": [["none.toml"], []],
    "catalog show": [[], ["none"]],
    "catalog try": [["none.toml"]],
    "encryption": [[], ["--json"]],
    "encryption new": [["--nothing"]],
    "encryption rotate": [["--dry-run"], ["--lane", "none"]],
    "inbox sql": [["--grant", "shop"]],
    "inbox alembic": [[]],
    "inbox django": [[]],
    "inbox aside": [["none"], ["shop"], ["other", "--json"]],
    "inbox retry": [["none"], ["shop"]],
    "inbox drop": [["none"], ["other"]],
    "runs": [[], ["--json"]],
    "runs show": [["none"], ["none", "--json"]],
    "runs approve": [["none"]],
    "runs stop": [["none"]],
    "schedules": [[], ["--json"]],
    "schedules keep": [["none.toml"]],
    "schedules pause": [["none"]],
    "schedules resume": [["none"]],
    "schedules skip": [["none"]],
    "schedules forget": [["none"]],
    "webhooks": [[], ["--json"]],
    "webhooks test": [["shop"], ["none"]],
    "webhooks resume": [["shop"], ["none"]],
}


def commands() -> list[list[str]]:
    known = {_name_of(command) for command in command_line.registered_commands}
    for group in command_line.registered_groups:
        commands_of_group = group.typer_instance.registered_commands if group.typer_instance else []
        known |= {f"{group.name} {_name_of(command)}" for command in commands_of_group}
    without = {group.name for group in command_line.registered_groups}
    assert known == set(ARGUMENTS) - without, "each command is tried here"
    return [[*name.split(), *words] for name, tries in ARGUMENTS.items() for words in (["--help"], *tries)]


def _name_of(command: CommandInfo) -> str:
    return command.name or command.callback.__name__  # type: ignore[union-attr]
