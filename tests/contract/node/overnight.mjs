// A client of Overnight for Node, from the published schemas alone (../schemas), without a package.
import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import net from "node:net";

const SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/;

// --- Redis -----------------------------------------------------------------------------------------------------------

/** A connection to a Redis: `await redis.send("LPUSH", key, text)`. One command at a time waits for its answer. */
export async function connect(url) {
  const { hostname, port, username, password, pathname } = new URL(url);
  const socket = net.connect(Number(port || 6379), hostname);
  const waiting = [];
  let received = Buffer.alloc(0);
  const fail = (error) => waiting.splice(0).forEach(({ reject }) => reject(error));
  socket.on("data", (bytes) => {
    received = Buffer.concat([received, bytes]);
    for (let reply; waiting.length && (reply = read(received, 0)); ) {
      received = received.subarray(reply.end);
      const { resolve, reject } = waiting.shift();
      reply.value instanceof Error ? reject(reply.value) : resolve(reply.value);
    }
  });
  socket.on("error", fail);
  socket.on("close", () => fail(new Error("the connection to Redis is closed")));
  const send = (...words) =>
    new Promise((resolve, reject) => {
      waiting.push({ resolve, reject });
      const parts = words.map((word) => `$${Buffer.byteLength(String(word))}\r\n${word}\r\n`);
      socket.write(`*${words.length}\r\n${parts.join("")}`);
    });
  if (password) await send("AUTH", ...(username ? [decodeURIComponent(username)] : []), decodeURIComponent(password));
  await send("SELECT", pathname.slice(1) || "0");
  return { send, close: () => socket.end() };
}

/** One reply of RESP from `at` on, and where it ends; undefined while it isn't whole. */
function read(bytes, at) {
  const line = bytes.indexOf("\r\n", at);
  if (line < 0) return undefined;
  const kind = String.fromCharCode(bytes[at]);
  const text = bytes.toString("utf8", at + 1, line);
  if (kind === "+") return { value: text, end: line + 2 };
  if (kind === "-") return { value: new Error(text), end: line + 2 };
  if (kind === ":") return { value: Number(text), end: line + 2 };
  if (Number(text) < 0) return { value: null, end: line + 2 };
  if (kind === "$") {
    const end = line + 2 + Number(text);
    return bytes.length < end + 2 ? undefined : { value: bytes.toString("utf8", line + 2, end), end: end + 2 };
  }
  const value = [];
  let end = line + 2;
  for (let left = Number(text); left > 0; left--) {
    const part = read(bytes, end);
    if (part === undefined) return undefined;
    value.push(part.value);
    end = part.end;
  }
  return { value, end };
}

// --- items go in, outcomes come out ----------------------------------------------------------------------------------

/** Hand over items: `{ key, params, callback?, … }` as in the schema `accept`. Returns their ids, and their message's. */
export async function enqueue(redis, items, { lane = "default", run = null } = {}) {
  const lines = items.map((item) => ({ id: randomUUID(), ...item }));
  const id = randomUUID();
  const named = { v: 1, message_id: id, lane, run, items: lines.map((line) => JSON.stringify(line)).join("\n") };
  await push(redis, "overnight.accept", named, `(${lane}: ${lines.length} items)`);
  return { messageId: id, ids: lines.map((line) => line.id) };
}

/** What became of a message, as in `confirm-reply`: `{ accepted, known, rejected }`. From then on it can't be lost. */
export async function confirm(redis, messageId, seconds = 30) {
  for (const until = Date.now() + seconds * 1000; Date.now() < until; ) {
    const verdicts = await ask(redis, "confirm", { message_ids: [messageId] });
    if (verdicts?.[messageId]) return verdicts[messageId];
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("not confirmed: enqueue the same again, it's free");
}

/** An item's outcome, as in `outcome-reply`, with its message however large; null while there is none. */
export async function outcome(redis, key, lane = "default") {
  const answer = await ask(redis, "outcome", { lane, key });
  if (!answer || answer.rejected) throw new Error(answer?.rejected ?? `lane ${lane} has no item ${key}`);
  return answer.outcome ?? null;
}

/** Ask the workers; undefined when none answers within a second: the question, or its answer, got lost. */
async function ask(redis, question, about) {
  const reply_to = randomUUID();
  await push(redis, "overnight.answer", { question, reply_to, about }, `(${question})`);
  const popped = await redis.send("BLPOP", `overnight:reply:${reply_to}`, 1);
  const { answer, error } = popped === null ? {} : JSON.parse(popped[1]);
  if (error) throw new Error(error);
  return answer;
}

/** Put a message for one of Overnight's tasks into its queue. */
async function push(redis, task, named, argsrepr) {
  const message = {
    body: JSON.stringify([[], named, {}]),
    "content-encoding": "utf-8",
    "content-type": "application/json",
    headers: { lang: "js", task, id: randomUUID(), argsrepr },
    properties: { delivery_tag: randomUUID(), delivery_info: { exchange: "", routing_key: task } },
  };
  await redis.send("LPUSH", task, JSON.stringify(message));
}

/** The next callback in a queue, as in the schema `callback`; null when none came in time. */
export async function take(redis, queue, timeoutSeconds = 1) {
  const popped = await redis.send("BRPOP", queue, timeoutSeconds);
  if (popped === null) return null;
  const { headers, body } = JSON.parse(popped[1]);
  const [[outcome, ...args], kwargs] = JSON.parse(body);
  return { task: headers.task, ack: headers.overnight_ack, outcome, args, kwargs };
}

/** Say that the work of these callbacks is done, by their `ack`. */
export async function acknowledge(redis, acks) {
  await redis.send("LPUSH", "overnight:acks", JSON.stringify({ v: 1, acks }));
}

/** An outcome with its message, by the link in a webhook's `claim`; as it came where it has its message. */
export async function claimed(outcome) {
  if (!outcome.claim?.url) return outcome;
  const answer = await fetch(outcome.claim.url, { redirect: "error" });
  const document = await answer.json();
  if (!answer.ok) throw new Error(`HTTP ${answer.status}: ${document.error}`);
  return { ...outcome, message: document.message };
}

// --- webhooks --------------------------------------------------------------------------------------------------------

/** A webhook's body, read, if it is signed by one of the secrets, just now; else an Error. Headers as Node or `fetch` has them. */
export function verify(headers, body, secrets, now = Date.now() / 1000) {
  const named = (name) => (headers instanceof Headers ? headers.get(name) : headers[name]);
  const [id, timestamp, given] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(named);
  if (!id || !/^\d{1,12}$/.test(timestamp) || !given) throw new Error("no webhook");
  if (Math.abs(now - Number(timestamp)) > 300) throw new Error("of another time");
  const signed = secrets.map((secret) => {
    const key = SECRET.exec(secret);
    if (!key) throw new Error("a secret is whsec_ and base64");
    return createHmac("sha256", Buffer.from(key[1], "base64")).update(`${id}.${timestamp}.`).update(body).digest();
  });
  const signatures = given.split(" ").filter((word) => word.startsWith("v1,"));
  const ours = signatures.map((word) => Buffer.from(word.slice(3), "base64"));
  const equal = (one, other) => one.length === other.length && timingSafeEqual(one, other);
  if (!ours.some((one) => signed.some((other) => equal(one, other)))) throw new Error("not signed by a secret known here");
  return JSON.parse(body);
}
