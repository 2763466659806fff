"""Templates: Flower's own, with ours laid over them and one tab more in the navigation."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tornado import template

_OURS: Final = Path(__file__).parent / "html"
_FIRST_TAB: Final = '<ul class="app-nav navbar-nav">'
_TAB: Final = """
        <li class="nav-item">
          <a class="nav-link{% if active_tab == 'batches' %} active{% end %}"
            href="{{ reverse_url('batches') }}"
            {% if active_tab == 'batches' %}aria-current="page"{% end %}>Batches</a>
        </li>"""


class OverlayLoader(template.Loader):
    """Finds a template among ours first, then among Flower's."""

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        """A template's name is its file's, whoever includes it."""
        return name

    def _create_template(self, name: str) -> template.Template:
        ours = _OURS / name
        source = (ours if ours.exists() else Path(self.root) / name).read_text(encoding="utf-8")
        if name == "navbar.html":
            # should Flower change its markup, the tab is lost and the page is not
            source = source.replace(_FIRST_TAB, _FIRST_TAB + _TAB, 1)
        return template.Template(source, name=name, loader=self)
