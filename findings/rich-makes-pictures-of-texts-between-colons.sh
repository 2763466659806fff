#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a cell of a rich table, or a line that is printed, shows a text between colons as an emoji where it is one's name: the key sku:100:blue is shown as sku💯blue.
# Expected: texts come out as they went in, at least those without square brackets, which one knows to be markup.
# Source: rich/console.py: render_str replaces emoji codes unless emoji=False; rich's documentation: Console Markup, Emoji
# Here: workers/overnight_workers/cli/console.py: every Console has emoji=False

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check rich==15.0.0 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import io, sys
from importlib.metadata import version

from rich.console import Console
from rich.table import Table
from rich.text import Text


def printed(cell, **options) -> str:
    out = io.StringIO()
    table = Table(box=None, show_header=False)
    table.add_row(cell)
    Console(file=out, width=60).print(table, **options)
    return out.getvalue().strip()


key = "sku:100:blue"
seen = {"as a str": printed(key), "as a str, printed with markup=False": printed(key, markup=False), "as Text": printed(Text(key))}
print(f"rich {version('rich')}, a key in a table: {key}")
for how, text in seen.items():
    print(f"{how}: {text}")
out = io.StringIO()
Console(file=out, width=60).print(key, markup=False)
print(f"a line, printed with markup=False: {out.getvalue().strip()}")
plain = io.StringIO()
Console(file=plain, width=60, emoji=False).print(key)
print(f"a line of Console(emoji=False): {plain.getvalue().strip()}")
print("So a key that is copied from the screen isn't the key; markup=False doesn't help, emoji=False of the Console does.")
sys.exit(0 if list(seen.values()) == ["sku💯blue", "sku💯blue", key] and [out.getvalue().strip(), plain.getvalue().strip()] == ["sku💯blue", key] else 1)
PYTHON
