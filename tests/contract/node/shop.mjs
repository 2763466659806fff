// A service in Node: it has texts written, takes them by a callback and by a webhook, and acknowledges.
// Prints one JSON line for each thing that happened; whoever runs it reads them.
import { createServer } from "node:http";
import { acknowledge, confirm, connect, enqueue, outcome, take, verify } from "./overnight.mjs";

const [, , command, ...words] = process.argv;
const tell = (what) => console.log(JSON.stringify(what));
const params = (text) => ({
  model: "claude-haiku-5-5",
  max_tokens: 300,
  messages: [{ role: "user", content: text }],
});

/** Enqueue one item for each word, and take their callbacks until all are there. */
async function callbacks(skus) {
  const redis = await connect(process.env.OVERNIGHT_REDIS_URL);
  const queue = "node-shop";
  const callback = (sku) => ({ task: "shop.save", queue, kwargs: { sku }, ack: true });
  const items = skus.map((sku) => ({ key: `node:${sku}`, params: params(`Describe ${sku}, Grüße`), callback: callback(sku) }));
  const { messageId, ids } = await enqueue(redis, items, { run: "node" });
  tell({ receipts: ids, verdict: await confirm(redis, messageId) });
  const done = new Set(); // by delivery id: the same outcome may come more than once
  for (let tries = 0; done.size < skus.length && tries < 60; tries++) {
    const taken = await take(redis, queue);
    if (taken === null) continue;
    if (!done.has(taken.outcome.delivery_id)) {
      done.add(taken.outcome.delivery_id);
      tell({ sku: taken.kwargs.sku, task: taken.task, outcome: taken.outcome });
    }
    await acknowledge(redis, [taken.ack]);
  }
  redis.close();
}

/** Enqueue one item for each word, have them confirmed, and read what is known of them so far. */
async function confirmed(skus) {
  const redis = await connect(process.env.OVERNIGHT_REDIS_URL);
  const { messageId, ids } = await enqueue(redis, skus.map((sku) => ({ key: `node:${sku}`, params: params(sku) })));
  tell({ receipts: ids, verdict: await confirm(redis, messageId) });
  redis.close();
}

/** Read the outcomes of these keys, large answers too. */
async function outcomes(keys) {
  const redis = await connect(process.env.OVERNIGHT_REDIS_URL);
  for (const key of keys) tell({ key, outcome: await outcome(redis, key) });
  redis.close();
}

/** An endpoint for webhooks, on a free port, until its input ends. */
function endpoint() {
  const secrets = process.env.SHOP_WEBHOOK_SECRETS.split(" ");
  const server = createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    try {
      const { data } = verify(request.headers, Buffer.concat(parts), secrets);
      for (const outcome of data) tell({ delivery_id: outcome.delivery_id, outcome });
      const refused = data.filter((outcome) => !outcome.ok).map((outcome) => [outcome.delivery_id, outcome.problem]);
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify(refused.length ? { failed: Object.fromEntries(refused) } : {}));
    } catch (error) {
      tell({ refused: error.message });
      response.writeHead(401).end();
    }
  });
  server.listen(Number(words[0] ?? 0), "127.0.0.1", () => tell({ port: server.address().port }));
  process.stdin.on("end", () => server.close()).resume();
}

await { endpoint, callbacks, confirmed, outcomes }[command](words);
