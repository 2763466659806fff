"""`overnight compare`: models or prompts on the same rows."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import orjson
import typer

from overnight_models.errors import PermanentError
from overnight_workers.cli import console

if TYPE_CHECKING:
    from overnight_workers.catalogs.compare.comparison import Comparison, Gold
    from overnight_workers.catalogs.compare.judging import Judged
    from overnight_workers.catalogs.compare.sides import Answer, Asked, Side
    from overnight_workers.catalogs.declaration import Catalog
    from overnight_workers.catalogs.opened import Opened

_SHOWN_BLIND: Final = 60
"""Rows that a person is asked to choose on."""


def compare(
    file: Annotated[Path, typer.Argument(help="The catalog's file, such as catalogs/airports.toml.")],
    models: Annotated[str | None, typer.Option(help="Models, with commas between them; the first is the base.")] = None,
    prompts: Annotated[
        str | None,
        typer.Option(help="Prompts of the file: `prompt`, and NAME of [prompts.NAME]; the first is the base."),
    ] = None,
    rows: Annotated[int, typer.Option(min=2, max=20_000, help="So many rows, from the shortest to the longest.")] = 200,
    gold: Annotated[
        str | None, typer.Option(metavar="FIELD=COLUMN", help="A column that has what a field should say.")
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="A model that says which answer is better, shown both ways round."),
    ] = None,
    page: Annotated[
        Path | None, typer.Option("--html", help="Where the page goes. Default: NAME.compared.html beside the file.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Ask two or more models, or prompts, about the same rows: quality, price, time, and how sure that is.

    Each row is compared with itself. It ends in a sentence a side: what changing costs or saves. The page has all,
    and pairs of answers for people to choose from without knowing whose they are. What was asked is paid once.
    """
    from overnight_workers.catalogs import trying
    from overnight_workers.catalogs.compare import comparison, sides
    from overnight_workers.catalogs.opened import opened
    from overnight_workers.catalogs.reading import read_catalog
    from overnight_workers.catalogs.recipe import recipe_of

    catalog = read_catalog(file)
    wanted = _sides(catalog, models, prompts)
    with opened(catalog, recipe_of(catalog)) as source:
        whole = trying.choose_rows(source, rows)
        asked = [sides.asked(side, source) for side in wanted]
        right = _gold(catalog, source, gold)
    _ask(asked, whole, yes or as_json)
    _send(catalog, asked, f"overnight compare {file}")
    answers = {side.side.name: sides.answers(side) for side in asked}
    compared = comparison.compare(answers, whole, right)
    judged = None if judge is None else _judge(judge, asked, answers, f"overnight compare {file}")
    target = page or file.with_name(f"{catalog.name}.compared.html")
    _write(target, catalog, compared, judged, asked, answers, None if right is None else gold)
    if as_json:
        console.as_json(_document(catalog, compared, judged, target))
    else:
        _print(compared, judged, target)


def _document(catalog: Catalog, compared: Comparison, judged: Judged | None, target: Path) -> dict[str, object]:
    """All of it as JSON; dollars are decimal strings, rounded to the nano-dollar where they are means."""
    return {
        "catalog": catalog.name,
        "rows": compared.rows,
        "whole": compared.whole,
        "sides": [
            {name: value for name, value in asdict(side).items() if name not in ("cost_a_row", "whole_cost")}
            | {"cost_a_row_usd": _usd(side.cost_a_row), "whole_cost_usd": _usd(side.whole_cost)}
            for side in compared.sides
        ],
        "beside": [
            asdict(side)
            | {
                "dollars": {"method": side.dollars.method}
                | {f"{name}_usd": _usd(getattr(side.dollars, name)) for name in ("value", "low", "high")}
            }
            for side in compared.beside
        ],
        "judged": None if judged is None else asdict(judged),
        "page": str(target),
    }


def _usd(amount: float | None) -> str | None:
    """None where it isn't known, or has no bound."""
    return None if amount is None or not math.isfinite(amount) else f"{amount:.9f}".rstrip("0").rstrip(".")


def _sides(catalog: Catalog, models: str | None, prompts: str | None) -> Sequence[Side]:
    from overnight_workers.catalogs.compare import sides

    if (models is None) == (prompts is None):
        raise PermanentError(
            f"say what is compared: --models {catalog.model},ANOTHER,"
            " or --prompts prompt,NAME with a [prompts.NAME] in the file"
        )
    names = [name.strip() for name in (models or prompts or "").split(",") if name.strip()]
    return sides.models(catalog, names) if models is not None else sides.prompts(catalog, names)


def _gold(catalog: Catalog, source: Opened, gold: str | None) -> Gold | None:
    """What is known to be right. Raises PermanentError for a field or a column that isn't there."""
    from overnight_workers.catalogs.compare.comparison import Gold
    from overnight_workers.catalogs.compare.sides import column
    from overnight_workers.catalogs.sinks.answered import Columns
    from overnight_workers.configuration.reading import near

    if gold is None:
        return None
    field, _, name = (part.strip() for part in gold.partition("="))
    if not (field and name):
        raise PermanentError(f"--gold is FIELD=COLUMN, such as category=known_category, not {gold!r}")
    fields = Columns.of(catalog).answer
    if field not in fields:
        raise PermanentError(f"--gold {gold}: answers have no field {field!r}{near(field, fields)}")
    return Gold(field, column(source, name))


def _ask(asked: Sequence[Asked], whole: int, yes: bool) -> None:
    from overnight_workers.catalogs import learning
    from overnight_workers.catalogs.recipe import hashes, recipe_of
    from overnight_workers.catalogs.runs.dollars import Dollars, of_items

    prices = []
    for option in asked:
        if not option.items:
            raise PermanentError(f"{option.side.name}: none of the rows can be sent with it")
        catalog, items = option.side.catalog, list(option.items.values())
        past = learning.alike(catalog, hashes(recipe_of(catalog)), [(item.key or "", True) for item in items])
        price = of_items(catalog, items, past)
        prices.append(price)
        bad = f"; {option.bad} rows can't be sent with it" if option.bad else ""
        console.say(f"{option.side.name}: {len(items)} of {whole:,} rows, {price.words(len(items))}{bad}")
    is_known = all(price.is_length_known for price in prices)
    together = Dollars.sum(price.dollars for price in prices).words(is_known)
    console.say(f"together {together}, in batches")
    if not yes and not console.ask("Send them?", default=True):
        raise typer.Exit(1)


def _send(catalog: Catalog, asked: Sequence[Asked], command: str) -> None:
    from overnight_workers.catalogs import trying
    from overnight_workers.cli.catalog_try import wait

    every = [item for side in asked for item in side.items.values()]
    rejected = trying.send(catalog, every, trying.compared_run_name(catalog)).rejected
    if rejected:
        raise PermanentError(f"{len(rejected)} requests were turned down, the first of them: {rejected[0].why}")
    wait(catalog, every, command)


def _judge(model: str, asked: Sequence[Asked], answers: Mapping[str, Mapping[bytes, Answer]], command: str) -> Judged:
    from overnight_workers.catalogs import trying
    from overnight_workers.catalogs.compare import judging
    from overnight_workers.cli.catalog_try import wait

    first, second = asked[:2]
    catalog = first.side.catalog
    questions = judging.questions(model, first, second, (answers[first.side.name], answers[second.side.name]))
    items = [item for orders in questions.values() for item in orders]
    rejected = trying.send(catalog, items, trying.compared_run_name(catalog)).rejected
    if rejected:
        raise PermanentError(f"the judge's requests were turned down: {rejected[0].why}")
    wait(catalog, items, command)
    said = {
        key: outcome.parse(judging.Verdict).better if outcome.ok else None
        for key, outcome in trying.outcomes(catalog, items).items()
    }
    return judging.judged(model, questions, said)


def _write(
    target: Path,
    catalog: Catalog,
    compared: Comparison,
    judged: Judged | None,
    asked: Sequence[Asked],
    answers: Mapping[str, Mapping[bytes, Answer]],
    gold: str | None,
) -> None:
    from overnight_workers.catalogs import trying
    from overnight_workers.catalogs.pages import page
    from overnight_workers.catalogs.report.writing import short_usd

    page.write(
        target,
        "compared",
        catalog=catalog.name,
        comparison=compared,
        judged=judged,
        gold=gold,
        run=trying.compared_run_name(catalog),
        made_at=f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        pairs=_pairs(asked, answers),
        usd=short_usd,
    )


def _pairs(asked: Sequence[Asked], answers: Mapping[str, Mapping[bytes, Answer]]) -> list[dict[str, str]]:
    """Two answers of each row that differ, their places drawn by a seed."""
    from overnight_workers.catalogs.trying import asked as prompt_of

    first, second = asked[:2]
    here, there = answers[first.side.name], answers[second.side.name]
    differ = sorted(entry for entry in here.keys() & there.keys() if here[entry].text != there[entry].text)
    draw = random.Random(0)
    pairs = []
    for entry in draw.sample(differ, min(len(differ), _SHOWN_BLIND)):
        sides = [(first.side.name, here[entry].text), (second.side.name, there[entry].text)]
        draw.shuffle(sides)
        (left, left_text), (right, right_text) = sides
        item = first.items[entry]
        pairs.append(
            {
                "name": ", ".join(orjson.loads(item.trace_id or "[]")),
                "prompt": prompt_of(item.params),
                "left": left,
                "left_text": left_text,
                "right": right,
                "right_text": right_text,
            }
        )
    return pairs


def _print(compared: Comparison, judged: Judged | None, target: Path) -> None:
    from rich.table import Table

    from overnight_workers.catalogs.report.writing import short_usd

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("side", "valid", "right", "a row", "all rows", "tokens a row", "seconds"):
        table.add_column(title, justify="left" if title == "side" else "right")
    for side in compared.sides:
        table.add_row(
            side.name,
            f"{side.valid:,} of {side.rows:,}",
            "-" if side.right is None else f"{side.right:,}",
            "unknown" if side.cost_a_row is None else f"${side.cost_a_row:.6f}",
            "unknown" if side.whole_cost is None else short_usd(side.whole_cost),
            f"{side.tokens_out:.0f}",
            "-" if side.seconds is None else f"{side.seconds:,.0f}",
        )
    console.OUT.print(table)
    if judged is not None:
        console.OUT.print(
            f"{judged.model} as the judge: {judged.first} to {judged.second}, {judged.same} the same,"
            f" {judged.by_order} by the order they were shown in ({judged.test.method}, p = {judged.test.p:.3g})",
            markup=False,
        )
    for result in compared.beside:
        console.OUT.print(result.sentence, markup=False)
    console.OUT.print(f"Page: {target}", markup=False)
