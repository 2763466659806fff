"""The declaration of a catalog: `catalogs/NAME.toml`, as pydantic reads it."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator

Kind = Literal["csv", "jsonl", "parquet", "excel", "sql"]

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
"""What a catalog and a variant may be called: both stand in keys of items."""
KINDS: Final[dict[str, Kind]] = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet",
    ".xlsx": "excel", ".xls": "excel", ".xlsb": "excel", ".ods": "excel",
}  # fmt: skip
"""What a file is by the end of its name."""
CLOCK: Final = r"^([01]\d|2[0-3]):[0-5]\d$"
CLASS: Final = r"^[\w.]+:[\w.]+$"
PACKED: Final = (".gz", ".bz2", ".xz", ".zst")
TYPE: Final = re.compile(r"text|integer|boolean|json|decimal(\(\d{1,2}\))?|(date|datetime)(\(.+\))?")
"""The types that a column may be declared to have."""


def _share(given: object) -> object:
    """A part of 1, from 0.05 or "5%"."""
    if isinstance(given, str) and (percent := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", given)):
        return float(percent[1]) / 100
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        raise ValueError('it is a share, such as 0.05 or "5%"')
    return given


def _in_all(share: float) -> float:
    """Raises ValueError outside of 0 to 1."""
    if not 0 <= share <= 1:
        meant = f'; did you mean "{share:g}%"?' if 1 < share <= 100 else ""
        raise ValueError(f'{share:.0%} is no share of a whole: it is from 0 to 1, such as 0.05 or "5%"{meant}')
    return share


def _publish(given: object) -> object:
    if given not in ("as_they_come", "complete") and not isinstance(given, (dict, BaseModel)):
        raise ValueError(
            'it is "complete", "as_they_come" or {valid = 0.99}, the share of valid answers that is enough'
        )
    return given


def _dollars(given: object) -> Decimal:
    text = given.strip().removeprefix("$") if isinstance(given, str) else given
    try:
        amount = Decimal("nan") if isinstance(text, bool) else Decimal(str(text))
    except InvalidOperation:
        amount = Decimal("nan")
    if not (amount.is_finite() and amount > 0):
        raise ValueError("it is an amount of dollars above 0, such as 25 or 0.02")
    return amount


def _texts(given: object) -> object:
    """A list of texts; a text alone is a list of it."""
    return [given] if isinstance(given, str) else given


def _type(given: str) -> str:
    if TYPE.fullmatch(given) is None:
        raise ValueError(
            "a type is text, integer, decimal, decimal(2), boolean, date, date(%d.%m.%Y), datetime or json"
        )
    return given


Share = Annotated[float, BeforeValidator(_share, json_schema_input_type=float | str), AfterValidator(_in_all)]
Dollars = Annotated[Decimal, BeforeValidator(_dollars)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts, json_schema_input_type=str | tuple[str, ...])]
ColumnType = Annotated[str, BeforeValidator(_type)]
Given = Annotated[str, Field(min_length=1)]


class Part(BaseModel):
    """A table of the file: nothing in it but what is known, and nothing changes it."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class DeclaredSource(Part):
    """Where the rows come from: a file (or URL), or a query."""

    path: Given | None = None
    """A file, from the catalog file's directory; or a URL that fsspec opens, such as s3://bucket/rows.parquet."""
    kind: Kind | None = None
    """What it is; by the end of its name where nothing is said."""
    separator: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """CSV: what stands between cells. Default: a comma."""
    encoding: Given | None = None
    """CSV and JSONL: as Python names it. Default: utf-8."""
    quote: Annotated[str, Field(max_length=1)] | None = None
    """CSV: what stands around cells; an empty text for none. Default: a double quote, doubled inside."""
    skip_lines: Annotated[int, Field(ge=1, le=1000)] | None = None
    """CSV and Excel: lines above the names of the columns, such as a title. Default: none."""
    sheet: Given | None = None
    """Excel: which sheet. Default: the first."""
    query: Given | None = None
    """SQL: what is selected."""
    url: Given | None = None
    """SQL: the database, as SQLAlchemy names it."""
    url_variable: Given | None = None
    """SQL: the environment variable that has the URL, with its password."""
    types: dict[str, ColumnType] = {}
    """Columns that are more than text. A cell is text, whatever the source, unless it stands here."""

    @property
    def read_as(self) -> Kind:
        """The kind: said, or by the end of the name."""
        if self.kind is not None:
            return self.kind
        if self.query is not None:
            return "sql"
        kind = kind_of(self.path or "")
        assert kind is not None, "validated"
        return kind

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.path is None) == (self.query is None):
            raise ValueError("say either `path` (a file or URL) or `query` (with `url` or `url_variable`)")
        if self.query is not None and (self.url is None) == (self.url_variable is None):
            raise ValueError("a `query` needs either `url` or `url_variable`: the database that it asks")
        if self.query is not None and self.kind not in (None, "sql"):
            raise ValueError(f"a `query` is of kind sql, not {self.kind}")
        if self.path is not None and self.kind is None and kind_of(self.path) is None:
            raise ValueError(f"the name {self.path!r} doesn't say what it is: add `kind`")
        for option, kinds in _OPTIONS_OF.items():
            if getattr(self, option) is not None and self.read_as not in kinds:
                raise ValueError(f"`{option}` is for {' and '.join(kinds)}; this source is {self.read_as}")
        return self


_OPTIONS_OF: Final = {
    "separator": ("csv",),
    "quote": ("csv",),
    "encoding": ("csv", "jsonl"),
    "skip_lines": ("csv", "excel"),
    "sheet": ("excel",),
    "url": ("sql",),
    "url_variable": ("sql",),
}


def kind_of(path: str) -> Kind | None:
    """What a file of rows is, by the end of its name; None where that doesn't say it."""
    name = path.lower()
    for end in PACKED:
        name = name.removesuffix(end)
    return next((kind for end, kind in KINDS.items() if name.endswith(end)), None)


class Media(Part):
    """A column that names an image or a PDF."""

    by: Literal["url", "path", "file"]
    """What its cells are: URLs that Anthropic fetches, paths of files that are sent, or ids of Anthropic's Files."""
    when_null: Literal["refuse", "leave_out"] = "refuse"
    """A row without one: refused, or sent without."""


def _media(given: object) -> object:
    return {"by": given} if isinstance(given, str) else given


By = Literal["url", "path", "file"]
ShortMedia = Annotated[Media, BeforeValidator(_media, json_schema_input_type=By | Media)]
"""A table, or only what stands in its `by`."""


class DeclaredPrompt(Part):
    """What is asked about a row: Jinja2."""

    row: Given
    """The row's message. A column is a variable: {{ name }}, or {{ row.name }}, or {{ row["a name"] }}."""
    system: str | None = None
    """The same for all rows: sent once and cached where that pays. `variant` may be used in it, columns may not."""
    images: dict[str, ShortMedia] = {}
    """Columns that name images, before the text: images = {photo = "url"}."""
    pdfs: dict[str, ShortMedia] = {}
    """Columns that name PDFs, before the text."""
    max_input_tokens: Annotated[int, Field(ge=1)] | None = None
    """Longer prompts are dealt with as `when_longer` says. Estimated from the length: a token for 3 bytes of UTF-8."""
    when_longer: Literal["refuse", "cut", "model"] = "refuse"
    """refuse: the row is a problem. cut: `cut_column` is shortened from its end. model: `longer_model` is asked."""
    cut_column: Given | None = None
    """Whose text is cut; it stands in `row` once. Where the lane has a limit of its own, it cuts there too."""
    longer_model: Given | None = None
    """The model for longer prompts."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.when_longer == "model" and self.longer_model is None:
            raise ValueError('`when_longer = "model"` needs `longer_model`')
        if self.when_longer == "cut" and self.cut_column is None:
            raise ValueError('`when_longer = "cut"` needs `cut_column`: whose text may be shortened')
        if self.when_longer == "model" and self.max_input_tokens is None:
            raise ValueError('`when_longer = "model"` needs `max_input_tokens`')
        return self


class DeclaredOutput(Part):
    """The form of an answer: structured output."""

    class_: Annotated[str, Field(pattern=CLASS)] | None = Field(default=None, alias="class")
    """A pydantic class, as module:Class; modules are found from the catalog file's directory and the current one."""
    schema_file: Given | None = None
    """A file with a JSON Schema, from the catalog file's directory."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.class_ is None) == (self.schema_file is None):
            raise ValueError('say either `class = "module:Class"` or `schema_file = "answer.json"`')
        return self


class DeclaredSink(Part):
    """Where answers go: a table, a file, or a callback for each row."""

    path: Given | None = None
    """A file, from the catalog file's directory: .parquet, .jsonl or .csv."""
    table: Given | None = None
    """A table, upserted by key; `schema.table` where it isn't in the default schema."""
    url: Given | None = None
    """The table's database, as SQLAlchemy names it."""
    url_variable: Given | None = None
    """The environment variable that has the URL, with its password."""
    task: Given | None = None
    """A Celery task that gets each row's outcome."""
    queue: Given | None = None
    """The queue that the task's workers listen on."""
    broker: Given | None = None
    """The task's broker, as the configuration names it; Overnight's own where nothing is said."""
    gone: Literal["keep", "mark", "delete"] = "keep"
    """Rows that are no longer in the source."""

    @property
    def kind(self) -> Literal["table", "file", "callback"]:
        """Which of the three."""
        return "file" if self.path is not None else "table" if self.table is not None else "callback"

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if [self.path, self.table, self.task].count(None) != 2:
            raise ValueError(
                "say one of `path` (a file), `table` (with `url` or `url_variable`) and `task` (a callback)"
            )
        if self.table is not None and (self.url is None) == (self.url_variable is None):
            raise ValueError("a `table` needs either `url` or `url_variable`: the database that it is in")
        if self.task is not None and self.queue is None:
            raise ValueError("a `task` needs the `queue` that its workers listen on")
        if self.path is not None and not self.path.endswith((".parquet", ".jsonl", ".csv")):
            raise ValueError("a file of answers is .parquet, .jsonl or .csv")
        return self


class DeclaredReport(Part):
    """Who gets the report of each run at its end, as its first argument."""

    task: Given
    """A Celery task."""
    queue: Given
    """The queue that the task's workers listen on."""
    broker: Given | None = None
    """The task's broker, as the configuration names it; Overnight's own where nothing is said."""


class Caps(Part):
    """The most that may be spent, in dollars."""

    max_cost: Dollars | None = None
    """A run: reserved before its first batch."""
    max_cost_a_night: Dollars | None = None
    """All runs of the catalog within 24 hours."""
    max_cost_a_row: Dollars | None = None
    """A row that may cost more is a problem, unsent."""


class Pilot(Part):
    """The rows that go ahead: a bad prompt is noticed when 200 rows are paid, and not 500,000."""

    rows: Annotated[int, Field(ge=0)] = 200
    """0: no pilot."""
    max_problems: Share = 0.05
    """The share of problems, by its interval, above which the run stops."""


class Valid(Part):
    """Publish when enough is valid."""

    valid: Share


class Catalog(Part):
    """A catalog: a table, what is asked about each of its rows, and where the answers go."""

    name: Annotated[str, Field(pattern=f"^{NAME.pattern}$")]
    """Its name; that of the file where nothing is said."""
    key: Annotated[Texts, Field(min_length=1)]
    """The columns that tell rows apart: never null, never twice."""
    model: Given
    """The model that is asked."""
    max_tokens: Annotated[int, Field(ge=1)]
    """How long an answer may get."""
    params: dict[str, object] = {}
    """More of what `client.messages.create` takes: thinking, stop_sequences."""
    betas: Texts = ()
    """Names for the anthropic-beta header."""
    lane: Given = "default"
    """The lane of the configuration that the rows go by."""
    source: DeclaredSource
    prompt: DeclaredPrompt
    prompts: dict[Annotated[str, Field(pattern=f"^{NAME.pattern}$")], DeclaredPrompt] = {}
    """Other prompts, for `overnight compare --prompts`: [prompts.shorter]. Runs use `prompt`."""
    output: DeclaredOutput | None = None
    sink: DeclaredSink | None = None
    variants: dict[Annotated[str, Field(pattern=f"^{NAME.pattern}$")], dict[str, str]] = {}
    """One row asked many times, such as in many languages: each variant with its own words, as {{ variant.word }}."""
    report: DeclaredReport | None = None
    """Who gets the report of each run."""
    caps: Caps = Caps()
    pilot: Pilot = Pilot()
    publish: Annotated[Literal["as_they_come", "complete"] | Valid, BeforeValidator(_publish)] = "complete"
    """When readers see answers: as they come, when the run is complete, or when a share of them is valid."""
    ask_above: Share = 0.2
    """A scheduled run that would send a larger share of the rows waits for `overnight runs approve`."""
    on_prompt_change: Literal["ask", "new_only", "all"] = "ask"
    """When prompt, model or schema changed: wait for approval; send new and changed rows only; send all."""
    schedule: Given | None = None
    """When it runs by itself, in cron's form: 0 22 * * *."""
    time_zone: Given | None = None
    """The zone of `schedule` and `finish_by`, such as Europe/Berlin."""
    finish_by: Annotated[str, Field(pattern=CLOCK)] | None = None
    """By when a scheduled run should be done: 06:00."""
    overlap: Literal["skip", "wait"] = "skip"
    """When the last run isn't done yet."""
    when_paused: Literal["drop", "queue"] = "drop"
    """What becomes of runs that fall into a pause."""

    _path: Path = PrivateAttr(default=Path())
    _text: str = PrivateAttr(default="")

    @property
    def path(self) -> Path:
        """The file that it was read from."""
        return self._path

    @property
    def text(self) -> str:
        """The text of the file."""
        return self._text

    @property
    def directory(self) -> Path:
        """What paths in the file begin from."""
        return self._path.parent

    def read_from(self, path: Path, text: str) -> Self:
        """The same, which knows its file."""
        self._path, self._text = path, text
        return self

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.schedule is not None and self.time_zone is None:
            raise ValueError("`schedule` needs `time_zone`, such as Europe/Berlin: in which its hours are meant")
        if self.finish_by is not None and self.schedule is None:
            raise ValueError("`finish_by` needs `schedule`")
        return self


def schema() -> dict[str, object]:
    """The JSON Schema of a catalog file, for editors. The name is optional there: the file has one."""
    document = Catalog.model_json_schema(by_alias=True)
    document["required"] = [name for name in document["required"] if name != "name"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | document | {"title": "An Overnight catalog"}
