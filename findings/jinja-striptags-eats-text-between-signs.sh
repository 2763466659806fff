#!/usr/bin/env bash
set -euo pipefail
# Behaviour: Jinja's striptags removes whatever stands between a less-than and the next greater-than sign, so that plain text loses words.
# Expected: only tags go, since a tag begins with a letter, as browsers and html.parser have it.
# Source: markupsafe: Markup.striptags
# Here: workers/docs/catalogs.md: prompts are templates over cells that come from pages and people

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jinja2==3.1.6 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from html.parser import HTMLParser
from importlib.metadata import version

import jinja2

print(f"jinja2 {version('jinja2')}, markupsafe {version('markupsafe')}")


class Text(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.words = ""
        self.feed(page)
        self.close()

    def handle_data(self, data: str) -> None:
        self.words += data


cell = "Fits rods < 5 mm and tubes > 3 mm, <b>steel</b>"
template = jinja2.Environment().from_string("{{ cell|striptags }}")
seen = {"striptags": template.render(cell=cell), "html.parser": Text(cell).words}
print(f"cell: {cell}")
for name, text in seen.items():
    print(f"{name}: {text}")
print("So a description is cut in its middle before the model sees it, and reads well.")
sys.exit(0 if seen == {"striptags": "Fits rods 3 mm, steel", "html.parser": "Fits rods < 5 mm and tubes > 3 mm, steel"} else 1)
PYTHON
