-- Says that a worker is alive and renews what it holds, so that nobody takes it for abandoned.
-- KEYS: heartbeat, workers, inflight, unacked_index
-- ARGV: worker id, milliseconds after which the worker counts as dead
-- RETURNS: how many messages it holds

redis.call('SET', KEYS[1], '1', 'PX', ARGV[2])
redis.call('SADD', KEYS[2], ARGV[1])
local tags = redis.call('SMEMBERS', KEYS[3])
for _, tag in ipairs(tags) do redis.call('ZADD', KEYS[4], 'XX', now(), tag) end
return #tags
