#!/usr/bin/env bash
set -euo pipefail
# Behaviour: override_settings(SECRET_KEY=…) works inside, and raises ImproperlyConfigured when it ends, where no secret key was configured before.
# Expected: the settings are put back as they were: no key before, no key after, and no error, as for each other setting.
# Source: django/test/utils.py: override_settings.disable tells receivers the old value, and reading an empty SECRET_KEY is an error
# Here: producers/README.md, Django: a product's settings have a key before a test changes it

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check django==5.2.19 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import sys

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

settings.configure()
print(f"django {django.__version__}")
with override_settings(DEFAULT_FROM_EMAIL="shop@example.com", CSRF_COOKIE_NAME="c"):
    print(f"another setting, inside: {settings.DEFAULT_FROM_EMAIL}")
print(f"another setting, after: {settings.DEFAULT_FROM_EMAIL}")
inside = after = ""
try:
    with override_settings(SECRET_KEY="for a test"):
        inside = settings.SECRET_KEY
        print(f"SECRET_KEY, inside: {inside}")
except ImproperlyConfigured as error:
    after = str(error)
print(f"SECRET_KEY, after: {after or 'as before'}")
print("So a test that needs a key for one block has to have one outside of it too.")
sys.exit(0 if inside == "for a test" and "SECRET_KEY" in after else 1)
PYTHON
