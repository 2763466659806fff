"""What a template makes of a row: columns by any name, nulls, JSON, images, long texts, variants."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from overnight_workers.catalogs import bounds, cells
from overnight_workers.catalogs.faults import BadRow
from overnight_workers.catalogs.prompt import BadTemplate, Text
from overnight_workers.catalogs.texts import Null
from tests.catalogs.recipes import content, recipe

METHODS = ("items", "keys", "values", "get", "pop", "copy", "update", "clear", "class", "self", "cells", "dict", "row")
PNG = b"\x89PNG\r\n\x1a\n and more"


@pytest.mark.parametrize("name", METHODS)
def test_a_column_named_like_a_method_is_a_column(name: str) -> None:
    by_dot = Text(f"{{{{ row.{name} }}}} {{{{ row['{name}'] }}}}")
    assert by_dot.columns == {name: 1}
    assert by_dot.render({name: "cell"}, {}) == "cell cell"
    if name != "row":
        plain = Text(f"{{{{ {name} }}}}")
        assert plain.columns == {name: 1}
        assert plain.render({name: "cell"}, {}) == "cell"


@pytest.mark.parametrize("value", ["1,299", "none yet", "", Null("price")])
@pytest.mark.parametrize("name", ["int", "float"])
def test_what_is_no_number_refuses_its_row_and_is_not_zero(name: str, value: object) -> None:
    with pytest.raises(BadRow, match=r"is null|is no number: .* \| (int|float)\(0\)"):
        Text(f"{{{{ price | {name} }}}}").render({"price": value}, {})
    assert Text(f"{{{{ price | {name}(7) }}}}").render({"price": value}, {}) == "7"


def test_numbers_are_read_and_a_cut_is_as_long_as_said() -> None:
    text = Text("{{ a | int }} {{ a | float }} {{ b | int }} {{ c | truncate(10) }}")
    cells = {"a": " 12.7 ", "b": "12345678901234567890.9", "c": "x" * 15}
    assert text.render(cells, {}) == "12 12.7 12345678901234567890 xxxxxxx..."


_TWICE = "{% for a in range(90000) %}{% for b in range(90000) %}{{ b }}{% endfor %}{% endfor %}"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (_TWICE, "more than 100,000 steps"),
        (_TWICE.replace("%}{{", "if false %}{{"), "more than 100,000 steps"),
        ("{% macro twice() %}{{ twice() }}{{ twice() }}{% endmacro %}{{ twice() }}", "steps|RecursionError"),
        ("{% for a in [1, 2] recursive %}{{ loop([1, 2]) }}{{ loop([3]) }}{% endfor %}", "steps|RecursionError"),
        ("{{ 10 ** (10 ** 10) }}", "more than 1,000,000 bits"),
        ("{{ name * 10 ** 10 }}", "more than 32,000,000 characters"),
        ("{% set n = namespace(t=name) %}{% for a in range(99) %}{% set n.t = n.t + n.t %}{% endfor %}", "characters"),
        ("{% set n = namespace(t=name) %}{% for a in range(99) %}{% set n.t = n.t ~ n.t %}{% endfor %}", "characters"),
        ("{% for a in range(9999) %}{{ name * 9999 }}{% endfor %}", "more than 32,000,000 characters"),
    ],
)
def test_a_template_that_would_not_end_refuses_its_row(template: str, said: str) -> None:
    with pytest.raises(BadRow, match=said):
        Text(template).render({"name": "x"}, {})


def test_a_rendering_that_takes_too_long_refuses_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "LONGEST_S", 0.0)
    with pytest.raises(BadRow, match="takes more than 0 s for this row"):
        Text("{% for a in range(100) %}{{ a }}{% endfor %}").render({}, {})


@pytest.mark.parametrize(
    "template",
    [
        '{{ "%2000d" | format(1) }}',
        '{{ "%*d" | format(2000, 1) }}',
        '{{ "%.2000f" % 1.5 }}',
        '{{ "%(a)s%(a)s%(a)s" % {"a": "x" * 500} }}',
        '{{ "{:2000}".format(name) }}',
        '{{ "{:{w}}".format(name, w=2000) }}',
        '{{ "{a:.2000f}".format_map({"a": 1.5}) }}',
        '{{ ("{:900}" * 2).format(1, 2) }}',
        "{{ (name | e).center(2000) }}",
        "{{ name | center(2000) }}",
        "{{ [name] | map('center', 2000) | join }}",
        "{{ name | attr('center')(2000) }}",
        "{{ name.ljust(2000) }}",
        "{{ name.zfill(2000) }}",
        "{{ '\\t'.expandtabs(2000) }}",
        "{{ ('x' * 100).replace('', 'y' * 100) }}",
        "{{ ('x' * 100) | replace('x', 'y' * 100) }}",
        "{{ ('x' * 100).join('y' * 100) }}",
        "{{ (['x' * 100] * 20) | join }}",
        "{{ 'xxx'.translate({120: 'y' * 900}) }}",
        "{{ (1).to_bytes(2000) }}",
        "{{ name.encode() * 2000 }}",
        "{{ name | indent(2000, true) }}",
        "{{ [1] | batch(2000, 0) | list }}",
        "{{ [1] | slice(2000) | list }}",
        "{{ ('x ' * 100) | wordwrap(1, wrapstring='y' * 100) }}",
        "{{ [1] | tojson(indent=2000) }}",
        "{% set a = [0] * 50 %}{% set b = a.extend(a) %}{% set b = a.extend(a) %}{{ a }}",
        "{% set n = namespace(a=[1]) %}{% for i in range(9) %}{% set n.a = [n.a, n.a] %}{% endfor %}{{ n.a }}",
        "{{ ([[0] * 10] * 20) | sum(start=[]) }}",
    ],
)
def test_what_would_fill_the_memory_refuses_its_row(template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_CHARACTERS", 1_000)
    with pytest.raises(BadRow, match="more than 1,000 characters"):
        Text(template).render({"name": "x"}, {})


def test_a_number_with_more_places_than_any_prompt_needs_refuses_its_row() -> None:
    with pytest.raises(BadRow, match="more than 1,000,000 bits"):
        Text("{{ 1.5 | round(9999999, 'ceil') }}").render({}, {})
    with pytest.raises(BadRow, match="is no number"):
        Text("{{ price | int }}").render({"price": "1e9999"}, {})
    assert Text("{{ price | int }}").render({"price": "1e3"}, {}) == "1000"
    for declared, text in (("decimal", "1e9999"), ("json", "[1e9999]")):
        with pytest.raises(BadRow, match=f"is no {declared}"):
            cells.value_of("price", text, declared)


def test_what_formats_pads_and_joins_is_rendered_as_jinja_does() -> None:
    template = (
        '{{ "%5.1f|%-4s|%s" | format(2.25, name, name) }} {{ "%(a)s" % {"a": name} }}'
        ' {{ "{:>4}{a}".format(name, a=1) }}'
        ' {{ "{a:03d}".format_map({"a": 7}) }} {{ name | center(5) }}{{ name.rjust(3) }}'
        ' {{ ["b", "a"] | sort | join("+") }}'
        ' {{ [{"n": "c"}, {"n": "d"}] | join(", ", attribute="n") }} {{ name | replace("x", "y") }}'
        ' {{ [1, 2, 3] | batch(2, 0) | list }} {{ [1, 2] | sum }} {{ 2.345 | round(2) }} {{ ", ".join(["p", "q"]) }}'
        ' {{ "a b c" | wordwrap(1) | replace("\n", "/") }} {{ ("a\nb" | indent(2)) }} {{ 7 % 4 }}'
        ' {{ ("{}" | e).format("<") }}'
    )
    assert Text(template).render({"name": "x"}, {}) == (
        "  2.2|x   |x x    x1 007   x    x a+b c, d y [[1, 2], [3, 0]] 3 2.35 p, q a/b/c a\n  b 3 &lt;"
    )


def test_loops_macros_and_joined_texts_are_rendered_as_jinja_does() -> None:
    template = (
        "{% for a in items if a > 1 %}{{ loop.index }}/{{ loop.length }}{{ a ~ '-' ~ 2 }}{% else %}none{% endfor %}"
        "{% macro twice(x) %}{{ x * 2 }}{{ caller() if caller is defined }}{% endmacro %}"
        "{{ twice('ab') }}{% call twice(3) %}!{% endcall %}"
        "{% for a in [[1, [2]], [3]] recursive %}{{ loop(a) if a is iterable else a }}{% endfor %}"
        "{{ 2 ** 10 + 3 * 4 }}"
    )
    assert Text(template).render({"items": [1, 2, 3]}, {}) == "1/22-22/23-2abab6!1231036"


def test_a_prompt_is_the_same_text_every_night() -> None:
    for template in ("{{ name.upper }}", "{{ range }}", "{{ row.name.items }}", "{{ [name].append }}"):
        with pytest.raises(BadRow):
            Text(template).render({"name": "x"}, {})
    with pytest.raises(BadTemplate, match="random"):
        Text("{{ [1, 2] | random }}")


@pytest.mark.parametrize(
    "template",
    [
        "{{ city }}",
        "{{ city | upper }}",
        "{{ 'in ' ~ city }}",
        "{{ [city, city] | join(', ') }}",
        "{{ '%s' | format(city) }}",
        "{% for x in city %}{% endfor %}",
        "{{ row.city | trim }}",
    ],
)
def test_a_null_that_becomes_text_refuses_the_row_and_names_its_column(template: str) -> None:
    with pytest.raises(BadRow, match="city is null") as refused:
        Text(template).render({"city": Null("city")}, {})
    assert refused.value.column == "city"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ('{{ city or "unknown" }}', "unknown"),
        ('{{ city | default("unknown") }}', "unknown"),
        ("{% if city %}in {{ city }}{% endif %}", ""),
        ("{% if city is none %}nowhere{% endif %}", "nowhere"),
        ("{{ {'city': city} | tojson }}", '{"city": null}'),
    ],
)
def test_a_template_may_say_what_a_null_is(template: str, text: str) -> None:
    assert Text(template).render({"city": Null("city")}, {}) == text


def test_json_for_a_model_leaves_characters_and_digits_as_they_are(tmp_path: Path) -> None:
    made = recipe(
        tmp_path,
        "row = '''{{ {\"a\": price, \"b\": name, \"c\": tags} | tojson }} {{ price * 2 }}\n'''",
        source='types = {price = "decimal", tags = "json"}',
    )
    request = made.request({"price": "1.10", "name": "<&>'é", "tags": '{"items": [1.50]}'})
    assert content(request) == '{"a": 1.10, "b": "<&>\'é", "c": {"items": [1.50]}} 2.20\n'


def test_columns_are_those_that_the_template_uses() -> None:
    text = "{% set x = a %}{{ x }}{% for b in row.c %}{{ b }}{{ loop.index }}{% endfor %}{{ row['d e'] }}{{ range(3) }}"
    assert set(Text(text).columns) == {"a", "c", "d e"}


@pytest.mark.parametrize(
    ("template", "line", "why"),
    [
        ("x\n{{ row }}", 2, "followed by a name"),
        ("x\n\n{{ row[name] }}", 3, "followed by a name"),
        ("{% include 'x' %}", 1, "one file"),
        ("x\n{{ a", 2, "end of"),
        ("{% if %}", 1, "Expected"),
    ],
)
def test_a_template_that_can_not_be_used_says_its_line(template: str, line: int, why: str) -> None:
    with pytest.raises(BadTemplate, match=why) as refused:
        Text(template)
    assert refused.value.line == line


@pytest.mark.parametrize("template", ["{{ ''.__class__.__mro__ }}", "{{ a.__init__.__globals__ }}", "{{ cycler }}"])
def test_a_template_reaches_nothing_but_its_row(template: str) -> None:
    with pytest.raises((BadRow, BadTemplate)):
        Text(template).render({"a": "x"}, {})


def test_a_cell_that_is_not_of_its_type_is_that_rows_fault(tmp_path: Path) -> None:
    made = recipe(tmp_path, "row = '{{ price }}'", source='types = {price = "decimal"}')
    assert content(made.request({"price": "1.10"})) == "1.10"
    with pytest.raises(BadRow, match="price is 'n/a', which is no decimal"):
        made.request({"price": "n/a"})


def test_a_cell_that_the_prompt_does_not_use_changes_nothing(tmp_path: Path) -> None:
    made = recipe(tmp_path, "row = '{{ name }}'")
    assert made.columns == ("name",)
    sent = made.request({"name": "a", "stock": "1"}).sent_hash
    assert made.request({"name": "a", "stock": "2"}).sent_hash == sent
    assert made.request({"name": "b", "stock": "1"}).sent_hash != sent


def test_what_is_sent_has_another_hash_for_each_change(tmp_path: Path) -> None:
    def sent(prompt: str, before: str = "") -> bytes:
        return recipe(tmp_path, prompt, before=before).request({"name": "a"}).sent_hash

    (tmp_path / "a.json").write_text('{"type": "object", "properties": {"x": {"type": "string"}}}')
    (tmp_path / "b.json").write_text('{"type": "object", "properties": {"x": {"type": "string", "maxLength": 9}}}')
    hashes = [
        sent("row = '{{ name }}'"),
        sent("row = '{{ name }}!'"),
        sent("row = '{{ name }}'\nsystem = 'x'"),
        sent("row = '{{ name }}'", before="betas = 'x-2026-01-01'"),
        sent("row = '{{ name }}'", before="params = {stop_sequences = ['x']}"),
        sent("row = '{{ name }}'", before="[output]\nschema_file = 'a.json'"),
        sent("row = '{{ name }}'", before="[output]\nschema_file = 'b.json'"),
    ]
    assert len(set(hashes)) == len(hashes)
    assert sent("row = '{{ row.name }}'") == hashes[0], "the text is the same"


def test_a_row_is_asked_once_for_each_variant(tmp_path: Path) -> None:
    made = recipe(
        tmp_path,
        "row = '{{ name }}'\nsystem = 'Translate into {{ variant.language }}.'",
        before='[variants]\nde = {language = "German"}\nfr = {language = "French"}',
    )
    assert made.variants == ("de", "fr")
    requests = [made.request({"name": "chair"}, variant) for variant in made.variants]
    assert [request.params["system"] for request in requests] == ["Translate into German.", "Translate into French."]
    assert len({request.sent_hash for request in requests}) == 2


def test_images_and_pdfs_go_before_the_text(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(PNG)
    made = recipe(
        tmp_path,
        "row = '{{ name }}'\nimages = {photo = 'url', scan = {by = 'path', when_null = 'leave_out'}}"
        "\npdfs = {manual = 'file'}",
    )
    row = {"name": "chair", "photo": "https://a.example/x.png", "scan": "a.jpg", "manual": "file_011CN"}
    photo, scan, manual, text = content(made.request(row))
    assert photo == {"type": "image", "source": {"type": "url", "url": "https://a.example/x.png"}}
    assert scan["source"]["media_type"] == "image/png", "by its bytes, not by its name"
    assert manual == {"type": "document", "source": {"type": "file", "file_id": "file_011CN"}}
    assert text == {"type": "text", "text": "chair"}
    assert made.file_columns == ("scan",)
    assert len(content(made.request({**row, "scan": None}))) == 3


@pytest.mark.parametrize(
    ("column", "cell", "why"),
    [
        ("photo", None, "photo is null"),
        ("photo", "x.png", "no URL"),
        ("scan", "none.png", "can't be read"),
        ("scan", "text.png", "no PNG"),
        ("manual", "x", "no id"),
    ],
)
def test_an_image_that_can_not_be_sent_is_that_rows_fault(
    tmp_path: Path, column: str, cell: str | None, why: str
) -> None:
    (tmp_path / "text.png").write_text("a text")
    by = {"photo": "url", "scan": "path", "manual": "file"}[column]
    made = recipe(tmp_path, f"row = '{{{{ name }}}}'\nimages = {{{column} = '{by}'}}")
    with pytest.raises(BadRow, match=why) as refused:
        made.request({"name": "a", column: cell})
    assert refused.value.column == column


def test_a_long_prompt_is_refused(tmp_path: Path) -> None:
    made = recipe(tmp_path, "row = '{{ name }}'\nmax_input_tokens = 10")
    assert content(made.request({"name": "x" * 30})) == "x" * 30
    with pytest.raises(BadRow, match="about 11 tokens, and max_input_tokens is 10"):
        made.request({"name": "x" * 31})


def test_a_long_prompt_is_cut_in_the_column_that_may_be_cut(tmp_path: Path) -> None:
    made = recipe(
        tmp_path,
        "row = 'Name: {{ name }}. Text: {{ text }}. End'\nmax_input_tokens = 20\nwhen_longer = 'cut'"
        "\ncut_column = 'text'",
    )
    request = made.request({"name": "chair", "text": "é" * 100})
    before, cut, after = (block["text"] for block in content(request))
    assert (before, after) == ("Name: chair. Text: ", ". End")
    assert set(cut) == {"é"}
    assert 57 <= len((before + cut + after).encode()) <= 60
    assert request.cuttable == "messages.0.content.1.text", "the lane may cut more: it counts exactly"
    assert [block["text"] for block in content(made.request({"name": "a", "text": "b"}))][1] == "b"
    with pytest.raises(BadRow, match="without text"):
        made.request({"name": "x" * 100, "text": "b"})


def test_a_long_prompt_goes_to_the_other_model(tmp_path: Path) -> None:
    made = recipe(
        tmp_path,
        "row = '{{ name }}'\nmax_input_tokens = 10\nwhen_longer = 'model'\nlonger_model = 'claude-opus-5-5'",
    )
    assert made.request({"name": "x"}).params["model"] == "claude-haiku-5-5"
    assert made.request({"name": "x" * 40}).params["model"] == "claude-opus-5-5"


def test_a_template_is_compiled_once(tmp_path: Path) -> None:
    made = recipe(tmp_path, "row = '{% for x in [1, 2, 3] %}{{ name }}: {{ row.items or \"-\" }}{% endfor %}'")
    begun = time.process_time()
    for number in range(2_000):
        made.request({"name": str(number), "items": None})
    assert time.process_time() - begun < 1.0, "compiled each time it is 3 s"


def test_the_output_is_asked_for_and_hashed(tmp_path: Path) -> None:
    (tmp_path / "answer.json").write_text(json.dumps({"type": "object", "properties": {"x": {"type": "string"}}}))
    made = recipe(tmp_path, "row = '{{ name }}'", before="[output]\nschema_file = 'answer.json'")
    request = made.request({"name": "a"})
    assert isinstance(request.output, dict)
    assert "output_config" not in request.params, "the item adds it"
