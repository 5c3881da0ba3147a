-- Moves a message that is not due yet from flight to the delayed ones; the fetch is not counted.
-- KEYS: unacked, unacked_index, inflight of the worker, deliveries, delayed, delayed_body
-- ARGV: delivery tag, when it is due in seconds since the epoch
-- RETURNS: 1, or 0 when the message was not held

redis.call('SREM', KEYS[3], ARGV[1])
local held = redis.call('HGET', KEYS[1], ARGV[1])
local raw = held and release(held)
if not raw then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[4], ARGV[1])
redis.call('HSET', KEYS[6], ARGV[1], raw)
redis.call('ZADD', KEYS[5], ARGV[2], ARGV[1])
return 1
