#!/usr/bin/env bash
set -euo pipefail
# Behaviour: z.toJSONSchema of z.number().int() has minimum and maximum of plus and minus 2^53 - 1, and a field with a default is required.
# Expected: {"type": "integer"}, and a field that may be left out.
# Source: zod's documentation, JSON Schema: io is output unless input is asked for; its safe integers
# Here: workers/overnight_workers/stages/output_schema.py: a schema is the product's own, as it sent it

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit zod@4.6.7 >/dev/null || exit 2
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jsonschema==4.26.0 || exit 2
cat > seen.mjs <<'NODE'
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { z } from "zod"

console.log("zod", JSON.parse(readFileSync("node_modules/zod/package.json", "utf8")).version)
const schema = z.toJSONSchema(z.object({ id: z.number().int(), note: z.string().default("") }))
console.log(JSON.stringify(schema))
const check = `
import json, sys
import jsonschema
schema = json.loads(sys.argv[1])
for row in ('{"id": 1, "note": ""}', '{"id": 1}', '{"id": 1152921504606846976, "note": ""}'):
    errors = [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(json.loads(row))]
    print(row, "->", errors or "valid")
`
const output = execFileSync("venv/bin/python", ["-c", check, JSON.stringify(schema)], { encoding: "utf8" })
console.log("Python's jsonschema by that schema:")
console.log(output.trimEnd())
console.log("So a service in another language refuses ids that are right, and rows without what has a default.")
const { minimum, maximum } = schema.properties.id
process.exit(maximum === 2 ** 53 - 1 && minimum === -maximum && schema.required.includes("note") && output.match(/-> \[/g)?.length === 2 ? 0 : 1)
NODE
node seen.mjs
