#!/usr/bin/env bash
set -euo pipefail
# Behaviour: jsonrepair of npm makes numbers of cut ones: {"price": - becomes -0, {"price": 12. becomes 12.0, {"price": 1e becomes 1e0; and a cut true becomes the text "tru".
# Expected: an error or a missing value: the rest of the number isn't known.
# Source: jsonrepair's README: truncated JSON is completed
# Here: workers/overnight_workers/stages/collect/results.py: an answer that was cut isn't repaired

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit jsonrepair@3.15.0 >/dev/null || exit 2
cat > seen.mjs <<'NODE'
import { readFileSync } from "node:fs"
import { jsonrepair } from "jsonrepair"

console.log("jsonrepair", JSON.parse(readFileSync("node_modules/jsonrepair/package.json", "utf8")).version)
const seen = []
for (const cut of ['{"price": -', '{"price": 12.', '{"price": 1e', '{"sold": tru']) {
  const value = Object.values(JSON.parse(jsonrepair(cut)))[0]
  seen.push(Object.is(value, -0) ? "-0" : value)
  console.log(`${cut}  ->  ${jsonrepair(cut)}`)
}
console.log("So an answer that ended at max_tokens brings a price that nobody has said.")
process.exit(JSON.stringify(seen) === '["-0",12,1,"tru"]' ? 0 : 1)
NODE
node seen.mjs
