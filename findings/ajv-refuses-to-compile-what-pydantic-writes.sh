#!/usr/bin/env bash
set -euo pipefail
# Behaviour: the class that ajv exports by default throws for the JSON Schemas of pydantic: unknown format "date-time", unknown keywords "discriminator" and "prefixItems"; its class for draft 2020-12 still throws for the first two.
# Expected: unknown formats and keywords are passed over, as the standard says, and as Python's validators do.
# Source: ajv's documentation: strict mode; formats are in the package ajv-formats; JSON Schema, core, 4.3.1
# Here: workers/overnight_workers/stages/output_schema.py: answers are checked by jsonschema-rs

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit ajv@8.20.0 >/dev/null || exit 2
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pydantic==2.14.4 || exit 2
cat > seen.mjs <<'NODE'
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import Ajv from "ajv"
import Ajv2020 from "ajv/dist/2020.js"

console.log("ajv", JSON.parse(readFileSync("node_modules/ajv/package.json", "utf8")).version)
const write = `
import datetime as dt, json
from typing import Annotated, Literal, Union
import pydantic

class Found(pydantic.BaseModel):
    kind: Literal["found"]

class Missing(pydantic.BaseModel):
    kind: Literal["missing"]

kinds = {
    "a time": dt.datetime,
    "a union told apart by a field": Annotated[Union[Found, Missing], pydantic.Field(discriminator="kind")],
    "a pair": tuple[str, int],
    "an integer": int,
}
print(json.dumps({name: pydantic.TypeAdapter(kind).json_schema() for name, kind in kinds.items()}))
`
const schemas = JSON.parse(execFileSync("venv/bin/python", ["-c", write], { encoding: "utf8" }))
const seen = {}
for (const [name, schema] of Object.entries(schemas)) {
  seen[name] = [Ajv, Ajv2020].map((Class) => {
    try {
      new Class().compile(schema)
      return "compiled"
    } catch (error) {
      return error.message
    }
  })
  console.log(`${name}: ${seen[name][0]}; draft 2020-12: ${seen[name][1]}`)
}
console.log("So a schema that goes from a service in Python to one in Node isn't read there before ajv is told what to leave out.")
const thrown = Object.values(seen).map((both) => both.map((result) => result !== "compiled"))
process.exit(JSON.stringify(thrown) === "[[true,true],[true,true],[true,false],[false,false]]" ? 0 : 1)
NODE
node seen.mjs
