-- What the scripts share. Messages are decoded only to be looked at, never encoded again: Lua cannot tell an empty list
-- from an empty object.

local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end

-- The names that a message goes by, or nil and what is wrong with it.
local function read(raw)
  local ok, message = pcall(cjson.decode, raw)
  if not ok or type(message) ~= 'table' then return nil, 'not a JSON object' end
  local properties = message.properties
  if type(properties) ~= 'table' then return nil, 'no properties' end
  local info = properties.delivery_info
  if type(properties.delivery_tag) ~= 'string' then return nil, 'no delivery_tag in its properties' end
  if type(info) ~= 'table' or type(info.exchange) ~= 'string' or type(info.routing_key) ~= 'string' then
    return nil, 'no delivery_info with exchange and routing_key in its properties'
  end
  local priority = tonumber(properties.priority) or 0
  local step = ''
  if priority >= 9 then step = '\6\0229' elseif priority >= 6 then step = '\6\0226' elseif priority >= 3 then step = '\6\0223' end
  return { tag = properties.delivery_tag, exchange = info.exchange, queue = info.routing_key, list = info.routing_key .. step }
end

-- How `unacked` holds a message: as kombu writes it, around the message's own bytes.
local function suffix(message)
  return ', ' .. cjson.encode(message.exchange) .. ', ' .. cjson.encode(message.queue) .. ']'
end
local function hold(raw, message)
  return '[' .. raw .. suffix(message)
end
-- By its ends alone: a message that is nested as deeply as cjson reads could not be read inside another list.
local function release(held)
  return string.match(held, '^%[(.*), "[^"]*", "[^"]*"%]$')
end

-- Ends a worker's hold on a message and gives what it held, or nil: a worker that was taken for dead may come back, and
-- another one has the message then.
local function let_go(keys, worker, tag)
  redis.call('SREM', keys.inflight, tag)
  if redis.call('HGET', keys.holders, tag) ~= worker then return nil end
  local held = redis.call('HGET', keys.unacked, tag)
  redis.call('HDEL', keys.holders, tag)
  redis.call('HDEL', keys.unacked, tag)
  redis.call('ZREM', keys.index, tag)
  return held or nil
end
local function holds(keys, worker, tag)
  return redis.call('HGET', keys.holders, tag) == worker and redis.call('HEXISTS', keys.unacked, tag) == 1
end
-- The first five KEYS of every script that ends a flight.
local function flight() return { unacked = KEYS[1], index = KEYS[2], inflight = KEYS[3], deliveries = KEYS[4], holders = KEYS[5] } end

local DEAD_MAX = 10000
local function bury(dead, raw, reason, deliveries)
  redis.call('LPUSH', dead, cjson.encode({ raw = raw, reason = reason, deliveries = deliveries, died_at = now() }))
  redis.call('LTRIM', dead, 0, DEAD_MAX - 1)
end
