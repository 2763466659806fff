#!/usr/bin/env bash
set -euo pipefail
# Behaviour: promtool test rules ends with success when a test names an alert that no rule has and expects none, and when rule_files match no file.
# Expected: an error: there is no such alert, there is no such file.
# Source: Prometheus' documentation: unit testing for rules; a missing file is a warning on stderr since patterns are allowed
# Here: the test of alerts.yaml: each alert is also expected to be on once, by its name in the file

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq prometheus=2.42.0+ds-5+deb12u1 >/dev/null 2>&1 || exit 2
dpkg-deb -x prometheus_*.deb . || exit 2
promtool=$folder/usr/bin/promtool
"$promtool" --version | head -n 1

cat > rules.yaml <<'YAML'
groups:
  - name: batches
    rules:
      - {alert: BatchOverdue, expr: overdue > 0}
YAML
test_of() {  # an alert, a rule file
    cat <<YAML
rule_files: ["$2"]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series: [{series: overdue, values: "1x20"}]
    alert_rule_test: [{eval_time: 10m, alertname: $1, exp_alerts: []}]
YAML
}
run() {
    test_of "$1" "$2" > test.yaml
    code=0
    "$promtool" test rules test.yaml > output 2>&1 || code=$?
    echo "alert $1 of $2, expected never to be on: exit code $code"
    sed 's/^/    /' output
}
run BatchOverdue rules.yaml; right=$code
run BatchOverdu rules.yaml; misspelt=$code
run BatchOverdue "no-such-*.yaml"; missing=$code
echo "So a test that an alert stays off says nothing once the alert or its file has another name."
test "$right $misspelt $missing" = "1 0 0"
