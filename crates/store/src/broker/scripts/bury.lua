-- Moves a message from flight to the dead letters.
-- KEYS: unacked, unacked_index, inflight of the worker, deliveries, dead
-- ARGV: delivery tag, reason
-- RETURNS: 1, or 0 when the message was not held

redis.call('SREM', KEYS[3], ARGV[1])
local held = redis.call('HGET', KEYS[1], ARGV[1])
if not held then return 0 end
local deliveries = tonumber(redis.call('HGET', KEYS[4], ARGV[1])) or 0
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[4], ARGV[1])
bury(KEYS[5], release(held) or held, ARGV[2], deliveries)
return 1
