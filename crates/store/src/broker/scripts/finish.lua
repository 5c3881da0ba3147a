-- Stores a message's result, puts its next attempt among the delayed ones where asked to, and acknowledges it: in this
-- order, for a script that fails half way is not taken back. Does nothing when the worker does not hold the message.
-- KEYS: unacked, unacked_index, inflight of the worker, deliveries, holders, result, delayed, delayed_body
-- ARGV: worker id, delivery tag, result document or '', seconds that it is kept, next message or '', its tag, seconds
-- until it is due
-- RETURNS: 1, or 0 when the message was not held

local keys = flight()
if not holds(keys, ARGV[1], ARGV[2]) then
  redis.call('SREM', keys.inflight, ARGV[2])
  return 0
end
if ARGV[3] ~= '' then
  -- A success is never overwritten, as in Celery.
  local old = redis.call('GET', KEYS[6])
  local ok, document = pcall(cjson.decode, old or 'null')
  if not (ok and type(document) == 'table' and document.status == 'SUCCESS') then
    redis.call('SETEX', KEYS[6], ARGV[4], ARGV[3])
    redis.call('PUBLISH', KEYS[6], ARGV[3])
  end
end
if ARGV[5] ~= '' then
  redis.call('HSET', KEYS[8], ARGV[6], ARGV[5])
  redis.call('ZADD', KEYS[7], now() + tonumber(ARGV[7]), ARGV[6])
end
let_go(keys, ARGV[1], ARGV[2])
redis.call('HDEL', keys.deliveries, ARGV[2])
return 1
