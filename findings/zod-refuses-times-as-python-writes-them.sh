#!/usr/bin/env bash
set -euo pipefail
# Behaviour: z.iso.datetime() refuses 2026-12-01T00:00:00+00:00, which is what isoformat() of Python writes for a time in UTC, and takes only a Z; offset: true takes both.
# Expected: taken: it is ISO 8601 and RFC 3339, and the same instant as with a Z.
# Source: zod's documentation: ISO datetimes, no offsets by default
# Here: models/overnight_models/wire/webhook.py: times of webhooks end in Z

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit zod@4.6.7 >/dev/null || exit 2
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pydantic==2.14.4 || exit 2
cat > seen.mjs <<'NODE'
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { z } from "zod"

console.log("zod", JSON.parse(readFileSync("node_modules/zod/package.json", "utf8")).version)
const write = `
import datetime as dt, pydantic
at = dt.datetime(2026, 12, 1, tzinfo=dt.timezone.utc)
print(at.isoformat(), pydantic.TypeAdapter(dt.datetime).dump_json(at).decode().strip('"'), sep="\\n")
`
const [python, pydantic] = execFileSync("venv/bin/python", ["-c", write], { encoding: "utf8" }).trim().split("\n")
const seen = []
for (const [who, text] of [["isoformat() of Python", python], ["pydantic", pydantic]]) {
  const strict = z.iso.datetime().safeParse(text).success
  const offset = z.iso.datetime({ offset: true }).safeParse(text).success
  seen.push(strict, offset)
  console.log(`${who} writes ${text}: z.iso.datetime() ${strict}, with offset: true ${offset}`)
}
console.log("So a product in TypeScript refuses each time of a service in Python, until one of both is told.")
process.exit(JSON.stringify(seen) === "[false,true,true,true]" ? 0 : 1)
NODE
node seen.mjs
