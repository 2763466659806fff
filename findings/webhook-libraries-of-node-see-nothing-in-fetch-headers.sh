#!/usr/bin/env bash
set -euo pipefail
# Behaviour: verify of npm's standardwebhooks and svix says "Missing required headers" when it is given the Headers object of a fetch request; the same headers as a plain object pass.
# Expected: what a Request of Next.js, Hono or Deno has in its `headers` can be verified.
# Source: both copy what Object.keys finds, and a Headers object has no keys of its own
# Here: producers/README.md: webhooks in other languages; overnight_producers.verify takes headers in every form that Python's frameworks have

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit standardwebhooks@1.1.1 svix@1.99.1 >/dev/null || exit 2
cat > verify.mjs <<'NODE'
import { readFileSync } from "node:fs"
import { Webhook as Standard } from "standardwebhooks"
import { Webhook as Svix } from "svix"

const secret = "whsec_" + Buffer.alloc(24, 1).toString("base64")
const body = '{"ok": true}'
const seen = []
for (const [name, Webhook] of [["standardwebhooks", Standard], ["svix", Svix]]) {
  const { version } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8"))
  const webhook = new Webhook(secret)
  const at = new Date()
  const plain = {
    "webhook-id": "msg_1",
    "webhook-timestamp": String(Math.floor(at / 1000)),
    "webhook-signature": webhook.sign("msg_1", at, body),
  }
  for (const [kind, headers] of [["a plain object", plain], ["Headers of fetch", new Headers(plain)],
                                 ["Object.fromEntries(Headers)", Object.fromEntries(new Headers(plain))]]) {
    let result = "verified"
    try {
      webhook.verify(body, headers)
    } catch (error) {
      result = error.message
    }
    seen.push(result)
    console.log(`${name} ${version}, ${kind}: ${result}`)
  }
}
console.log("So a right webhook looks like a forged one, until its headers are copied into an object.")
const one = ["verified", "Missing required headers", "verified"]
process.exit(JSON.stringify(seen) === JSON.stringify([...one, ...one]) ? 0 : 1)
NODE
node verify.mjs
