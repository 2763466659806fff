"""How a value becomes text in a prompt: a list is JSON everywhere, and what isn't there refuses its row."""

from __future__ import annotations

from pathlib import Path

import pytest

from overnight_workers.catalogs.faults import BadRow
from tests.catalogs.recipes import content, recipe

NAMES = "tags | map(attribute='name') | list"


@pytest.mark.parametrize(
    "template",
    [
        f"{{{{ '' ~ {NAMES} }}}}",
        f"{{{{ {NAMES} | string }}}}",
        f"{{{{ {NAMES} | upper | lower }}}}",
        f"{{{{ 'a' | replace('a', {NAMES}) }}}}",
        f"{{{{ [{NAMES}] | join }}}}",
        f"{{{{ '%s' | format({NAMES}) }}}}",
        f"{{{{ '%s' % ({NAMES},) }}}}",
        f"{{{{ '%(a)s' % {{'a': {NAMES}}} }}}}",
        f"{{{{ '{{}}'.format({NAMES}) }}}}",
        f"{{{{ '{{!r}}'.format({NAMES}) }}}}",
    ],
)
def test_a_list_is_json_wherever_it_becomes_text_and_has_no_holes(template: str, tmp_path: Path) -> None:
    made = recipe(tmp_path, f"row = '''{template}'''", source='types = {tags = "json"}')
    written = content(made.request({"tags": '[{"name": "x"}, {"name": 1.10}, {"name": null}]'}))
    assert written == '["x", 1.10, null]'
    with pytest.raises(BadRow, match="has no attribute 'name'"):
        made.request({"tags": '[{"name": "x"}, {}]'})


@pytest.mark.parametrize("template", ["{{ [tags[0]] | join }}", "{{ '' ~ tags[0] }}", "{{ tags[0] | upper }}"])
def test_a_null_within_a_cell_refuses_the_row_too(template: str, tmp_path: Path) -> None:
    made = recipe(tmp_path, f"row = '''{template}'''", source='types = {tags = "json"}')
    with pytest.raises(BadRow, match="say what to write then"):
        made.request({"tags": "[null]"})


def test_a_cell_that_is_nested_too_deeply_is_that_rows_fault(tmp_path: Path) -> None:
    made = recipe(tmp_path, "row = '{{ tags }}'", source='types = {tags = "json"}')
    with pytest.raises(BadRow, match="which is no json"):
        made.request({"tags": "[" * 20_000 + "]" * 20_000})
