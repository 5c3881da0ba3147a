-- Keeps what a worker says of itself, for those who ask.
-- KEYS: what it says, seen
-- ARGV: worker id, what it says, seconds that this is kept
-- RETURNS: nothing

need('zset', KEYS[2])
go_on_when_full(KEYS[2])
local time, kept = now(), tonumber(ARGV[3])
redis.call('SET', KEYS[1], ARGV[2], 'EX', kept)
redis.call('ZADD', KEYS[2], time, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', time - kept)
