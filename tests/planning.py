"""Plans in tests: files to plan, and what `overnight plan` says of them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
from typer.testing import CliRunner

from overnight_workers.cli import app
from tests.driving import Service, params
from tests.service.ledger import Json

RULES = "Answer in one word, without thinking about it for long. " * 60


def written(file: Path, items: list[Json]) -> Path:
    with file.open("wb") as out:
        for number, item in enumerate(items):
            line = item if "params" in item else {"key": f"k{number}", "params": item}
            out.write(orjson.dumps(line) + b"\n")
    return file


def texts(n: int, *, seed: int = 1, **more: Any) -> list[Json]:
    rng = random.Random(seed)
    words = [f"word{number}" for number in range(200)]
    return [params(" ".join(rng.choices(words, k=rng.randint(5, 300))), max_tokens=2_000, **more) for _ in range(n)]


def planned(*words: object) -> Json:
    done = CliRunner().invoke(app, ["plan", *map(str, words), "--json"])
    assert done.exit_code == 0, f"{words}: {done.output} {done.exception!r}"
    plan: Json = orjson.loads(done.stdout)
    return plan


def calls(service: Service) -> int:
    return service.api.calls("count_tokens").get("200", 0)


def accept_file(service: Service, file: Path, run: str | None = None) -> None:
    lines = [orjson.loads(line) for line in file.read_bytes().splitlines()]
    for start in range(0, len(lines), 500):
        service.accept(*({"id": str(uuid4()), **line} for line in lines[start : start + 500]), run=run)


def refused(*words: str) -> BaseException:
    """What the command says that it can't plan."""
    done = CliRunner().invoke(app, ["plan", *words])
    assert done.exit_code != 0
    assert done.exception is not None
    return done.exception
