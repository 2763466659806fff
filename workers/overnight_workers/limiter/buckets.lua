-- The buckets of pools of models, all of a call in one round trip. Times are microseconds of the server's clock.
--
-- KEYS: the hash of all pools' names, and for each job the state of its pool and the set of its workers.
-- ARGV[1]: JSON, a list of jobs. Returns for each: its answers, what a worker remembers of the pool, how many workers.
--
-- A bucket is one moment, `tat`: when all that was let through is paid for at the bucket's rate (GCRA). What comes is let
-- through when that moment is over, or less than TAU ahead, and moves it on by its cost: a large cost is paid afterwards.
-- So in any minute at most rate * minute + TAU + the last cost is let through, and the rate leaves room for that: for
-- FLOOR of the limit, or for the largest cost of the last minute (`big`). Before the first of a larger size is let
-- through, the bucket pauses for as long as its size wouldn't have fitted into the minute behind.

local MINUTE, SECOND = 60000000, 1000000
local TAU = 300000
local FLOOR = 0.01
local CREDIT, CREDIT_LASTS = 6 * SECOND, 5 * SECOND
local HALVED_ONCE_IN = 5 * SECOND
local GROWS_BACK_IN = 120 * SECOND
local SMALLEST_FACTOR = 1 / 32
local SLOWED_BELOW = 0.25
local KEPT_MS = 86400000
local WORKER_LIVES = 30 * SECOND

local time = redis.call('TIME')
local now = time[1] * SECOND + time[2]

local function empty()
  -- an unknown past: not a burst to begin with
  return { tat = now + TAU, big = 0, big_until = 0, limit = 0, left = 0, left_at = 0, credit = 0, credit_until = 0,
    minute = 0, count = 0, before = 0, short_at = 0 }
end

-- What a worker remembers of a pool goes over a state that was born later: Redis was emptied in between.
local function merge(pool, known)
  pool.blocked = math.max(pool.blocked, known.blocked)
  if known.factor < pool.factor then
    pool.factor, pool.factor_at = known.factor, now
  end
  for i = 1, 3 do
    local bucket = pool.buckets[i]
    bucket.tat = math.max(bucket.tat, math.min(known.tats[i], now + MINUTE))
    if bucket.limit == 0 then bucket.limit = known.limits[i] end
  end
end

local function load(key, known)
  local raw = redis.call('GET', key)
  local pool
  if raw then
    pool = cmsgpack.unpack(raw)
  else
    pool = { born = now, blocked = 0, factor = 1, factor_at = now, halved = 0, buckets = { empty(), empty(), empty() } }
  end
  if type(known) == 'table' and known.born ~= pool.born then merge(pool, known) end
  for i = 1, 3 do
    -- a server whose clock is behind the last one's: nothing is owed for longer than this
    pool.buckets[i].tat = math.min(pool.buckets[i].tat, now + 5 * MINUTE)
  end
  return pool
end

local function save(key, pool)
  redis.call('SET', key, cmsgpack.pack(pool), 'PX', KEPT_MS + math.max(0, math.ceil((pool.blocked - now) / 1000)))
end

local function factor(pool)
  return math.min(1, pool.factor + (now - pool.factor_at) / GROWS_BACK_IN)
end

-- A limit: the account's, as its headers say, or else its tier's; one that is set is never more than the account's.
local function limit_of(bucket, told, is_set)
  if bucket.limit == 0 then return told end
  return is_set and math.min(told, bucket.limit) or bucket.limit
end

local function largest(bucket, limit)
  local big = FLOOR * limit
  if now < bucket.big_until and bucket.big > big then big = bucket.big end
  return big
end

-- How long one unit takes at the rate that leaves room for costs of this size.
local function interval(limit, big)
  return MINUTE / math.max(limit * (1 - TAU / MINUTE) - big, limit / 10000)
end

-- What the API's own bucket still holds by the last header, less what was let through since; nil where it isn't known.
local function level(bucket)
  if bucket.left_at == 0 or now - bucket.left_at > MINUTE then return nil end
  return math.min(bucket.limit, bucket.left + (now - bucket.left_at) * bucket.limit / MINUTE)
end

-- Somebody else uses the account too when its bucket empties though we keep to our rate: then we go slower.
local function speed(pool, bucket)
  local held = level(bucket)
  local by_others = held and math.max(0.1, math.min(1, held / (SLOWED_BELOW * bucket.limit))) or 1
  return factor(pool) * by_others
end

local function count(bucket, amount)
  local minute = math.floor(now / MINUTE)
  if bucket.minute ~= minute then
    bucket.before = bucket.minute == minute - 1 and bucket.count or 0
    bucket.minute, bucket.count = minute, 0
  end
  bucket.count = bucket.count + amount
end

local function grow(bucket, limit, cost)
  local big = largest(bucket, limit)
  if cost > big then
    local paused = bucket.tat + math.min(MINUTE, (cost - big) * interval(limit, big))
    if paused > now then bucket.tat = paused end
    bucket.big, bucket.big_until = cost, math.max(bucket.tat, now) + MINUTE
  elseif cost >= 0.8 * bucket.big then
    bucket.big_until = math.max(bucket.big_until, bucket.tat + MINUTE, now + MINUTE)
  end
end

-- How long until a cost may be let through, and what it then takes of the bucket's time.
local function ask(pool, bucket, limit, cost, queued)
  if cost <= 0 then return 0, 0 end
  grow(bucket, limit, cost)
  local tau = cost > limit / 2 and 0 or TAU
  local wait = math.max(0, bucket.tat + queued - tau - now)
  local held = level(bucket)
  if held and held < cost then
    wait = math.max(wait, (math.min(cost, bucket.limit) - held) * MINUTE / bucket.limit)
  end
  -- half of the limit or more is alone in its minute
  return wait, math.min(MINUTE + TAU, cost * interval(limit, largest(bucket, limit))) / speed(pool, bucket)
end

local function take(bucket, cost, start, charge)
  if cost <= 0 then return end
  local credit = now < bucket.credit_until and bucket.credit or 0
  bucket.tat = math.max(bucket.tat, start - credit) + charge
  if credit > 0 then bucket.credit = math.max(0, math.min(credit, start - bucket.tat)) end
  if bucket.left_at > 0 then
    local held = level(bucket)
    if held then bucket.left, bucket.left_at = held - cost, now end
  end
  count(bucket, cost)
end

local function let_through(pool, job, costs, limits, queued)
  local start, charges, waits_for = 0, {}, 1
  for i = 1, 3 do
    local wait, charge = ask(pool, pool.buckets[i], limits[i], costs[i], queued[i])
    charges[i] = charge
    if wait > start then start, waits_for = wait, i end
  end
  if start > job.ahead then pool.buckets[waits_for].short_at = now end
  if pool.blocked - now > start then start, waits_for = pool.blocked - now, 4 end
  start = math.ceil(start)
  if start > job.ahead then
    for i = 1, 3 do queued[i] = queued[i] + charges[i] end
    return { 0, start, waits_for }
  end
  for i = 1, 3 do take(pool.buckets[i], costs[i], now + start, charges[i]) end
  return { 1, start, math.floor(charges[1]), math.floor(charges[2]), math.floor(charges[3]), costs[3] }
end

local OPS = {}

function OPS.acquire(pool, job)
  local limits, answers, queued = {}, {}, { 0, 0, 0 }
  for i = 1, 3 do limits[i] = limit_of(pool.buckets[i], job.limits[i], job.set[i]) end
  for n, need in ipairs(job.needs) do
    if need[1] > limits[2] then
      answers[n] = { 2, math.floor(limits[2]) }
    else
      -- an answer that is expected to be longer than all that a minute takes counts as that
      answers[n] = let_through(pool, job, { 1, need[1], math.min(need[2], limits[3]) }, limits, queued)
    end
  end
  return answers
end

-- What was used instead of what was let through: given back, for a moment as a credit, or owed.
local function settle_bucket(pool, i, limit, call)
  local bucket, cost, used, charge = pool.buckets[i], call.costs[i], call.used[i], call.charges[i]
  if used < cost then
    local back = charge * (1 - used / cost)
    bucket.tat = bucket.tat - back
    if bucket.tat < now and now - call.at < MINUTE then
      local credit = now < bucket.credit_until and bucket.credit or 0
      bucket.credit = math.min(CREDIT, credit + math.min(back, now - bucket.tat))
      bucket.credit_until = now + CREDIT_LASTS
    end
  elseif used > cost then
    local more = math.min(MINUTE, (used - cost) * interval(limit, largest(bucket, limit)))
    bucket.tat = math.max(bucket.tat, now) + more
  end
  local held = level(bucket)
  if held then bucket.left, bucket.left_at = math.min(bucket.limit, held + cost - used), now end
  count(bucket, used - cost)
end

function OPS.settle(pool, job)
  for i = 1, 3 do
    local limit = limit_of(pool.buckets[i], job.limits[i], job.set[i])
    for _, call in ipairs(job.calls) do settle_bucket(pool, i, limit, call) end
  end
end

function OPS.observe(pool, job)
  for i = 1, 3 do
    local bucket = pool.buckets[i]
    if job.account[i] > 0 then bucket.limit = job.account[i] end
    if job.left[i] >= 0 and bucket.limit > 0 then bucket.left, bucket.left_at = job.left[i], now end
  end
end

function OPS.throttle(pool, job)
  pool.blocked = math.max(pool.blocked, now + job.pause)
  if now - pool.halved >= HALVED_ONCE_IN then
    pool.factor, pool.factor_at = math.max(SMALLEST_FACTOR, factor(pool) / 2), now
    pool.halved = now
  end
end

function OPS.look(pool, job)
  local answers = {}
  local minute, passed = math.floor(now / MINUTE), (now % MINUTE) / MINUTE
  for i = 1, 3 do
    local bucket = pool.buckets[i]
    local before = bucket.minute == minute and bucket.before or (bucket.minute == minute - 1 and bucket.count or 0)
    local count_now = bucket.minute == minute and bucket.count or 0
    local held = level(bucket)
    answers[i] = { math.floor(limit_of(bucket, job.limits[i], job.set[i])),
      math.max(0, math.floor(before * (1 - passed) + count_now)), math.floor(math.max(0, bucket.tat - now)),
      bucket.short_at > 0 and math.floor(now - bucket.short_at) or -1, held and math.floor(held) or -1 }
  end
  return answers
end

local replies = {}
for n, job in ipairs(cjson.decode(ARGV[1])) do
  local key, workers = KEYS[2 * n], KEYS[2 * n + 1]
  local pool = load(key, job.known)
  local answers = OPS[job.op](pool, job) or {}
  if job.op ~= 'look' then save(key, pool) end
  if job.worker then
    redis.call('HSET', KEYS[1], key, job.name)
    redis.call('PEXPIRE', KEYS[1], KEPT_MS)
    redis.call('ZADD', workers, now, job.worker)
    redis.call('ZREMRANGEBYSCORE', workers, '-inf', now - WORKER_LIVES)
    redis.call('PEXPIRE', workers, KEPT_MS)
  end
  local known = { math.floor(pool.born), math.floor(pool.blocked), math.floor(factor(pool) * 1000000) }
  for i = 1, 3 do
    known[3 + i], known[6 + i] = math.floor(pool.buckets[i].tat), math.floor(pool.buckets[i].limit)
  end
  replies[n] = { answers, known, redis.call('ZCARD', workers) }
end
return { math.floor(now), replies }
