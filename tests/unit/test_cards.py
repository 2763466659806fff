"""Tables of Flower's pages on narrow screens: what each cell says of its column."""

from __future__ import annotations

from overnight_workers.flower_tab.cards import labelled

PAGE = """<p>Lanes</p><table>
<thead><tr><th scope="col">Lane</th><th scope="col" class="n">in <b>batches</b></th>
<th scope="col">"Why"</th></tr></thead>
<tbody><tr data-row="a"><th scope="row"><a href="/items">a</a></th><td class="n">7</td><td>a prompt &amp; more</td></tr>
<tr><th scope="row">b</th><td class="n">\N{EN DASH}</td><td> </td></tr>
<tr><th scope="row">c</th><td colspan="2">paused</td></tr></tbody></table>"""


def test_each_cell_says_its_column_and_whether_it_is_blank() -> None:
    page = labelled(PAGE)
    assert '<td class="n" data-label="in batches" role="cell">7</td>' in page
    assert '<td data-label="&quot;Why&quot;" role="cell">a prompt &amp; more</td>' in page
    assert '<td class="n" data-label="in batches" data-blank role="cell">' in page
    assert '<td data-label="&quot;Why&quot;" data-blank role="cell"> </td>' in page
    assert '<td colspan="2" data-label="in batches" role="cell">paused</td>' in page


def test_a_card_is_still_a_table_to_those_who_hear_it() -> None:
    page = labelled(PAGE)
    assert page.count('role="row"') == 4
    assert page.count('role="columnheader"') == page.count('role="rowheader"') == 3
    assert page.startswith("<p>Lanes</p><table role=")


def test_a_box_to_tick_is_not_blank() -> None:
    page = labelled('<table><thead><tr></tr></thead><tbody><tr><td><input type="checkbox"></td></tr></tbody></table>')
    assert "data-blank" not in page
