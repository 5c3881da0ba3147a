-- Puts messages in flight back on their lists, at the end that is served next.
-- KEYS: unacked, unacked_index, inflight of the worker, deliveries
-- ARGV: prefix of the lists, 'counted' or 'uncounted' (whether the fetch stays counted), the delivery tags
-- RETURNS: how many

local restored = 0
for i = 3, #ARGV do
  local tag = ARGV[i]
  local held = redis.call('HGET', KEYS[1], tag)
  local raw = held and release(held)
  redis.call('SREM', KEYS[3], tag)
  if raw then
    redis.call('HDEL', KEYS[1], tag)
    redis.call('ZREM', KEYS[2], tag)
    if ARGV[2] == 'uncounted' then redis.call('HINCRBY', KEYS[4], tag, -1) end
    redis.call('RPUSH', ARGV[1] .. read(raw).list, raw)
    restored = restored + 1
  end
end
return restored
