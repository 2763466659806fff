#!/usr/bin/env bash
set -euo pipefail
# Behaviour: promtool check metrics finds nothing wrong with a histogram whose buckets fall and whose count isn't its last bucket, nor with a negative counter.
# Expected: an error: a rate and a quantile of such a page are wrong.
# Source: the help of promtool check metrics; it lints names, help texts and types
# Here: tests/stages/operators/test_metrics.py runs it on our page

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq prometheus=2.42.0+ds-5+deb12u1 >/dev/null 2>&1 || exit 2
dpkg-deb -x prometheus_*.deb . || exit 2
promtool=$folder/usr/bin/promtool
"$promtool" --version | head -n 1

cat > page <<'TEXT'
# HELP turnaround_seconds How long batches took.
# TYPE turnaround_seconds histogram
turnaround_seconds_bucket{le="60"} 5
turnaround_seconds_bucket{le="3600"} 3
turnaround_seconds_bucket{le="+Inf"} 4
turnaround_seconds_sum 10
turnaround_seconds_count 9
# HELP items_total Items.
# TYPE items_total counter
items_total -3
TEXT
cat page
code=0
"$promtool" check metrics < page > output 2>&1 || code=$?
echo "exit code $code, words: $(wc -w < output)"
name=0
sed 's/items_total/items/' page | "$promtool" check metrics > output 2>&1 || name=$?
echo "the same page with the counter named items: exit code $name: $(cat output)"
echo "So a page that promtool passes may still count wrongly: its names are right, no more."
test "$code $name" = "0 3"
