"""Templates: Flower's own, with ours laid over them and one tab more in the navigation."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tornado import template

_OURS: Final = Path(__file__).parent / "html"
_FIRST_TAB: Final = '<ul class="app-nav navbar-nav">'
_TAB: Final = """
        <li class="nav-item">
          <a class="nav-link{% if active_tab == 'overnight' %} active{% end %}"
            href="{{ reverse_url('now') }}"
            {% if active_tab == 'overnight' %}aria-current="page"{% end %}>Overnight</a>
        </li>"""


_SECONDARY: Final = 'class="broker-secondary-column"'
_READY: Final = "format_value(queue.get('messages_ready')) %}</td>"
_CONSUMERS: Final = "format_value(queue.get('consumers')) %}</td>"
_MESSAGES: Final = "format_value(queue.get('messages')) %}</td>"
_CHANGES: Final = {
    "navbar.html": ((_FIRST_TAB, _FIRST_TAB + _TAB),),
    # on narrow screens Flower hides the only number that Redis has of a queue, and shows two that it hasn't
    "broker.html": (
        (f"<th {_SECONDARY}>Messages</th>", "<th>Messages</th>"),
        (f"<td {_SECONDARY}>{{% raw {_MESSAGES}", f"<td>{{% raw {_MESSAGES}"),
        ("<th>Ready</th>", f"<th {_SECONDARY}>Ready</th>"),
        ("<th>Consumers</th>", f"<th {_SECONDARY}>Consumers</th>"),
        (f"<td>{{% raw {_READY}", f"<td {_SECONDARY}>{{% raw {_READY}"),
        (f"<td>{{% raw {_CONSUMERS}", f"<td {_SECONDARY}>{{% raw {_CONSUMERS}"),
    ),
}
"""What is changed in Flower's own. Should its markup change, the change is lost and the page is not."""


class OverlayLoader(template.Loader):
    """Finds a template among ours first, then among Flower's."""

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        """A template's name is its file's, whoever includes it."""
        return name

    def _create_template(self, name: str) -> template.Template:
        ours = _OURS / name
        source = (ours if ours.exists() else Path(self.root) / name).read_text(encoding="utf-8")
        for theirs, changed in _CHANGES.get(name, ()):
            source = source.replace(theirs, changed, 1)
        return template.Template(source, name=name, loader=self)
