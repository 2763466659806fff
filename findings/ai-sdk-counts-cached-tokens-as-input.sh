#!/usr/bin/env bash
set -euo pipefail
# Behaviour: usage.inputTokens of the AI SDK is the sum of the API's input_tokens and both kinds of cached tokens: 1110 for an answer that says 10, and the price of the 10 is a hundred times smaller.
# Expected: the number of the same name in the API's answer.
# Source: @ai-sdk/anthropic: its conversion of usage; inputTokenDetails has the parts
# Here: models/overnight_models/money: four kinds of tokens, each with its own price

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit ai@6.0.326 @ai-sdk/anthropic@3.0.140 >/dev/null || exit 2
cat > seen.mjs <<'NODE'
import http from "node:http"
import { readFileSync } from "node:fs"
import { createAnthropic } from "@ai-sdk/anthropic"
import { generateText } from "ai"

const usage = { input_tokens: 10, output_tokens: 5, cache_creation_input_tokens: 100, cache_read_input_tokens: 1000 }
const answer = { id: "msg_1", type: "message", role: "assistant", model: "claude-opus-5",
                 content: [{ type: "text", text: "Blue." }], stop_reason: "end_turn", stop_sequence: null, usage }
const server = http.createServer((request, response) => {
  request.resume().on("end", () => response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer)))
})
await new Promise((ready) => server.listen(0, "127.0.0.1", ready))
for (const name of ["ai", "@ai-sdk/anthropic"])
  console.log(name, JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8")).version)
const anthropic = createAnthropic({ apiKey: "none", baseURL: `http://127.0.0.1:${server.address().port}/v1` })
const seen = (await generateText({ model: anthropic("claude-opus-5"), prompt: "Which colour?" })).usage
console.log("the API's usage:", JSON.stringify(usage))
console.log("inputTokens:", seen.inputTokens, "of them", JSON.stringify(seen.inputTokenDetails))
console.log("So inputTokens times the price of input is many times the bill, as soon as a prompt is cached.")
process.exit(seen.inputTokens === 1110 && seen.inputTokenDetails.noCacheTokens === 10 ? 0 : 1)
NODE
node seen.mjs
