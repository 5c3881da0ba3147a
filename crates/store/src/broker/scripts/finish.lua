-- Acknowledges a message and stores its result; where asked to, puts the next attempt among the delayed ones.
-- Does nothing when the worker does not hold the message any more: another one has it.
-- KEYS: unacked, unacked_index, inflight of the worker, deliveries, result, delayed, delayed_body
-- ARGV: delivery tag, result document or '', seconds that it is kept, next message or '', its tag, seconds until it is due
-- RETURNS: 1, or 0 when the message was not held

redis.call('SREM', KEYS[3], ARGV[1])
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[4], ARGV[1])
if ARGV[2] ~= '' then
  -- A success is never overwritten, as in Celery.
  local old = redis.call('GET', KEYS[5])
  local ok, document = pcall(cjson.decode, old or 'null')
  if not (ok and type(document) == 'table' and document.status == 'SUCCESS') then
    redis.call('SETEX', KEYS[5], ARGV[3], ARGV[2])
    redis.call('PUBLISH', KEYS[5], ARGV[2])
  end
end
if ARGV[4] ~= '' then
  redis.call('HSET', KEYS[7], ARGV[5], ARGV[4])
  redis.call('ZADD', KEYS[6], now() + tonumber(ARGV[6]), ARGV[5])
end
return 1
