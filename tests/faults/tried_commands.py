"""Every command of `overnight`, with words that it takes and words that it refuses: what it prints is searched."""

from __future__ import annotations

from overnight_workers.cli import app as command_line

ARGUMENTS = {
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
    "links": [["--certificate", "none.pem"], []],
    "purge": [["--all", "--dry-run"], ["--all", "--dry-run", "--json"], ["--tenant", "none"], []],
    "redo": [["--all"], ["--all", "--json"], ["--all", "--yes"]],
    "replay": [[], ["--json"], ["--delivered", "--all"]],
}


def commands() -> list[list[str]]:
    known = {command.name or command.callback.__name__ for command in command_line.registered_commands}  # type: ignore[union-attr]
    assert known == set(ARGUMENTS), "each command is tried here"
    return [[name, *words] for name, many in ARGUMENTS.items() for words in (["--help"], *many)]
