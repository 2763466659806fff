"""Texts that the API, a model or a broker wrote, as everybody may see them: without what may be of a request.

An error may quote what it is about. So a text keeps plain words, names of fields and small numbers; what stands in
quotation marks, addresses, ids and words that no dictionary has become an ellipsis. A reader of bodies sees it whole.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from overnight_models.wire.judgement import REFUSED_WITHOUT_WORDS
from overnight_models.wire.outcome import Problem
from overnight_workers import redaction

_MOST_CHARACTERS: Final = 200
_HIDDEN: Final = "\N{HORIZONTAL ELLIPSIS}"
_QUOTED: Final = re.compile(r"\"[^\"]*\"?|(?<!\w)'[^']*'?(?!\w)|`[^`]*`?|“[^”]*”?|「[^」]*」?|«[^»]*»?")
_PLACE: Final = re.compile(r"(?<=^at )[^:]+(?=:)")
"""Where in an answer something is wrong: its names are the answer's."""
_PROPERTIES: Final = re.compile(r"(?<=properties are not allowed )\(.*\)")
_PLAIN: Final = re.compile(
    r"""
    [A-Za-z]{1,20}(?:['\u2019][a-z]{1,2})?        # a word
    | [A-Za-z]{1,20}(?:[-_/][A-Za-z]{1,20})+   # several in one: invalid_request_error, up-to-date
    | [A-Za-z]{1,20}Error                     # what Python calls an exception
    | -?\d{1,7}(?:[.,]\d{1,6})?[%s]?          # a number that names nobody
    | \d{1,3}(?:,\d{3}){1,4}                  # the same of messages or bytes: nobody writes an id like that
    | [a-z_]{1,40}(?:\.(?:[a-z_]{1,40}|\d{1,5})){1,8}   # a place in a request: messages.0.content
    | claude-[a-z0-9.-]{1,40}
    | (?:msgbatch|req)_\w{1,40}
    """,
    re.VERBOSE | re.ASCII,
)
_CATEGORY: Final = re.compile(r"[a-z][a-z_]{1,40}")
"""Of a refusal, as the API names it; without one its detail is nothing but the model's own words."""
_AROUND: Final = "()[]{}<>,.:;!?=…"
_QUOTES: Final = "'\"`"


def everybody(text: str | None, problem: str | None = None, names: Collection[str] = ()) -> str:
    """The text as everybody may see it, cut where it is long; empty where there is none.

    problem: the outcome's.
    names: those that stand beside the text anyway, such as the queue that it is about: they are no news to anybody.
    """
    said = plain_words(redaction.text(text or ""), problem, names)
    return said if len(said) <= _MOST_CHARACTERS else said[:_MOST_CHARACTERS] + _HIDDEN


def plain_words(text: str, problem: str | None = None, names: Collection[str] = ()) -> str:
    """The same, whole. Of a refusal only the category is there: the rest is the model's own words about a request."""
    if problem == Problem.REFUSED and text != REFUSED_WITHOUT_WORDS:
        category = text.partition(": ")[0]
        text = category if _CATEGORY.fullmatch(category) else ""
    text = _PROPERTIES.sub(f"({_HIDDEN})", _PLACE.sub(_HIDDEN, text))
    known = {name for name in names if name}
    text = _QUOTED.sub(lambda quoted: quoted[0] if quoted[0].strip(_QUOTES) in known else _HIDDEN, text)
    said = " ".join(token if token.strip(_AROUND + _QUOTES) in known else _word(token) for token in text.split())
    return re.sub(rf"{_HIDDEN}(?: {_HIDDEN})+", _HIDDEN, said)


def _word(token: str) -> str:
    bare = token.strip(_AROUND)
    if not bare:
        return token
    before, _, after = token.partition(bare)
    return token if _PLAIN.fullmatch(bare) else before + _HIDDEN + after
