#!/usr/bin/env bash
set -euo pipefail
# Behaviour: without maxOutputTokens the AI SDK sends max_tokens 128000 for claude-opus-5, 64000 for claude-haiku-4-5 and 128000 for a model that it has never heard of, and leaves a temperature out for the first and the last, with a warning.
# Expected: a few thousand tokens, and an error for an unknown model.
# Source: @ai-sdk/anthropic: its table of what models can do, and the warnings of the answer
# Here: models/overnight_models/request: max_tokens has no default, since money is kept for it before a request is sent

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit ai@6.0.326 @ai-sdk/anthropic@3.0.140 >/dev/null || exit 2
cat > seen.mjs <<'NODE'
import http from "node:http"
import { readFileSync } from "node:fs"
import { createAnthropic } from "@ai-sdk/anthropic"
import { generateText } from "ai"

globalThis.AI_SDK_LOG_WARNINGS = false
const answer = { id: "msg_1", type: "message", role: "assistant", model: "m", content: [{ type: "text", text: "Blue." }],
                 stop_reason: "end_turn", stop_sequence: null, usage: { input_tokens: 1, output_tokens: 1 } }
let sent
const server = http.createServer((request, response) => {
  const parts = []
  request.on("data", (part) => parts.push(part)).on("end", () => {
    sent = JSON.parse(Buffer.concat(parts).toString())
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer))
  })
})
await new Promise((ready) => server.listen(0, "127.0.0.1", ready))
for (const name of ["ai", "@ai-sdk/anthropic"])
  console.log(name, JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8")).version)
const anthropic = createAnthropic({ apiKey: "none", baseURL: `http://127.0.0.1:${server.address().port}/v1` })
const seen = []
for (const model of ["claude-opus-5", "claude-haiku-4-5", "claude-of-next-year"]) {
  const { warnings } = await generateText({ model: anthropic(model), prompt: "Which colour?", temperature: 0 })
  seen.push([sent.max_tokens, "temperature" in sent])
  console.log(`${model}: max_tokens ${sent.max_tokens}, temperature ${sent.temperature ?? "not sent"}`)
  for (const warning of warnings) console.log("    warning:", warning.details)
}
console.log("So what a request may cost at most is a hundred times what such an answer costs.")
const right = [[128000, false], [64000, true], [128000, false]]
process.exit(JSON.stringify(seen) === JSON.stringify(right) ? 0 : 1)
NODE
node seen.mjs
