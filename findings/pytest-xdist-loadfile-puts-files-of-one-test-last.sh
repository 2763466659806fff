#!/usr/bin/env bash
set -euo pipefail
# Behaviour: pytest-xdist's --dist loadfile starts the files with most tests first, whatever their order: one long test in a file of its own begins last.
# Expected: files start in the order of collection, which a project can arrange so that long ones begin first.
# Source: pytest-xdist's changelog 3.7: --loadscope-reorder is the default; --no-loadscope-reorder keeps the order
# Here: Makefile: tests are run with --no-loadscope-reorder, long files first

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pytest==9.1.1 pytest-xdist==3.8.0 || exit 2

mkdir "$folder/tests"
cd "$folder/tests"
cat > test_a_long_one.py <<'PYTHON'
import time


def test_long():
    time.sleep(1.5)
PYTHON
for file in b c d e; do
    for number in $(seq 12); do
        printf 'import time\n\n\ndef test_%s():\n    time.sleep(0.05)\n' "$number"
    done > "test_$file.py"
done
"$folder/venv/bin/pytest" --version
"$folder/venv/bin/pip" list --disable-pip-version-check 2>/dev/null | grep xdist
run() { "$folder/venv/bin/pytest" -p no:cacheprovider -n 2 --dist loadfile -v "$@" 2>/dev/null | grep -E "PASSED|passed"; }
run > default
run --no-loadscope-reorder > ordered
place() { grep -E PASSED "$1" | grep -n test_long | cut -d: -f1; }
echo "with the default the long test, first in its folder, is number $(place default) of $(grep -c PASSED default): $(tail -n 1 default)"
echo "with --no-loadscope-reorder it is number $(place ordered): $(tail -n 1 ordered)"
echo "So a suite waits at its end for one worker, and sorting the tests by hand changes nothing without the option."
[ "$(place default)" = 49 ] && [ "$(place ordered)" -lt 49 ]
