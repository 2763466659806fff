#!/usr/bin/env bash
set -euo pipefail
# Behaviour: OpenTelemetry's baggage in Python writes a space as + and reads + as a space; Node's writes %20 and reads + as +, so "red shoes" arrives there as "red+shoes", and "C+D" from elsewhere arrives in Python as "C D".
# Expected: percent encoding, where a plus is a plus.
# Source: W3C Baggage, value; opentelemetry/baggage/propagation uses quote_plus and unquote_plus
# Here: workers/overnight_workers/telemetry/tracing.py: only traceparent and tracestate are passed on

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit @opentelemetry/api@1.9.0 @opentelemetry/core@2.2.0 >/dev/null || exit 2
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check opentelemetry-api==1.45.1 || exit 2
cat > seen.mjs <<'NODE'
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { defaultTextMapGetter, defaultTextMapSetter, propagation, ROOT_CONTEXT } from "@opentelemetry/api"
import { W3CBaggagePropagator } from "@opentelemetry/core"

const python = (code, argument) => execFileSync("venv/bin/python", ["-c", `
import sys
from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator
${code}`, argument], { encoding: "utf8" }).trimEnd()
const write = (text) => python('carrier = {}; W3CBaggagePropagator().inject(carrier, baggage.set_baggage("category", sys.argv[1])); print(carrier["baggage"])', text)
const read = (header) => python('print(baggage.get_baggage("category", W3CBaggagePropagator().extract({"baggage": sys.argv[1]})))', header)
const node = new W3CBaggagePropagator()
const nodeReads = (header) => propagation.getBaggage(node.extract(ROOT_CONTEXT, { baggage: header }, defaultTextMapGetter)).getEntry("category").value
const nodeWrites = (text) => {
  const carrier = {}
  node.inject(propagation.setBaggage(ROOT_CONTEXT, propagation.createBaggage({ category: { value: text } })), carrier, defaultTextMapSetter)
  return carrier.baggage
}
console.log("@opentelemetry/core", JSON.parse(readFileSync("node_modules/@opentelemetry/core/package.json", "utf8")).version)
const header = write("red shoes")
console.log(`Python writes "red shoes" as ${header}; Node reads "${nodeReads(header)}"`)
console.log(`Node writes "red shoes" as ${nodeWrites("red shoes")}; Python reads "${read(nodeWrites("red shoes"))}"`)
console.log(`category=C+D is read by Node as "${nodeReads("category=C+D")}", by Python as "${read("category=C+D")}"`)
console.log("So a team's name in the baggage is two names, by the language that it went through.")
process.exit(nodeReads(header) === "red+shoes" && read(nodeWrites("red shoes")) === "red shoes" && read("category=C+D") === "C D" ? 0 : 1)
NODE
node seen.mjs
