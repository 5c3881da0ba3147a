-- What the scripts share. Messages are decoded only to be looked at, never encoded again: Lua cannot tell an empty list
-- from an empty object.

local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end

-- Nothing of a script is taken back when a later command of it fails. What can fail is the kind of a key, so that is looked
-- at before the first write; and from its first write on Redis refuses a script nothing more, whatever happens to it.
local function is(kind, key)
  local found = redis.call('TYPE', key).ok
  return found == kind or found == 'none'
end
local function need(kind, ...)
  for _, key in ipairs({ ... }) do
    if not is(kind, key) then error(redis.error_reply('WRONGTYPE the key ' .. key .. ' holds no ' .. kind)) end
  end
end

-- A full Redis refuses a script that begins with a write that may take memory. One that ends or renews flights begins with
-- this one instead, for it has to go on then: it gives back more than it takes. The key is one that never expires.
local function go_on_when_full(key) redis.call('PERSIST', key) end

-- How Celery and LogMon write the end of a message. To find it costs a tenth of decoding the whole, and what it finds is
-- only what the message goes by in flight: whether it can be run is seen by the worker, which buries it otherwise.
local ENDING = '^"delivery_info":%s?{"exchange":%s?("[^"\\%c]*"),%s?"routing_key":%s?("[^"\\%c]*")},%s?'
  .. '"priority":%s?(%d+),%s?"body_encoding":%s?"base64",%s?"delivery_tag":%s?"([%w-]+)"}}$'

-- What a message goes by: its delivery tag, how `unacked` holds it, the queue and its priority; or nil and what is wrong.
-- `unacked` holds it as kombu writes it, around the message's own bytes.
local function read(raw)
  local start = string.find(raw, '"delivery_info"', -300, true)
  if start then
    local exchange, queue, priority, tag = string.match(raw, ENDING, start)
    if tag then return tag, ', ' .. exchange .. ', ' .. queue .. ']', string.sub(queue, 2, -2), tonumber(priority) end
  end
  local ok, message = pcall(cjson.decode, raw)
  if not ok or type(message) ~= 'table' then return nil, 'not a JSON object' end
  local properties = message.properties
  if type(properties) ~= 'table' then return nil, 'no properties' end
  local info = properties.delivery_info
  if type(properties.delivery_tag) ~= 'string' then return nil, 'no delivery_tag in its properties' end
  if type(info) ~= 'table' or type(info.exchange) ~= 'string' or type(info.routing_key) ~= 'string' then
    return nil, 'no delivery_info with exchange and routing_key in its properties'
  end
  local suffix = ', ' .. cjson.encode(info.exchange) .. ', ' .. cjson.encode(info.routing_key) .. ']'
  return properties.delivery_tag, suffix, info.routing_key, tonumber(properties.priority) or 0
end

-- The list that a message came from.
local function list_of(queue, priority)
  if priority >= 9 then return queue .. '\6\0229' end
  if priority >= 6 then return queue .. '\6\0226' end
  if priority >= 3 then return queue .. '\6\0223' end
  return queue
end

-- By its ends alone: a message that is nested as deeply as cjson reads could not be read inside another list.
local function release(held)
  return string.match(held, '^%[(.*), "[^"]*", "[^"]*"%]$')
end

-- Whether a message went through an exchange with a name: then its routing key need not be the queue that it lay on.
local function is_named(suffix) return string.sub(suffix, 1, 6) ~= ', "", ' end

-- What a held or delayed message is, as `read` says it, but with the queue that it was found on.
local function open(held)
  local raw = release(held) or held
  local tag, suffix, queue, priority = read(raw)
  if tag and is_named(suffix) then
    local found = string.match(held, ', "[^"]*", ("[^"]*")%]$')
    queue = found and cjson.decode('[' .. found .. ']')[1] or queue
  end
  return raw, tag, suffix, queue, priority
end

-- What a header of a message holds, where it is of this form. Looked for without decoding the whole, which may be large: text
-- inside of it cannot look like a header, for quotes are escaped there.
local function header(raw, name, form)
  local _, stop = string.find(raw, '"' .. name .. '":', 1, true)
  return stop and string.match(raw, '^%s*' .. form, stop + 1)
end
-- When a message of ours was put on its queue, in milliseconds since the epoch, as its producer says.
local function enqueued_at(raw) return header(raw, 'x-enqueued-at', '(%d+)') end

-- The delayed messages: a sorted set by the time at which they are due, a hash of the messages, alone or as `unacked` holds
-- them, and a hash of how many there are of each queue.
local function need_delayed(delayed)
  need('zset', delayed.due)
  need('hash', delayed.held, delayed.counts)
end
local function delay(delayed, tag, held, due)
  local _, _, _, queue = open(held)
  redis.call('HSET', delayed.held, tag, held)
  if redis.call('ZADD', delayed.due, due, tag) == 1 and queue then redis.call('HINCRBY', delayed.counts, queue, 1) end
end
local function take_delayed(delayed, tag)
  local held = redis.call('HGET', delayed.held, tag)
  redis.call('ZREM', delayed.due, tag)
  redis.call('HDEL', delayed.held, tag)
  if not held then return nil end
  local _, _, _, queue = open(held)
  if queue and redis.call('HINCRBY', delayed.counts, queue, -1) < 1 then redis.call('HDEL', delayed.counts, queue) end
  return held
end

-- Ends a worker's hold on a message and gives what it held, or nil: a worker that was taken for dead may come back, and
-- another one has the message then.
local function let_go(keys, worker, tag)
  if redis.call('HGET', keys.holders, tag) ~= worker then return nil end
  local held = redis.call('HGET', keys.unacked, tag)
  redis.call('HDEL', keys.holders, tag)
  redis.call('HDEL', keys.unacked, tag)
  redis.call('ZREM', keys.index, tag)
  return held or nil
end

-- The first four KEYS of every script about a flight.
local function flight()
  need('hash', KEYS[1], KEYS[3], KEYS[4])
  need('zset', KEYS[2])
  return { unacked = KEYS[1], index = KEYS[2], holders = KEYS[3], deliveries = KEYS[4] }
end

-- Stores a result document for so many seconds, and tells who waits for it.
local function store(key, document, kept)
  if not redis.call('SET', key, document, 'EX', kept, 'NX') then
    -- A success is never overwritten, as in Celery.
    local ok, old = pcall(cjson.decode, redis.call('GET', key))
    if ok and type(old) == 'table' and old.status == 'SUCCESS' then return end
    redis.call('SET', key, document, 'EX', kept)
  end
  redis.call('PUBLISH', key, document)
end

-- Dead letters: a stream whose entries say what became of a message, and beside it a hash of the messages themselves, so
-- that a look at the list does not read them all; a sorted set of those that give way to newer ones; and a hash of how many
-- bytes they are, how many of these are batches', how many letters were dropped, and of how many of them that was told.
-- A batch of logs gives way to nothing, for it was accepted: those that are dead letters take room on the queue of batches.
local DEAD_MAX, DEAD_BYTES, DEAD_DAYS = 10000, 268435456, 90
local function messages_of(dead) return dead .. ':raw' end
local function yielding(dead) return dead .. ':yielding' end
local function totals_of(dead) return dead .. ':totals' end
local function need_dead(dead)
  need('stream', dead)
  need('hash', messages_of(dead), totals_of(dead))
  need('zset', yielding(dead))
end
local function dead_total(dead, which) return tonumber(redis.call('HGET', totals_of(dead), which) or 0) end
local function count_dead(dead, gives_way, bytes)
  redis.call('HINCRBY', totals_of(dead), 'bytes', bytes)
  if not gives_way then redis.call('HINCRBY', totals_of(dead), 'batch_bytes', bytes) end
end
local function take_dead(dead, id)
  local bytes = redis.call('HSTRLEN', messages_of(dead), id)
  if redis.call('XDEL', dead, id) == 0 then return 0 end
  redis.call('HDEL', messages_of(dead), id)
  count_dead(dead, redis.call('ZREM', yielding(dead), id) == 1, -bytes)
  return 1
end
-- Not by anybody who asked for it.
local function drop_dead(dead, id) redis.call('HINCRBY', totals_of(dead), 'dropped', take_dead(dead, id)) end
local function trim_dead(dead)
  local oldest = string.format('(%d', (now() - DEAD_DAYS * 86400) * 1000)
  for _, entry in ipairs(redis.call('XRANGE', dead, '-', oldest, 'COUNT', 1000)) do drop_dead(dead, entry[1]) end
end
-- The newest one stays, however large it is.
local function make_room_for_dead(dead)
  local count = redis.call('ZCARD', yielding(dead))
  while count > DEAD_MAX or (count > 1 and dead_total(dead, 'bytes') - dead_total(dead, 'batch_bytes') > DEAD_BYTES) do
    drop_dead(dead, redis.call('ZRANGE', yielding(dead), 0, 0)[1])
    count = count - 1
  end
end
-- Who asks for a text gets one, whatever a message holds in its place.
local function text(value, field)
  local found = type(value) == 'table' and value[field]
  return type(found) == 'string' and string.sub(found, 1, 255) or ''
end
-- `queue` is the one that it was found on, where it is known: after an exchange the message does not say it.
local function bury(dead, raw, reason, deliveries, queue)
  local ok, message = pcall(cjson.decode, raw)
  if not ok or type(message) ~= 'table' then message = {} end
  local properties = type(message.properties) == 'table' and message.properties or {}
  local batch = text(message.headers, 'x-batch-key')
  local id = redis.call('XADD', dead, '*', 'reason', reason, 'deliveries', deliveries, 'size', string.len(raw),
    'queue', queue or text(properties.delivery_info, 'routing_key'), 'task', text(message.headers, 'task'),
    'task_id', text(message.headers, 'id'), 'batch', batch)
  redis.call('HSET', messages_of(dead), id, raw)
  if batch == '' then redis.call('ZADD', yielding(dead), now(), id) end
  count_dead(dead, batch == '', string.len(raw))
  trim_dead(dead)
  make_room_for_dead(dead)
end

local function bury_held(dead, held, reason, deliveries)
  local raw, _, _, queue = open(held)
  bury(dead, raw, reason, deliveries, queue)
end

-- Puts a held or delayed message back on its list, at the end that is served next; where it cannot be put there, it is
-- a dead letter, and the answer is nothing.
local function put_back(prefix, dead, held)
  local raw, named, wrong, queue, priority = open(held)
  if not named then bury(dead, raw, wrong, 0) return end
  local list = prefix .. list_of(queue, priority)
  if not is('list', list) then bury(dead, raw, 'the key of its queue holds no list', 0, queue) return end
  redis.call('RPUSH', list, raw)
  return true
end

-- How often workers have died of a message, perhaps: as soon as one has, `deliveries` says that, with a `+` behind it while
-- a further run of it goes on. What was only fetched by a worker that died later was not the cause, then.
local function suspicion(value)
  local count, runs = string.match(value or '', '^(%d+)(%+?)$')
  return tonumber(count), runs == '+'
end

-- Notes that the run of a message begins that a worker has died of before, perhaps.
local function suspect(keys, tag)
  local count, runs = suspicion(redis.call('HGET', keys.deliveries, tag))
  if count and not runs then redis.call('HSET', keys.deliveries, tag, count .. '+') end
end

-- Notes that what a worker held is held no more, and says how often workers have died of it by now if that was one of them.
local function let_off(keys, tag, reason)
  local count, runs = suspicion(redis.call('HGET', keys.deliveries, tag))
  if reason == 'died' and (runs or not count) then
    count = (count or 0) + 1
    redis.call('HSET', keys.deliveries, tag, count)
    return count
  end
  if runs then redis.call('HSET', keys.deliveries, tag, count) end
  return 0
end

local function restore(keys, prefix, dead, tag, held)
  if not put_back(prefix, dead, held) then redis.call('HDEL', keys.deliveries, tag) end
end
